"""The kind `certificate` with the real OpenSSL."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON
from vitrify.core.resource import Resource
from vitrify.testing.this_host import ThisHost

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")]


@pytest.fixture
def host() -> ThisHost:
    return ThisHost()


def wish(host: ThisHost, folder: Path, *, absent: bool = False, **more: JSON) -> Resource:
    fields: dict[str, JSON] = {
        "path": str(folder / "cert.pem"),
        "key": str(folder / "key.pem"),
        "names": ["shop.example", "127.0.0.1"],
        **more,
    }
    return host.wish("certificate", absent=absent, secret=False, **fields)


def told(folder: Path, *words: str) -> str:
    command = ["openssl", "x509", "-in", str(folder / "cert.pem"), "-noout", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_a_certificate_is_made_that_a_client_believes(host: ThisHost, tmp_path: Path) -> None:
    change = host.converge(wish(host, tmp_path))

    assert change is not None
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("cert.pem", "key.pem")] == [0o644, 0o600]
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    server.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(incoming, outgoing, server_hostname="shop.example"), server.wrap_bio(outgoing, incoming, server_side=True)
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert dict(part[0] for part in ends[0].getpeercert()["subject"]) == {"commonName": "shop.example"}  # type: ignore[index,misc]


@pytest.mark.parametrize("key_type", ["ec-p256", "ec-p384", "ed25519", "rsa-2048"])
def test_every_sort_of_key_is_made_and_known_again(host: ThisHost, tmp_path: Path, key_type: str) -> None:
    host.converge(wish(host, tmp_path, key_type=key_type))


def test_the_key_is_kept_when_the_certificate_changes(host: ThisHost, tmp_path: Path) -> None:
    host.converge(wish(host, tmp_path))
    key = (tmp_path / "key.pem").read_bytes()

    change = host.converge(
        wish(host, tmp_path, subject={"CN": "other", "O": "Müller & Söhne", "OU": "$x \"q\" #;\\ 'a'", "C": "DE"}, names=["::1", "*.b.c"])
    )

    assert change is not None
    assert (tmp_path / "key.pem").read_bytes() == key
    assert "Müller & Söhne" in told(tmp_path, "-subject", "-nameopt", "utf8,sep_multiline")
    assert "$x \"q\" #;\\ 'a'" in told(tmp_path, "-subject", "-nameopt", "utf8,sep_multiline")


def test_another_sort_of_key_is_made_only_where_it_was_declared(host: ThisHost, tmp_path: Path) -> None:
    host.converge(wish(host, tmp_path, key_type="rsa-2048"))
    assert host.plan(wish(host, tmp_path)) is None
    key = (tmp_path / "key.pem").read_bytes()

    change = host.converge(wish(host, tmp_path, key_type="ed25519"))

    assert change is not None
    assert change.because == ("it does not belong to its key, or the key is another sort",)
    assert (tmp_path / "key.pem").read_bytes() != key


def test_it_is_made_anew_before_it_ends(host: ThisHost, tmp_path: Path) -> None:
    host.converge(wish(host, tmp_path, days=20, renew=5))
    first = (tmp_path / "cert.pem").read_bytes()
    assert host.plan(wish(host, tmp_path, days=100, renew=19)) is None

    change = host.converge(wish(host, tmp_path, days=100, renew=21))

    assert change is not None
    assert change.because == ("it ends soon, or has ended",)
    assert (tmp_path / "cert.pem").read_bytes() != first


def test_modes_are_put_back_without_a_new_certificate(host: ThisHost, tmp_path: Path) -> None:
    host.converge(wish(host, tmp_path))
    first = (tmp_path / "cert.pem").read_bytes()
    (tmp_path / "key.pem").chmod(0o644)

    change = host.converge(wish(host, tmp_path))

    assert change is not None
    assert change.because == ("key_mode 0644 -> 0600",)
    assert (tmp_path / "cert.pem").read_bytes() == first


def test_a_request_is_made_that_an_authority_can_read(host: ThisHost, tmp_path: Path) -> None:
    host.converge(wish(host, tmp_path, request=True, subject={"CN": "shop"}))

    command = ["openssl", "req", "-in", str(tmp_path / "cert.pem"), "-noout", "-text", "-verify"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert "DNS:shop.example, IP Address:127.0.0.1" in shown.stdout


def test_what_is_no_key_is_not_overwritten(host: ThisHost, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("precious")

    with pytest.raises(TargetFailed, match="is no private key that openssl can read"):
        host.converge(wish(host, tmp_path))

    assert (tmp_path / "key.pem").read_text() == "precious"


def test_what_is_no_certificate_is_replaced(host: ThisHost, tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("nonsense")

    change = host.converge(wish(host, tmp_path))

    assert change is not None
    assert change.because == ("it cannot be read as what it shall be",)


def test_certificate_and_key_leave_together(host: ThisHost, tmp_path: Path) -> None:
    host.converge(wish(host, tmp_path))

    host.converge(wish(host, tmp_path, absent=True))

    assert list(tmp_path.iterdir()) == []


def test_the_key_is_in_no_plan(host: ThisHost, tmp_path: Path) -> None:
    host.converge(wish(host, tmp_path))
    (tmp_path / "cert.pem").unlink()

    change = host.plan(wish(host, tmp_path))

    assert change is not None
    assert "PRIVATE" not in str(change.to_json())


@pytest.mark.parametrize(
    ("fields", "summary"),
    [
        ({"names": ["a b"]}, "'a b' is no host name and no IP address"),
        ({"subject": {"XX": "a"}}, "'XX' is not a part of a subject"),
        ({"subject": {"CN": "a\nb"}}, "a part of a subject is 1 to 64 characters that can be shown"),
        ({"subject": {"C": "Germany"}}, "a country is two letters"),
        ({"names": ["a"], "days": 10, "renew": 10}, "renewed 10 days before its end, of 10 days, it would be renewed each time"),
        ({"names": ["a"], "request": True, "days": 10}, "`days` has no meaning for a request"),
        ({"names": ["a"], "key": "/c"}, "the key cannot be in the file of the certificate"),
        ({}, "one of `subject`, `names` is needed"),
        ({"names": ["a"], "key_type": "dsa"}, "'dsa' is not one of ec-p256, ec-p384, ed25519, rsa-2048, rsa-3072, rsa-4096"),
    ],
)
def test_a_certificate_that_makes_no_sense_is_refused(host: ThisHost, fields: dict[str, JSON], summary: str) -> None:
    problems = host.kinds["certificate"].schema.problems({"path": "/c", "key": "/k", **fields})
    assert [problem.summary for problem in problems] == [summary]
