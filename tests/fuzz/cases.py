"""One case: the files of a source, changed as a number says; the same number changes them the same way for ever."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from fuzz.structured import CANARY, mutate

Files = Mapping[str, bytes]
HUGE = 300 << 20


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the files of a seed by their paths."""
    source = folder / "source"
    return {
        path.relative_to(source).as_posix(): path.read_bytes() for path in sorted(source.rglob("*")) if path.is_file()
    }


def make_case(format_name: str, seed: int, number: int, seeds: Sequence[Files]) -> dict[str, bytes]:
    """Return the files of a case."""
    random = Random(f"{format_name}/{seed}/{number}")
    files = dict(random.choice(seeds))
    names = sorted(files)
    choice = random.random()
    if choice < 0.04:
        return packed(random, files)
    if choice < 0.08 and len(names) > 1:  # a part lost, or in the place of another
        lost = random.choice(names)
        content = files.pop(lost)
        return files if random.random() < 0.5 else files | {random.choice(sorted(files)): content}
    # the largest are weights, whose bytes are numbers: what says how to read them is mostly smaller
    name = random.choice(names)
    files[name] = mutate(random, files[name])
    return files


def packed(random: Random, files: Files) -> dict[str, bytes]:
    """Return an archive of the files, most often with something in it that must not be unpacked."""
    if random.random() < 0.4:
        return {"model.zip": _zipped(random, files)}
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in files.items():
            _add(archive, tarfile.TarInfo(name), content)
        _add_hostile(random, archive)
    content = file.getvalue()
    if random.random() < 0.2:
        content = mutate(random, content)
    compressed = gzip.compress(content, 1)
    return {"model.tar.gz": mutate(random, compressed) if random.random() < 0.2 else compressed}


def _zipped(random: Random, files: Files) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        kind = random.randrange(4)
        if kind == 0:
            archive.writestr(f"../../{CANARY}", b"x")
        elif kind == 1:
            link = zipfile.ZipInfo("link")
            link.external_attr = 0o120777 << 16
            archive.writestr(link, "/etc/passwd")
        elif kind == 2:
            archive.writestr("zeros", bytes(HUGE if random.random() < 0.05 else 70 << 20))
    return mutate(random, file.getvalue()) if random.random() < 0.3 else file.getvalue()


def _add_hostile(random: Random, archive: tarfile.TarFile) -> None:
    kind = random.randrange(8)
    info = tarfile.TarInfo(random.choice((f"../../{CANARY}", f"/{CANARY}", f"a/../../../{CANARY}", "a/b")))
    if kind <= 1:
        _add(archive, info, b"x")
    elif kind == 2:
        info.type, info.linkname = random.choice((tarfile.SYMTYPE, tarfile.LNKTYPE)), "/etc/passwd"
        archive.addfile(info)
    elif kind == 3:
        info.type = random.choice((tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE))
        archive.addfile(info)
    elif kind == 4:
        for number in range(10_100):
            archive.addfile(tarfile.TarInfo(f"many/{number}"))
    elif kind == 5:
        _add(archive, tarfile.TarInfo("/".join("d" * 200) + "/x"), b"x")
    elif kind == 6:
        _add(archive, tarfile.TarInfo("zeros"), bytes(70 << 20))


def _add(archive: tarfile.TarFile, info: tarfile.TarInfo, content: bytes) -> None:
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))
