"""The store under several writers, with large content, and against endpoints that do not answer as they should."""

import http.server
import os
import threading
import time

import pytest

from modelport.api.reasons import Reason
from modelport.encoding import digest_of
from modelport.errors import ModelportError
from modelport.storage import store as module
from modelport.storage.store import open_store, read_credentials

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI-a-secret"


@pytest.fixture
def store(tmp_path):
    return open_store({"uri": f"file://{tmp_path}/store"})


def failing(act):
    with pytest.raises(ModelportError) as failed:
        act()
    return failed.value.reason, failed.value.message


def test_content_of_several_parts_and_any_name_comes_back_as_it_went_in(store, tmp_path):
    content = os.urandom(20 << 20)
    (tmp_path / "file").write_bytes(content)
    with (tmp_path / "file").open("rb") as file:
        store.upload("sources/1/files/a b/ä.bin", file)
    found = store.download("sources/1/files/a b/ä.bin", tmp_path / "new" / "copy")
    assert (found.size_bytes, found.digest) == (len(content), digest_of(content))
    assert (tmp_path / "new" / "copy").read_bytes() == content


def test_what_is_there_is_listed_in_order(store):
    for path in ("b/2", "a", "b/1"):
        store.upload(path, b"12")
    assert store.list() == [("a", 2), ("b/1", 2), ("b/2", 2)]
    assert [path for path, _ in store.list("b/")] == ["b/1", "b/2"]


def test_many_writers_of_a_manifest_agree(tmp_path):
    uri, claimed = f"file://{tmp_path}/store", []
    start = threading.Barrier(8)

    def claim(number):
        opened = open_store({"uri": uri})
        start.wait()
        claimed.append(opened.claim("manifest.json", str(number).encode()))

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == 8
    assert len(set(claimed)) == 1


def test_a_small_object_that_is_not_small_is_refused(store, monkeypatch):
    store.upload("manifest.json", bytes(101))
    monkeypatch.setattr(module, "MAX_SMALL_BYTES", 100)
    assert failing(lambda: store.read("manifest.json"))[0] == Reason.SOURCE_CORRUPT


@pytest.mark.parametrize("credentials", [{"uri": ""}, {"uri": "nonsense://x"}])
def test_a_uri_that_is_none_is_told(credentials):
    assert failing(lambda: open_store(credentials))[0] == Reason.STORE_NOT_CONFIGURED


def test_a_mounted_secret_is_read_through_kubernetes_own_links(tmp_path):
    data = tmp_path / "..2026_11_24"
    data.mkdir()
    (data / "uri").write_text("s3://bucket/prefix\n")
    (tmp_path / "..data").symlink_to(data.name)
    (tmp_path / "uri").symlink_to("..data/uri")
    assert read_credentials(tmp_path) == {"uri": "s3://bucket/prefix"}


# --- endpoints that fail --------------------------------------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers everything in one way, and repeats the access key, as S3 does."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        status, code = self.server.answer
        content = f"<Error><Code>{code}</Code><AWSAccessKeyId>{KEY}</AWSAccessKeyId></Error>".encode()
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_PUT = do_HEAD = do_GET  # noqa: N815 - the names are http.server's


@pytest.fixture
def endpoint():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def s3(port):
    return open_store(
        {
            "uri": "s3://bucket/prefix",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }
    )


ACTS = {
    "read": lambda store: store.read("a"),
    "exists": lambda store: store.exists("a"),
    "list": lambda store: store.list(),
    "upload": lambda store: store.upload("a", b"1"),
    "claim": lambda store: store.claim("a", b"1"),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((403, "AccessDenied"), Reason.STORE_ACCESS_DENIED),
        ((403, "SignatureDoesNotMatch"), Reason.STORE_ACCESS_DENIED),
        ((401, "InvalidAccessKeyId"), Reason.STORE_ACCESS_DENIED),
        ((500, "InternalError"), Reason.STORE_UNAVAILABLE),
    ],
    ids=str,
)
def test_failures_of_the_endpoint_have_their_reason_and_tell_no_key(endpoint, act, answer, reason):
    endpoint.answer = answer
    found, message = failing(lambda: act(s3(endpoint.server_port)))
    assert found == reason, message
    assert SECRET not in message
    assert KEY not in message


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_an_endpoint_that_nobody_listens_at_is_told_in_seconds(act):
    started = time.monotonic()
    assert failing(lambda: act(s3(1)))[0] == Reason.STORE_UNAVAILABLE
    assert time.monotonic() - started < 15
