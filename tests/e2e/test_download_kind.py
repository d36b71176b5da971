"""The kind `download` against a server that behaves well, badly, and tries to learn what is not its business."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from serving import answering
from vitrify.core.diagnostic import IntegrityFailed, TargetFailed
from vitrify.core.system import Fetch
from vitrify.testing.this_host import ThisHost

pytestmark = pytest.mark.e2e
CONTENT = bytes(range(256)) * 20_000
SHA256, SHA512 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}", f"sha512:{hashlib.sha512(CONTENT).hexdigest()}"


@dataclass
class Server:
    """What it does, and what it was asked."""

    address: str = ""
    etag: str = '"one"'
    breaks_after: list[int] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    leads_to: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                server.asked.append((self.path, dict(self.headers.items())))
                if self.path in server.leads_to:
                    self.send_response(302)
                    self.send_header("Location", server.leads_to[self.path])
                    self.end_headers()
                    return
                if server.codes:
                    self.send_error(server.codes.pop(0))
                    return
                self._send()

            def _send(self) -> None:
                start = 0
                wanted = self.headers.get("Range")
                if wanted and self.headers.get("If-Range") == server.etag:
                    start = int(wanted.removeprefix("bytes=").rstrip("-"))
                body = CONTENT[start:]
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("ETag", server.etag)
                self.end_headers()
                self.wfile.write(body[: server.breaks_after.pop(0)] if server.breaks_after else body)

        return Handler


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    with ExitStack() as stack:
        both = Server(), Server()
        for server in both:
            server.address = stack.enter_context(answering(server.handler()))
        yield both


@pytest.fixture
def server(servers: tuple[Server, Server]) -> Server:
    return servers[0]


@pytest.fixture
def host() -> ThisHost:
    return ThisHost()


def test_a_file_is_fetched_once_and_kept(host: ThisHost, server: Server, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    wish = host.wish("download", path=str(path), url=f"{server.address}/x", checksum=SHA512, mode="0750", parents=True)

    change = host.converge(wish)

    assert change is not None
    assert path.read_bytes() == CONTENT
    assert path.stat().st_mode & 0o777 == 0o750
    assert len(server.asked) == 1


def test_a_file_that_differs_is_fetched_anew_and_one_that_is_open_is_shut(host: ThisHost, server: Server, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"other")
    wish = host.wish("download", path=str(path), url=f"{server.address}/x", checksum=SHA256, mode="0600")
    change = host.converge(wish)
    assert change is not None
    assert "the checksum differs" in change.because

    path.chmod(0o666)
    host.converge(wish)

    assert path.stat().st_mode & 0o777 == 0o600
    assert len(server.asked) == 1


def test_what_is_not_what_its_checksum_says_is_never_put_in_place(host: ThisHost, server: Server, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    wish = host.wish("download", path=str(path), url=f"{server.address}/x", checksum="sha256:" + "0" * 64)

    with pytest.raises(IntegrityFailed, match="is not what its checksum says"):
        host.converge(wish)

    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_connection_that_breaks_is_taken_up_where_it_broke(host: ThisHost, server: Server, tmp_path: Path) -> None:
    server.breaks_after = [1_000_000, 500_000]

    host.converge(host.wish("download", path=str(tmp_path / "file"), url=f"{server.address}/x", checksum=SHA256))

    assert [headers.get("Range") for _, headers in server.asked] == [None, "bytes=1000000-", "bytes=1500000-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_fetched_from_its_beginning(host: ThisHost, server: Server) -> None:
    server.breaks_after, server.etag = [1_000_000], 'W/"weak"'

    with host.system.fetch(Fetch(f"{server.address}/x")) as stream:
        assert stream.read() == CONTENT

    assert [headers.get("Range") for _, headers in server.asked] == [None, None]


def test_a_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not(host: ThisHost, server: Server) -> None:
    server.codes = [503, 429]
    with host.system.fetch(Fetch(f"{server.address}/x")) as stream:
        assert len(stream.read()) == len(CONTENT)
    assert len(server.asked) == 3

    server.codes = [404]
    with pytest.raises(TargetFailed, match="404 Not Found"), host.system.fetch(Fetch(f"{server.address}/x")):
        pass
    assert len(server.asked) == 4


def test_a_server_that_never_answers_whole_is_given_up(host: ThisHost, server: Server) -> None:
    server.breaks_after, server.etag = [10, 10, 10], 'W/"weak"'

    with pytest.raises(TargetFailed, match="ended after 10 of") as caught, host.system.fetch(Fetch(f"{server.address}/x", tries=3)):
        pass

    assert "3 times" in caught.value.diagnostics[0].hint


def test_a_token_is_sent_to_the_origin_and_to_nobody_it_leads_on_to(host: ThisHost, servers: tuple[Server, Server], tmp_path: Path) -> None:
    first, second = servers
    first.leads_to = {"/x": "/y", "/y": f"{second.address}/z"}
    wish = host.wish(
        "download",
        secret=True,
        path=str(tmp_path / "file"),
        url=f"{first.address}/x",
        checksum=SHA256,
        token=host.content("Bearer t0k3n", secret=True),
        headers={"X-Room": "7"},
    )

    change = host.converge(wish)

    assert [(path, headers.get("Authorization"), headers.get("X-Room")) for path, headers in first.asked] == [
        ("/x", "Bearer t0k3n", "7"),
        ("/y", "Bearer t0k3n", "7"),
    ]
    assert [(path, headers.get("Authorization"), headers.get("X-Room")) for path, headers in second.asked] == [("/z", None, None)]
    assert change is not None
    assert "t0k3n" not in str(change.to_json())


def test_a_server_cannot_lead_on_to_a_file_of_the_target(host: ThisHost, server: Server) -> None:
    server.leads_to = {"/x": "file:///etc/passwd"}

    with pytest.raises(TargetFailed), host.system.fetch(Fetch(f"{server.address}/x", tries=1)):
        pass


def test_a_file_on_the_target_itself_is_taken(host: ThisHost, tmp_path: Path) -> None:
    (tmp_path / "a b").write_bytes(CONTENT)

    host.converge(host.wish("download", path=str(tmp_path / "copy"), url=f"file://{tmp_path}/a%20b", checksum=SHA256))

    assert (tmp_path / "copy").read_bytes() == CONTENT


def test_nobody_there_is_told(host: ThisHost) -> None:
    with pytest.raises(TargetFailed, match="cannot be had"), host.system.fetch(Fetch("http://127.0.0.1:1/x", tries=1)):
        pass
