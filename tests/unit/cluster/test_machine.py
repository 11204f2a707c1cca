"""What is read from the machine is recognised by our own names only."""

from pathlib import Path

import pytest

from devcluster.binaries import content_key, pinned_version
from devcluster.errors import InvalidInputError
from devcluster.kubernetes.addons import forward_line
from devcluster.machine.leftovers import find_shims, mounts_below
from devcluster.machine.packages import PACKAGES, missing_packages
from devcluster.paths import find_paths


def test_paths_follow_the_environment(tmp_path: Path) -> None:
    chosen = find_paths({"MODELPORT_CLUSTER_DIR": str(tmp_path), "XDG_CACHE_HOME": "/c"}, home=Path("/h"))
    default = find_paths({}, home=Path("/h"))
    assert (chosen.state, chosen.cache) == (tmp_path.resolve(), Path("/c/modelport"))
    assert (default.state, default.cache) == (Path("/h/.local/share/modelport/cluster"), Path("/h/.cache/modelport"))
    assert chosen.run != default.run


def test_containerd_socket_fits_into_an_address() -> None:
    paths = find_paths({"MODELPORT_CLUSTER_DIR": "/" + "long/" * 40}, home=Path("/h"))
    assert len(str(paths.containerd_socket) + ".ttrpc") < 108


def test_missing_packages() -> None:
    assert missing_packages("") == PACKAGES
    told = "buildah config-files\n" + "\n".join(f"{name} installed" for name in PACKAGES if name != "buildah")
    assert missing_packages(told) == ("buildah",)


def test_mounts_of_others_are_spared() -> None:
    mounts = "a /state/x t 0 0\nb /state/x/y\\040z t 0 0\nc /statement t 0 0\nd / t 0 0\n"
    assert mounts_below((Path("/state"),), mounts) == ["/state/x/y z", "/state/x"]


def test_shims_of_another_containerd_are_spared(tmp_path: Path) -> None:
    commands = {
        "1": "/usr/bin/containerd-shim-runc-v2\0-namespace\0k8s.io\0-address\0/ours.sock\0",
        "2": "/usr/bin/containerd-shim-runc-v2\0-namespace\0moby\0-address\0/run/containerd/containerd.sock\0",
        "3": "vim\0-address\0/ours.sock\0",
        "self": "",
    }
    for pid, arguments in commands.items():
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "cmdline").write_text(arguments)
    assert find_shims(Path("/ours.sock"), tmp_path) == [1]


@pytest.mark.parametrize(
    ("resolver", "line"),
    [
        ("nameserver 10.0.0.2\nsearch x\nnameserver 10.0.0.3\n", "forward . 10.0.0.2 10.0.0.3"),
        ("nameserver 127.0.0.53\n", ""),
        ("", ""),
    ],
    ids=["reachable", "stub", "none"],
)
def test_forward_line(resolver: str, line: str) -> None:
    assert forward_line(resolver) == line


def test_program_key_follows_files_and_flags() -> None:
    files = [("go.mod", b"a"), ("main.go", b"b")]
    assert content_key(files, "f") == content_key(reversed(files), "f")
    assert len({content_key(files, "f"), content_key(files, "g"), content_key([("go.mod", b"ab")], "f")}) == 3


def test_versions_are_those_that_go_mod_pins() -> None:
    text = "module m\n\nrequire (\n\tk8s.io/kubernetes v1.34.4\n\tk8s.io/kubernetes/x v9.0.0\n)\n"
    assert pinned_version("k8s.io/kubernetes", text) == "v1.34.4"
    with pytest.raises(InvalidInputError, match=r"expected go\.mod to require helm"):
        pinned_version("helm.sh/helm/v3", text)
