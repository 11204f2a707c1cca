"""What converters measured, in the store: a search goes on where it stopped, be it after a failure or for another model.

A hop holds no credentials, so step publish brings its files there, now and then while it waits, and stage takes them back.
Their bytes are those of a process that opened a model: here nobody looks at more than names, sizes and where lines end, and only
hops read them. Where two conversions measure at once, the last one's files stay.
"""

import re
from pathlib import Path

from modelport.jobs.containers import hop_names, tuned_hops
from modelport.jobs.requests import ConvertRequest
from modelport.steps.runner import Context
from modelport.storage.files import list_tree, read_bytes
from modelport.storage.manifests import tuning_folder
from modelport.storage.store import Store
from modelport_converter.tasks import TUNING

MAX_FILES = 8
MAX_BYTES = 256 << 20
"""Of one file."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def fetch_tuning(store: Store, name: str, target: Path) -> int:
    """Bring the files into a new folder; return their number."""
    folder = f"{tuning_folder(name)}/"
    found = [(path.removeprefix(folder), size) for path, size in store.list(folder)]
    kept = [(path, size) for path, size in found if _NAME.fullmatch(path) and size <= MAX_BYTES][:MAX_FILES]
    target.mkdir(exist_ok=True)
    for path, size in kept:
        store.download(f"{folder}{path}", target / path, size)
    return len(kept)


def keep_tuning(store: Store, context: Context) -> None:
    """Send the files of all hops that have grown."""
    request = context.request
    assert isinstance(request, ConvertRequest)
    names = dict(zip(hop_names(request), (hop.tuning for hop in request.hops), strict=True))
    for step in tuned_hops(request):
        out, folder = context.out_of(step), f"{tuning_folder(names[step])}/"
        sizes = dict(store.list(folder))
        found = list_tree(out / TUNING) if _is_folder(out / TUNING) else []
        for path in [each for each in found if _NAME.fullmatch(each)][:MAX_FILES]:
            content = read_bytes(out, f"{TUNING}/{path}", MAX_BYTES)
            whole = content[: content.rfind(b"\n") + 1]  # the last line may still be written
            if whole and sizes.get(f"{folder}{path}") != len(whole):
                store.upload(f"{folder}{path}", whole)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
