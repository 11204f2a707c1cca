"""Prefixes of stores that strangers hold: listings that never end, and more than there is room for."""

import http.server
import threading
from urllib.parse import parse_qs, urlsplit

import pytest

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.storage.files import MAX_FILES, list_tree
from modelport.storage.locations import ALLOW_FILE_VARIABLE, bring

PAGE = 1_000
ENTRY = "<Contents><Key>net/{}</Key><Size>{}</Size><ETag>e</ETag><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"


class Handler(http.server.BaseHTTPRequestHandler):
    """S3 with a prefix that goes on for ever: each page names the next."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        asked = parse_qs(urlsplit(self.path).query)
        self.server.asked.append("list" if "list-type" in asked else "object")
        if self.server.objects is not None:
            return self._send(self._found(urlsplit(self.path).path) if "list-type" not in asked else self._listed())
        page = int(asked.get("continuation-token", ["0"])[0])
        entries = "".join(ENTRY.format(page * PAGE + index, self.server.size) for index in range(PAGE))
        content = (
            "<ListBucketResult><IsTruncated>true</IsTruncated>"
            f"<NextContinuationToken>{page + 1}</NextContinuationToken>{entries}</ListBucketResult>"
        ).encode()
        return self._send(content)

    def _listed(self):
        entries = [ENTRY.format(name, size) for name, (size, _) in self.server.objects.items()]
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{''.join(entries)}</ListBucketResult>".encode()

    def _found(self, path):
        return self.server.objects.get(path.removeprefix("/bucket/net/"), (0, None))[1]

    def _send(self, content):
        self.send_response(404 if content is None else 200)
        content = content or b""
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("ETag", "e")
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def s3():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.size, server.objects = [], 1, None
    server.handle_error = lambda *_: None  # who has enough hangs up
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "case",
    [
        (1, Reason.UNSAFE_SOURCE, f"expected at most {MAX_FILES} files", MAX_FILES // PAGE + 3),
        (1 << 50, Reason.STORAGE_EXCEEDED, "name the folder of one model, or give more room", 3),
    ],
    ids=["files", "bytes"],
)
def test_a_listing_without_an_end_is_left_before_anything_is_fetched(tmp_path, s3, case):
    s3.size, reason, told, most_pages = case
    credentials = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3.server_port}"}
    with pytest.raises(ModelportError, match=told) as failed:
        bring("s3://bucket/net/", credentials, tmp_path / "out")
    assert failed.value.reason is reason
    assert failed.value.message.startswith("s3://bucket/net/: ")
    assert set(s3.asked) == {"list"}
    assert len(s3.asked) <= most_pages  # some of them were asked for ahead


def bring_objects(tmp_path, s3, objects):
    """Bring what lies below a prefix: by name, the size that is listed, and the content."""
    s3.objects = objects
    bring("s3://bucket/net/", {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3.server_port}"}, tmp_path / "out")
    return list_tree(tmp_path / "out")


def test_objects_that_stand_for_folders_are_no_files(tmp_path, s3):
    marked = {"": (0, None), "data/": (0, None), "data/w.bin": (2, b"ab"), "empty": (0, b"")}
    assert bring_objects(tmp_path, s3, marked) == ["data/w.bin", "empty"]


@pytest.mark.parametrize("content", [b"ab", b"abcd" * (8 << 20)], ids=len)
def test_what_has_another_size_by_now_is_not_taken_for_the_source(tmp_path, s3, content):
    with pytest.raises(ModelportError, match=r"net/w.bin: expected 4 bytes, as it was listed, found") as failed:
        bring_objects(tmp_path, s3, {"w.bin": (4, content)})
    assert failed.value.reason is Reason.SOURCE_UNREACHABLE


def test_a_folder_of_too_many_files_is_left_before_it_is_copied(tmp_path, monkeypatch):
    monkeypatch.setenv(ALLOW_FILE_VARIABLE, "1")
    monkeypatch.setattr("modelport.storage.files.MAX_FILES", 3)
    (tmp_path / "net" / "folder").mkdir(parents=True)
    for index in range(3):
        (tmp_path / "net" / str(index)).write_bytes(b"x")
    with pytest.raises(ModelportError, match="at most 3 files and folders") as failed:
        bring(f"file://{tmp_path}/net/", {}, tmp_path / "out")
    assert failed.value.reason is Reason.UNSAFE_SOURCE
    assert list((tmp_path / "out").iterdir()) == []
