"""Downloads as real servers send them, where they may lead, and what each failure is called."""

import base64
import http.server
import os
import threading

import pytest

from modelport.api.reasons import Reason
from modelport.encoding import digest_of
from modelport.errors import ModelportError
from modelport.storage import downloads
from modelport.storage.downloads import is_metadata
from modelport.storage.locations import ALLOW_FILE_VARIABLE, bring

CONTENT = os.urandom(3 << 20)
PASSWORD = "a very secret one"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers each path in its own way."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, content=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        name = self.path.rpartition("/")[2]
        if name.isdecimal():
            self.answer(int(name))
        else:
            getattr(self, name.partition(".")[0].replace("%20", "_"))()

    def file(self):
        self.answer(200, CONTENT)

    my_file = file

    def flaky(self):
        self.answer(503 if len(self.server.asked) == 1 else 200, CONTENT)

    def private(self):
        expected = "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()
        self.answer(200 if self.headers.get("Authorization") == expected else 401, CONTENT)

    def elsewhere(self):
        self.answer(302, Location=f"http://localhost:{self.server.server_port}/file.onnx")

    def metadata(self):
        self.answer(302, Location="http://169.254.169.254/latest/meta-data/")

    def local(self):
        self.answer(302, Location="file:///etc/passwd")

    def loop(self):
        self.answer(302, Location="/loop")

    def packed(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(CONTENT), CONTENT))

    def short(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[:1000])
        self.close_connection = True

    def broken(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"ffff\r\n1234")
        self.close_connection = True


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(downloads, "PAUSES", (0.0, 0.0))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        server.uri = f"http://127.0.0.1:{server.server_port}"
        yield server
        server.shutdown()
        thread.join()


def assert_fails(uri, target, reason, credentials=None):
    with pytest.raises(ModelportError) as failed:
        bring(uri, credentials or {}, target / "out")
    assert failed.value.reason == reason, failed.value.message
    return failed.value.message


@pytest.mark.parametrize("name", ["file.onnx", "packed.zip", "flaky.onnx", "elsewhere"])
def test_a_file_is_brought_whole(server, tmp_path, name):
    digest, (file,) = bring(f"{server.uri}/models/{name}", {}, tmp_path / "out")
    assert (digest, file.path, file.size_bytes) == (digest_of(CONTENT), name, len(CONTENT))
    assert (tmp_path / "out" / name).read_bytes() == CONTENT


@pytest.mark.parametrize("written", ["my%20file.onnx", "my file.onnx"])
def test_a_name_may_have_spaces(server, tmp_path, written):
    _, (file,) = bring(f"{server.uri}/{written}", {}, tmp_path / "out")
    assert file.path == "my file.onnx"
    assert server.asked[0][0] == "/my%20file.onnx"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("404", Reason.SOURCE_NOT_FOUND),
        ("410", Reason.SOURCE_NOT_FOUND),
        ("400", Reason.SOURCE_NOT_FOUND),
        ("401", Reason.SOURCE_ACCESS_DENIED),
        ("403", Reason.SOURCE_ACCESS_DENIED),
        ("429", Reason.SOURCE_UNREACHABLE),
        ("500", Reason.SOURCE_UNREACHABLE),
        ("503", Reason.SOURCE_UNREACHABLE),
        ("short", Reason.SOURCE_UNREACHABLE),
        ("broken", Reason.SOURCE_UNREACHABLE),
        ("private", Reason.SOURCE_ACCESS_DENIED),
        ("metadata", Reason.SOURCE_ACCESS_DENIED),
        ("prefix/", Reason.INVALID_SPEC),
        ("file?token=hidden", Reason.INVALID_SPEC),
        ("a?b=/file", Reason.INVALID_SPEC),
    ],
)
def test_each_failure_has_its_reason(server, tmp_path, name, reason):
    assert "hidden" not in assert_fails(f"{server.uri}/{name}", tmp_path, reason)


def test_what_passes_is_tried_again_and_the_rest_is_not(server, tmp_path):
    assert_fails(f"{server.uri}/500", tmp_path, Reason.SOURCE_UNREACHABLE)
    assert len(server.asked) == len(downloads.PAUSES) + 1
    assert_fails(f"{server.uri}/404", tmp_path / "other", Reason.SOURCE_NOT_FOUND)
    assert len(server.asked) == len(downloads.PAUSES) + 2


@pytest.mark.parametrize("name", ["local", "loop"])
def test_redirects_lead_to_no_other_scheme_and_in_no_circle(server, tmp_path, name):
    with pytest.raises(ModelportError):
        bring(f"{server.uri}/{name}", {}, tmp_path / "out")
    assert not [path for path in (tmp_path / "out").iterdir() if path.stat().st_size]


def test_credentials_open_what_is_private_and_stand_in_no_message(server, tmp_path):
    digest, _ = bring(f"{server.uri}/private", {"username": "me", "password": PASSWORD}, tmp_path / "out")
    assert digest == digest_of(CONTENT)
    wrong = {"username": "me", "password": "not this"}
    assert "not this" not in assert_fails(f"{server.uri}/private", tmp_path / "new", Reason.SOURCE_ACCESS_DENIED, wrong)


def test_credentials_go_to_no_other_host(server, tmp_path):
    bring(f"{server.uri}/elsewhere", {"username": "me", "password": PASSWORD}, tmp_path / "out")
    (first, sent), (then, passed_on) = server.asked
    assert (first, then) == ("/elsewhere", "/file.onnx")
    assert sent
    assert passed_on is None


def test_https_never_goes_on_as_http():
    old = downloads.urllib.request.Request("https://good.example/model")
    with pytest.raises(ModelportError, match="https all the way"):
        downloads._Redirects().redirect_request(old, None, 302, "", {}, "http://good.example/model")


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.0.1", "::ffff:169.254.169.254", "fe80::1", "fe80::1%eth0", "fd00:ec2::254"],
)
def test_metadata_services_are_known_by_all_their_addresses(address):
    assert is_metadata(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.96.0.1", "192.168.1.1", "2001:db8::1", "fd12:3456::1"])
def test_private_networks_may_serve_models(address):
    assert not is_metadata(address)


@pytest.mark.parametrize("host", ["169.254.169.254", "2852039166", "0xa9fea9fe", "[::ffff:a9fe:a9fe]"])
def test_metadata_services_are_refused_however_they_are_written(server, tmp_path, host):
    assert_fails(f"http://{host}/latest", tmp_path, Reason.SOURCE_ACCESS_DENIED)


@pytest.mark.parametrize(
    "uri",
    [
        *("ftp://host/file", "host/file", "https://", "https://host", "s3://bucket", "s3:///key"),
        *("http://host:99999/file", "https://user:secret@host/file", "https://host/file#part", "s3://b/k?secret"),
    ],
)
def test_uris_that_cannot_be_read_are_refused_before_anything_is_asked(tmp_path, uri):
    assert "secret@" not in assert_fails(uri, tmp_path, Reason.INVALID_SPEC)


# --- files of this machine ------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model" / "deep").mkdir(parents=True)
    (tmp_path / "model" / "a b.onnx").write_bytes(b"model")
    (tmp_path / "model" / "deep" / "data").write_bytes(b"data")
    return tmp_path / "model"


def test_links_of_a_folder_are_not_followed(folder, tmp_path, monkeypatch):
    monkeypatch.setenv(ALLOW_FILE_VARIABLE, "1")
    (folder / "link").symlink_to("/etc/passwd")
    assert_fails(f"file://{folder}/", tmp_path, Reason.UNSAFE_SOURCE)
