"""Old builds leave the machine: buildah and containerd each keep every image for ever, some 10 GB for each change.

Of every image the newest two builds stay, so that two working copies can take turns, and what a container was made of.
"""

import subprocess
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from devcluster.images.containers import ctr, image_references
from devcluster.images.declarations import REPOSITORY_PREFIX
from devcluster.machine.commands import run
from devcluster.paths import Paths

KEPT = 2
"""Builds of each image."""
OURS = f"{REPOSITORY_PREFIX}/"


def remove_old_images(paths: Paths, current: Collection[str]) -> None:
    """Remove builds of our images that are neither current, by their references, nor new, nor in use."""
    tags = read_tags(run(["buildah", "images", "--format", "{{.CreatedAtRaw}} {{.Name}}:{{.Tag}}"]))
    kept = find_newest(tags)
    used = {line.split()[1] for line in ctr(paths, "containers", "list").splitlines()[1:]}
    stale = find_stale(image_references(paths), {*current, *kept, *used})
    if stale:
        ctr(paths, "images", "remove", *stale)
    # one whose layers another one was built on cannot go yet; what has no name is kept: the stage that servers share
    subprocess.run(["buildah", "rmi", *sorted(set(tags) - kept)], check=False, capture_output=True)


def read_tags(listed: str) -> list[str]:
    """Return the tags of our images in the order in which they were built, of lines with a time, and a tag behind spaces."""
    rows = sorted(line.rpartition(" ")[::2] for line in listed.splitlines())
    return [tag for _, tag in rows if tag.startswith(OURS)]


def find_newest(tags: Iterable[str]) -> set[str]:
    """Return the last tags of each repository, of tags in the order in which they were built."""
    builds: defaultdict[str, list[str]] = defaultdict(list)
    for tag in tags:
        builds[tag.rpartition(":")[0]].append(tag)
    return {tag for each in builds.values() for tag in each[-KEPT:]}


def find_stale(references: Mapping[str, str], kept: Collection[str]) -> list[str]:
    """Return the names of our images, of digests by name, none of whose names is kept; the kubelet's own name is one of them."""
    living = {digest for name, digest in references.items() if name in kept}
    ours = {digest for name, digest in references.items() if name.startswith(OURS)}
    return sorted(name for name, digest in references.items() if digest in ours - living)
