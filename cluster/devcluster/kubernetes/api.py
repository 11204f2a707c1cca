"""The few calls to the Kubernetes API that the cluster itself makes, without a client library."""

import http.client
import json
import ssl
from pathlib import Path
from typing import Any

from devcluster.errors import ApiError
from devcluster.machine.network import API_PORT, NODE_ADDRESS

Object = dict[str, Any]
_TIMEOUT_SECONDS = 10.0


class Api:
    """A client that proves itself with one of our certificates."""

    def __init__(self, pki: Path, user: str = "admin") -> None:
        """`user` is the name of a certificate under `pki`."""
        self._context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._context.load_cert_chain(pki / f"{user}.crt", pki / f"{user}.key")

    def get(self, path: str) -> Object:
        """Read one object or a list."""
        return self._call("GET", path)

    def find(self, path: str) -> Object | None:
        """Read one object, None when there is none."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == http.HTTPStatus.NOT_FOUND:
                return None
            raise

    def create(self, path: str, body: Object) -> Object:
        """Create an object in the collection at `path`."""
        return self._call("POST", path, body)

    def apply(self, path: str, body: Object) -> Object:
        """Server-side apply of one object."""
        return self._call("PATCH", f"{path}?fieldManager=modelport-cluster&force=true", body)

    def delete(self, path: str) -> None:
        """Delete one object; already gone is fine."""
        try:
            self._call("DELETE", path)
        except ApiError as error:
            if error.status != http.HTTPStatus.NOT_FOUND:
                raise

    def _call(self, method: str, path: str, body: Object | None = None) -> Object:
        kind = "application/apply-patch+yaml" if method == "PATCH" else "application/json"
        connection = http.client.HTTPSConnection(
            NODE_ADDRESS, API_PORT, timeout=_TIMEOUT_SECONDS, context=self._context
        )
        try:
            connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": kind})
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            message = f"expected the Kubernetes API to answer {method} {path}, found: {error}; run `up`"
            raise ApiError(message) from error
        finally:
            connection.close()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            told = text[:500]
            raise ApiError(f"expected {method} {path} to succeed, found {answer.status}: {told}", answer.status)
        loaded: Object = json.loads(text)
        return loaded
