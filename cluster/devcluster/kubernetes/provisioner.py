"""The daemon behind the StorageClass `standard`: makes volumes for claims, wipes released ones.

It asks once a second instead of watching: two small lists of a one-node cluster, and nothing to go
wrong with a stream that broke.
"""

import shutil
import sys
import time
from pathlib import Path

from devcluster.errors import ApiError
from devcluster.kubernetes.api import Api
from devcluster.kubernetes.volumes import volumes_to_make, volumes_to_wipe

_PERIOD_SECONDS = 1.0
_CORE = "/api/v1"


def main(root: Path, pki: Path) -> None:
    """Run until killed; an API that is away is waited for."""
    api = Api(pki, "provisioner")
    while True:
        try:
            provision(api, root)
        except ApiError as error:
            print(error, flush=True)
        time.sleep(_PERIOD_SECONDS)


def provision(api: Api, root: Path) -> None:
    """Do once what is due."""
    claims = api.get(f"{_CORE}/persistentvolumeclaims")["items"]
    volumes = api.get(f"{_CORE}/persistentvolumes")["items"]
    waiting = [claim for claim in claims if not claim["spec"].get("volumeName")]
    classes = api.get("/apis/storage.k8s.io/v1/storageclasses")["items"] if waiting else []
    existing = {volume["metadata"]["name"] for volume in volumes}
    for volume in volumes_to_make(waiting, classes, root):
        if volume["metadata"]["name"] not in existing:
            _make_folder(Path(volume["spec"]["local"]["path"]))
            api.create(f"{_CORE}/persistentvolumes", volume)
    for volume in volumes_to_wipe(volumes):
        folder = Path(volume["spec"]["local"]["path"])
        if folder.parent == root:
            shutil.rmtree(folder, ignore_errors=True)
        api.delete(f"{_CORE}/persistentvolumes/{volume['metadata']['name']}")


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)  # pods without fsGroup write as any user, as on other provisioners


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
