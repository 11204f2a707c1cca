"""The jars of a lock, from a Maven repository: for an image, or for an environment of `modelport run`.

A line of a lock is the SHA-256 of a jar and its path in Maven's repository layout
(`org/slf4j/slf4j-api/2.0.16/slf4j-api-2.0.16.jar`), in the form of sha256sum(1).

Images run this file alone, before any package is there: `python3 jars.py LOCK FOLDER`.
"""

import hashlib
import os
import sys
from pathlib import Path
from urllib.request import urlopen

VARIABLE = "MODELPORT_MAVEN"
"""Names a mirror of Maven Central."""
CENTRAL = "https://repo1.maven.org/maven2"
_SECONDS = 60
_CHUNK = 1 << 20


def fetch_jars(lock: Path, folder: Path) -> None:
    """Fetch all jars of the lock into a folder. Raises OSError, or ValueError for what is not as locked."""
    folder.mkdir(parents=True, exist_ok=True)
    repository = (os.environ.get(VARIABLE) or CENTRAL).rstrip("/")
    for line in lock.read_text().splitlines():
        digest, path = line.split()
        target = folder / Path(path).name
        if target.exists():
            raise ValueError(f"{lock.name}: expected jars of different names, found {target.name} twice")
        found = _fetch(f"{repository}/{path}", target)
        if found != digest:
            raise ValueError(f"{repository}/{path}: expected SHA-256 {digest} as in {lock.name}, found {found}")


def _fetch(address: str, target: Path) -> str:
    """Return the SHA-256 of what was fetched."""
    state = hashlib.sha256()
    with urlopen(address, timeout=_SECONDS) as answer, target.open("xb") as file:  # noqa: S310 a folder may be a repository
        while chunk := answer.read(_CHUNK):
            state.update(chunk)
            file.write(chunk)
    return state.hexdigest()


if __name__ == "__main__":
    try:
        fetch_jars(Path(sys.argv[1]), Path(sys.argv[2]))
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
