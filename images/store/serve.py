"""Run SeaweedFS as an S3 server, its other ports hidden, with one bucket per identity.

Master, volume server and filer take writes without credentials, and the S3 server's gRPC port takes identities. So all
of it listens on the pod's loopback interface, and socat lets the S3 port out.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

DATA = Path(os.environ.get("DATA_DIRECTORY", "/data"))
IDENTITIES = Path(os.environ.get("IDENTITIES_FILE", "/etc/modelport-store/identities.json"))
PORT = 8333
INNER_PORT = 18333
FILER = "http://127.0.0.1:8888"
READY_SECONDS = 60
ALREADY_THERE = 409
"""The filer's answer for a bucket of an earlier start."""


def main() -> int:
    """Start both programs; end when one of them ends."""
    buckets = [identity["name"] for identity in json.loads(IDENTITIES.read_text())["identities"]]
    work = Path(tempfile.mkdtemp())
    identities = shutil.copy(IDENTITIES, work / "identities.json")
    server = subprocess.Popen(
        [
            *("weed", "-logtostderr", "server", f"-dir={DATA}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *("-master.volumeSizeLimitMB=1024", "-master.telemetry=false", "-volume.max=0", "-filer", "-s3"),
            *("-s3.ip.bind=127.0.0.1", f"-s3.port={INNER_PORT}", f"-s3.config={identities}", "-s3.iam=false"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.localSocket={work}/s3.sock"),
            f"-filer.localSocket={work}/filer.sock",
        ],
        cwd=work,
    )
    try:
        make_buckets(buckets, server)
        outside = f"TCP-LISTEN:{PORT},fork,reuseaddr,nodelay,backlog=1024"
        forwarder = subprocess.Popen(["socat", outside, f"TCP:127.0.0.1:{INNER_PORT},nodelay"])
    except BaseException:
        server.terminate()
        raise
    children = (forwarder, server)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: [child.terminate() for child in children])
    os.wait()
    for child in children:
        child.terminate()
    return max(abs(child.wait()) for child in children)


def make_buckets(names: list[str], server: subprocess.Popen[bytes]) -> None:
    """Create the buckets that are missing, as soon as the filer answers."""
    deadline = time.monotonic() + READY_SECONDS
    for name in names:
        while True:
            try:
                urllib.request.urlopen(urllib.request.Request(f"{FILER}/buckets/{name}/", method="POST"), timeout=5)
                break
            except (urllib.error.URLError, OSError) as error:
                if isinstance(error, urllib.error.HTTPError) and error.code == ALREADY_THERE:
                    break
                if time.monotonic() > deadline or server.poll() is not None:
                    raise
                time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
