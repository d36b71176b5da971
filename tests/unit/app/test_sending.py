"""A webhook is a real server here: it answers, fails, redirects, stalls, or is nobody that a certificate speaks for."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from vitrify.app.sending import Sender
from vitrify.core.notice import Notice

SEND = Sender("/", {"PATH": "/usr/bin:/bin"})


class Webhook(ThreadingHTTPServer):
    """Notes what it gets; the path says what it answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.got: list[tuple[str, Mapping[str, str], bytes]] = []
        self.ended = threading.Event()

    def at(self, path: str, *, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.server_address[1]}{path}"


class _Answer(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        if self.path == "/stall":
            self.server.ended.wait(10)
            return
        self.send_response(int(self.path.strip("/")))
        self.send_header("Location", "/200")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as the base class calls it
        pass


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.ended.set()
        server.shutdown()
        thread.join()


def test_a_notice_arrives_as_it_is_with_the_headers_that_were_declared(webhook: Webhook) -> None:
    notice = Notice(url=webhook.at("/204"), headers={"Authorization": "Bearer t0p"})
    assert SEND(notice, b'{"event": "finding"}') is None

    ((path, headers, body),) = webhook.got
    assert (path, json.loads(body)) == ("/204", {"event": "finding"})
    assert (headers["Authorization"], headers["Content-Type"]) == ("Bearer t0p", "application/json")


@pytest.mark.parametrize(("code", "again"), [(500, True), (503, True), (429, True), (400, False), (404, False)])
def test_a_refusal_is_told_and_whether_another_attempt_may_help(webhook: Webhook, code: int, again: bool) -> None:  # noqa: FBT001  a parameter
    failure = SEND(Notice(url=webhook.at(f"/{code}")), b"{}")

    assert failure is not None
    assert (failure.why, failure.again) == (f"it answered {code}", again)


def test_a_redirect_is_not_followed(webhook: Webhook) -> None:
    failure = SEND(Notice(url=webhook.at("/307"), headers={"Authorization": "Bearer t0p"}), b"{}")

    assert failure is not None
    assert ("redirects are not followed" in failure.why, failure.again) == (True, False)
    assert [path for path, _, _ in webhook.got] == ["/307"]


def test_one_that_stalls_is_given_up_in_time(webhook: Webhook) -> None:
    began = time.monotonic()
    failure = SEND(Notice(url=webhook.at("/stall"), timeout=0.2), b"{}")

    assert failure is not None
    assert (failure.why, failure.again) == ("no answer within 0.2 s", True)
    assert time.monotonic() - began < 2


def test_nobody_there_is_told_without_the_address_which_may_be_secret(webhook: Webhook) -> None:
    webhook.server_close()
    failure = SEND(Notice(url=webhook.at("/t0psecret")), b"{}")

    assert failure is not None
    assert "ConnectError" in failure.why
    assert "t0p" not in failure.why


def test_one_that_no_known_authority_speaks_for_is_told_nothing(webhook: Webhook, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(tmp_path))
    webhook.socket = context.wrap_socket(webhook.socket, server_side=True)

    failure = SEND(Notice(url=webhook.at("/200", scheme="https")), b"{}")

    assert failure is not None
    assert "certificate verify failed" in failure.why.lower()
    assert webhook.got == []


def _self_signed(folder: Path) -> Path:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    path = folder / "both.pem"
    path.write_bytes(private + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return path


# -- commands ------------------------------------------------------------------------------------------------------


def test_a_command_reads_the_notice_in_the_folder_of_the_project(tmp_path: Path) -> None:
    send = Sender(str(tmp_path), {"PATH": "/usr/bin:/bin"})
    assert send(Notice(command=("tee", "notice.json")), b'{"event": "finding"}') is None

    assert (tmp_path / "notice.json").read_bytes() == b'{"event": "finding"}'


def test_a_command_that_fails_takes_too_long_or_is_not_there_is_told() -> None:
    failed, late, absent = (
        SEND(Notice(command=command, timeout=0.2), b"{}") for command in (("false",), ("sleep", "30"), ("/unheard-of",))
    )
    assert failed is not None
    assert failed.why == "it ended with 1"
    assert late is not None
    assert late.why == "it did not end within 0.2 s"
    assert absent is not None
    assert (absent.why, absent.again) == ("it cannot be started: No such file or directory", False)
