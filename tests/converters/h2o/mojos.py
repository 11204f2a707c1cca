"""Small files of H2O, written here: what is looked at, and not asked."""

import io
import zipfile
from collections.abc import Mapping

INI = """[info]
h2o_version = 3.46.0.6
mojo_version = 1.40
algo = gbm
algorithm = Gradient Boosting Machine
category = Binomial
supervised = true
n_features = 2
n_classes = 2
n_columns = 4
n_domains = 2
offset_column = shift
default_threshold = 0.5

[columns]
age
colour
shift
bought

[domains]
1: 2 d000.txt
3: 2 d001.txt
"""


def mojo(changes: Mapping[str, str | None] | None = None, files: Mapping[str, bytes | None] | None = None) -> bytes:
    """Return an archive with other values of keys (None: without it) and other files."""
    lines = INI.splitlines()
    for key, value in (changes or {}).items():
        lines = [line for line in lines if not line.startswith(f"{key} =")]
        if value is not None:
            lines.insert(1, f"{key} = {value}")
    ini = "\n".join(lines).encode()
    members = {
        "trees/t00_000.bin": b"",
        "model.ini": ini,
        "domains/d000.txt": b"red\nblue\n",
        "domains/d001.txt": b"no\nyes\n",
    }
    return _zipped({**members, **(files or {})})


def pipeline() -> bytes:
    """Return what Driverless AI exports."""
    return _zipped({"mojo-pipeline/pipeline.mojo": b"x", "mojo-pipeline/README.txt": b"x"})


def pojo() -> bytes:
    """Return the beginning of a POJO."""
    return b"import java.util.Map;\nimport hex.genmodel.GenModel;\npublic class GBM_1 extends GenModel {\n}\n"


def _zipped(members: Mapping[str, bytes | None]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            if content is not None:
                archive.writestr(name, content)
    return file.getvalue()
