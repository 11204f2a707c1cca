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
            *("-filer", "-s3", "-master.telemetry=false"),
            # the default waits 10 s for other masters at each start
            *("-master.electionTimeout=1s", "-master.heartbeatInterval=100ms"),
            # a bucket takes seven volumes, which grow: with as many as fit the disk when full, two buckets would take 14 GiB
            *("-master.volumeSizeLimitMB=1024", "-volume.max=10000", "-volume.minFreeSpacePercent=2"),
            "-volume.preStopSeconds=0",  # the default waits 10 s for other servers to notice
            *("-s3.ip.bind=127.0.0.1", f"-s3.port={INNER_PORT}", f"-s3.config={identities}", "-s3.iam=false"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.localSocket={work}/s3.sock"),
            f"-filer.localSocket={work}/filer.sock",
        ],
        cwd=work,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the first process of a container ignores it otherwise
    try:
        wait_prepared(buckets, server)
        outside = f"TCP-LISTEN:{PORT},fork,reuseaddr,nodelay,backlog=1024"
        forwarder = subprocess.Popen(["socat", outside, f"TCP:127.0.0.1:{INNER_PORT},nodelay"])
    except BaseException:
        server.terminate()
        server.wait()
        raise
    children = (forwarder, server)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: [child.terminate() for child in children])
    os.wait()
    for child in children:
        child.terminate()
    return max(abs(child.wait()) for child in children)


def wait_prepared(buckets: list[str], server: subprocess.Popen[bytes]) -> None:
    """Return once files can be written and read, and the buckets are there.

    The S3 port answers earlier than that: after a crash its reads would fail until the volumes are known.
    """
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            prepare(buckets)
        except OSError as error:  # urllib's errors are some, too
            if server.poll() is not None:
                raise SystemExit("store: weed ended before it was ready; its log is above") from None
            if time.monotonic() > deadline:
                raise SystemExit(f"store: weed was not ready after {READY_SECONDS} s: {error}") from None
            time.sleep(0.1)
        else:
            return


def prepare(buckets: list[str]) -> None:
    """Try the server, and create the buckets that are missing."""
    call("PUT", "/modelport/ready", b"ready")
    call("GET", "/modelport/ready")
    for name in buckets:
        try:
            call("POST", f"/buckets/{name}/")
        except urllib.error.HTTPError as error:
            if error.code != ALREADY_THERE:
                raise


def call(method: str, path: str, body: bytes | None = None) -> None:
    """Call the filer. Raises OSError, of which HTTPError is one."""
    with urllib.request.urlopen(urllib.request.Request(FILER + path, body, method=method), timeout=5) as answer:
        answer.read()


if __name__ == "__main__":
    sys.exit(main())
