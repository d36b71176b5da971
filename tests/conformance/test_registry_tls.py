"""Registries with encryption: whom the system does not know is known by a file where podman and docker look, for that registry alone."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from test_registry_tokens import BASIC, Guard, logged_in, pushed_and_pulled

from authorities import Authority
from fake_registry import Shelves, lying_registry
from vitrify.core.diagnostic import TargetUnreachable, UsageInvalid
from vitrify.stores.registry.credentials import Credentials
from vitrify.stores.registry.door import Door


def context(authority: Authority) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(*authority.sign("registry"))
    return found


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.make(tmp_path / "authority")


@pytest.fixture
def shelves(authority: Authority) -> Iterator[Shelves]:
    with lying_registry(tls=context(authority)) as found:
        yield found


def certificates(home: Path, registry: str) -> Path:
    folder = home / ".config/containers/certs.d" / registry
    folder.mkdir(parents=True)
    return folder


def test_tokens_are_asked_for_and_images_moved_with_encryption(shelves: Shelves, authority: Authority, tmp_path: Path) -> None:
    shutil.copy(authority.folder / "ca.crt", certificates(tmp_path, shelves.address))
    logged_in(tmp_path, shelves.address, {"auth": BASIC.removeprefix("Basic ")})
    Guard(shelves)

    pushed_and_pulled(tmp_path, shelves)

    assert {header for _, path, header in shelves.asked if path.startswith("/token")} == {BASIC}


def test_a_certificate_that_nobody_known_signed_is_refused_before_anything_is_told(shelves: Shelves, tmp_path: Path) -> None:
    other = Authority.make(tmp_path / "other")
    shutil.copy(other.folder / "ca.crt", certificates(tmp_path, shelves.address))
    logged_in(tmp_path, shelves.address, {"auth": BASIC.removeprefix("Basic ")})

    with pytest.raises(TargetUnreachable, match="a certificate that nobody known vouches for") as told:
        pushed_and_pulled(tmp_path, shelves)

    assert f"certs.d/{shelves.address}/ca.crt" in told.value.diagnostics[0].hint
    assert not shelves.asked


def test_a_registry_may_want_to_know_us_by_a_certificate(authority: Authority, tmp_path: Path) -> None:
    settings = context(authority)
    settings.verify_mode = ssl.CERT_REQUIRED
    settings.load_verify_locations(authority.folder / "ca.crt")
    with lying_registry(tls=settings) as shelves:
        folder = certificates(tmp_path, shelves.address)
        shutil.copy(authority.folder / "ca.crt", folder)
        with pytest.raises(TargetUnreachable):
            pushed_and_pulled(tmp_path / "stranger", shelves)
        for path in authority.sign("ann"):
            shutil.copy(path, folder)

        pushed_and_pulled(tmp_path, shelves)


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    (certificates(tmp_path, "registry.example") / "ca.crt").write_text("nonsense")

    with pytest.raises(UsageInvalid, match=r"registry.example/ca.crt cannot be used"):
        Door("registry.example", Credentials({"HOME": str(tmp_path)}))


def test_a_registry_of_this_machine_is_spoken_to_with_encryption_where_it_has_certificates(tmp_path: Path, authority: Authority) -> None:
    shutil.copy(authority.folder / "ca.crt", certificates(tmp_path, "localhost:5000"))
    credentials = Credentials({"HOME": str(tmp_path)})

    with closing(Door("localhost:5000", credentials)) as named, closing(Door("localhost:5001", credentials)) as other:
        assert (named.origin, other.origin) == ("https://localhost:5000", "http://localhost:5001")
