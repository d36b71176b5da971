"""Repositories of packages on a machine with a real apt: their keys, their lists, and packages that come from them."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from debs import Archive, Deb
from live_host import PROJECT
from packaged import REPOSITORY, Site

pytestmark = [pytest.mark.e2e, pytest.mark.root]


def shop(**more: object) -> dict[str, Any]:
    """The wish for the repository that the test made."""
    return {"repository": {"name": "shop", "uris": [f"file:{REPOSITORY}"], "suites": ["stable"], "components": ["main"], **more}}


def test_a_repository_and_a_package_from_it_come_in_one_plan_whatever_the_order(bare_site: Site) -> None:
    site = bare_site
    site.declare({"package": "foo"}, shop(key=site.archive.key()))
    planned = site.plan()
    assert list(planned) == ["repository:shop", "package:foo"]
    assert planned["package:foo"]["sureness"] == "assumed"
    assert planned["package:foo"]["because"][-1].startswith(
        "repository:shop changes first: which version can be had and what comes with it"
    )

    applied = site.host.document("apply")

    ended = {one["address"]: one for one in applied["hosts"][0]["outcomes"]}
    assert ended["package:foo"]["besides"] == [f"also installs {name} 1.0 (dependency)" for name in ("foo-doc", "libfoo")]
    assert ended["repository:shop"]["besides"] == []
    assert site.versions("foo", "libfoo") == ["2.0", "1.0"]
    assert site.settled


def test_a_key_is_trusted_for_its_own_repository_alone(bare_site: Site) -> None:
    site = bare_site
    other = Archive.make(site.host.path("/srv/other"), site.archive.home.with_name("others"), Deb("evil"))

    said = site.apply(shop(key=other.key()), expect=3)

    assert "NO_PUBKEY" in said or "not signed" in said
    assert site.plan()["repository:shop"]["because"] == ["its lists were not renewed"]
    site.apply(shop(key=site.archive.key()))
    assert site.settled


def test_a_binary_key_of_the_project_is_put_in_armour(bare_site: Site) -> None:
    site = bare_site
    (site.host.path(PROJECT) / "key.gpg").write_bytes(site.archive.binary_key())

    site.apply(shop(key_source="key.gpg"), {"package": "lone"})

    assert site.version("lone") == "1.0"
    assert site.host.path("/etc/apt/keyrings/shop.asc").read_text().startswith("-----BEGIN PGP")
    assert site.settled


def test_a_key_from_an_address_is_taken_if_its_digest_is_the_declared_one(bare_site: Site) -> None:
    site = bare_site
    digest = hashlib.sha256(site.archive.key().encode()).hexdigest()
    refused = site.apply(shop(key_url="file:///srv/key.asc", key_digest="0" * 64), expect=3)
    assert "the key of the repository cannot be had from file:///srv/key.asc" in refused
    assert not site.host.path("/etc/apt/sources.list.d/shop.sources").exists()

    site.apply(shop(key_url="file:///srv/key.asc", key_digest=digest), {"package": "lone"})

    assert site.version("lone") == "1.0"
    assert site.settled


def test_lists_are_renewed_once_where_the_sources_change(bare_site: Site) -> None:
    site = bare_site
    key = site.archive.key()
    site.apply(shop(key=key))
    site.archive.publish(Deb("fresh"))
    site.apply(shop(key=key, types=["deb"], architectures=["amd64"]), {"package": "fresh"})
    assert site.version("fresh") == "1.0"
    lists = site.host.path("/var/lib/apt/lists")
    before = {path.name: path.lstat().st_mtime_ns for path in lists.iterdir()}

    site.apply(shop(key=key, types=["deb"], architectures=["amd64"]), {"package": "fresh"})

    assert {path.name: path.lstat().st_mtime_ns for path in lists.iterdir()} == before


def test_an_undo_takes_a_repository_and_its_packages_back(bare_site: Site) -> None:
    site = bare_site
    site.apply(shop(key=site.archive.key()), {"package": "foo"})

    site.host.vitrify("undo", "web")

    assert site.versions("foo", "libfoo") == ["", ""]
    assert not site.host.path("/etc/apt/sources.list.d/shop.sources").exists()
    assert not site.host.path("/etc/apt/keyrings/shop.asc").exists()


def test_a_repository_that_left_the_declaration_leaves(bare_site: Site) -> None:
    site = bare_site
    site.apply(shop(key=site.archive.key()))

    site.apply()

    assert not site.host.path("/etc/apt/sources.list.d/shop.sources").exists()
    assert "Shop" not in site.host.run("apt-cache", "policy").stdout


def test_what_a_repository_holds_back_is_preferred_by_release(bare_site: Site) -> None:
    site = bare_site
    backports = Archive.make(site.host.path("/srv/backports"), site.archive.home, Deb("lone", "9"), suite="stable-backports")
    more = {"name": "backports", "uris": ["file:/srv/backports"], "suites": ["stable-backports"], "components": ["main"]}
    site.host.path("/etc/apt/preferences.d/backports").write_text("Package: *\nPin: release n=stable-backports\nPin-Priority: 100\n")
    both = (shop(key=site.archive.key()), {"repository": {**more, "key": backports.key()}})
    site.apply(*both, {"package": "lone"})
    assert site.version("lone") == "1.0"

    site.apply(*both, {"package": {"name": "lone", "version": "latest", "default_release": "stable-backports"}})

    assert site.version("lone") == "9"
    assert site.settled
