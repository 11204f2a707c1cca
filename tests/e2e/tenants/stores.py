"""The S3 store of a namespace, reached from the tests through a forwarded port of 127.0.0.1."""

import base64
import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import GenericError
from obstore.store import S3Store

from e2e.kube.cluster import Cluster
from e2e.tenants.conversions import STORE_SECRET, is_running

Body = dict[str, Any]
Result = TypeVar("Result")


def secret_values(cluster: Cluster, namespace: str, name: str = STORE_SECRET) -> dict[str, str]:
    """Return the decoded values of a Secret."""
    secret = cluster.get("Secret", name, namespace)
    assert secret, f"expected Secret {namespace}/{name} (made by `make deploy`), found none"
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


class Uploaded(NamedTuple):
    """A file in the store, as a location of a spec."""

    uri: str
    digest: str
    namespace: str

    def location(self, **fields: Any) -> Body:
        """Return {uri, digest, secretRef} and more fields of it; a field of None leaves one out."""
        location = {"uri": self.uri, "digest": self.digest, "secretRef": {"name": STORE_SECRET}, **fields}
        return {key: value for key, value in location.items() if value is not None}


class StorePort:
    """A port of 127.0.0.1 that leads to the store's Service; made again after the store has been away."""

    def __init__(self, cluster: Cluster, endpoint: str) -> None:
        host, _, port = urlsplit(endpoint).netloc.partition(":")
        self._service, self._namespace = host.split(".")[:2]
        self._target = int(port or 80)
        self._cluster = cluster
        self._opened = ExitStack()
        self.number = 0

    def open(self) -> None:
        """Wait for the store, and forward the port."""
        self.close()
        service = self._cluster.get("Service", self._service, self._namespace)
        assert service, f"expected Service {self._namespace}/{self._service}, which Secret {STORE_SECRET} names"
        selector = ",".join(f"{name}={value}" for name, value in service["spec"]["selector"].items())
        for pod in self._cluster.find("Pod", self._namespace, selector=selector):
            self._cluster.wait_for("Pod", pod["metadata"]["name"], self._namespace, is_running, what="Ready")
        forwarded = self._cluster.forwarded(f"service/{self._service}", self._namespace, self._target)
        self.number = self._opened.enter_context(forwarded)

    def close(self) -> None:
        """End the forwarding."""
        self._opened.close()


class NamespaceStore:
    """Upload to, and look into, the store of one namespace."""

    def __init__(self, namespace: str, values: dict[str, str], port: StorePort) -> None:
        self.namespace = namespace
        self.values = values
        self.port = port
        parts = urlsplit(values["uri"])
        self._prefix = parts.path.strip("/")
        self._bucket = parts.netloc

    def upload(self, name: str, content: bytes) -> Uploaded:
        """Put a file under the hash of its content; the same file twice is one."""
        digest = hashlib.sha256(content).hexdigest()
        key = self._key("uploads", digest[:16], name)
        self._do(lambda client: obstore.put(client, key, content))
        return Uploaded(f"s3://{self._bucket}/{key}", f"sha256:{digest}", self.namespace)

    def upload_folder(self, name: str, files: dict[str, bytes]) -> Uploaded:
        """Put files under one prefix; its URI ends in a slash."""
        key = self._key("uploads", hashlib.sha256(b"".join(files.values())).hexdigest()[:16], name)
        for path, content in files.items():
            self._do(lambda client, path=path, content=content: obstore.put(client, f"{key}/{path}", content))
        return Uploaded(f"s3://{self._bucket}/{key}/", "", self.namespace)

    def objects(self, folder: str) -> dict[str, bytes]:
        """Return path and content of everything under a folder of the store."""
        return self._do(lambda client: self._read(client, self._key(folder)))

    def missing_uri(self) -> str:
        """Return a URI of the bucket where nothing is."""
        return f"s3://{self._bucket}/{self._key('uploads', 'nothing', 'here.onnx')}"

    def _read(self, client: S3Store, prefix: str) -> dict[str, bytes]:
        listed = [item for batch in obstore.list(client, prefix) for item in batch]
        return {item["path"]: obstore.get(client, item["path"]).bytes().to_bytes() for item in listed}

    def _key(self, *parts: str) -> str:
        return "/".join(part for part in (self._prefix, *parts) if part)

    def _do(self, act: Callable[[S3Store], Result]) -> Result:
        """Act on the store; once more with a new port if the old one leads nowhere."""
        try:
            if not self.port.number:
                self.port.open()
            return act(self._client())
        except GenericError:
            self.port.open()
            return act(self._client())

    def _client(self) -> S3Store:
        return S3Store(
            self._bucket,
            endpoint=f"http://127.0.0.1:{self.port.number}",
            access_key_id=self.values["AWS_ACCESS_KEY_ID"],
            secret_access_key=self.values["AWS_SECRET_ACCESS_KEY"],
            region=self.values.get("AWS_REGION", "us-east-1"),
            client_options={"allow_http": True},
            retry_config={"max_retries": 1},
        )
