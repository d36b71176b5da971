"""Which packages of a real machine are behind, told from the lists of its own apt."""

from __future__ import annotations

import pytest

from debs import Archive, Deb
from packaged import Site

pytestmark = [pytest.mark.e2e, pytest.mark.root]

MORE = "Types: deb\nURIs: file:/srv/security\nSuites: stable-security\nComponents: main\nSigned-By: /srv/key.asc\n"


def test_what_is_behind_is_told_with_its_origin_and_its_age(site: Site) -> None:
    site.apply({"package": ["lone", "libfoo"]}, {"package": {"name": "foo", "version": "1.0", "hold": True}})
    security = Archive.make(site.host.path("/srv/security"), site.archive.home, suite="stable-security", label="Shop-Security")
    security.publish(Deb("libfoo", "1.0+deb1"), age=3 * 86400)
    site.host.path("/etc/apt/sources.list.d/security.sources").write_text(MORE)
    site.host.run("apt-get", "update")
    before = site.host.run("dpkg-query", "-W").stdout

    (row,) = site.host.document("outdated")["hosts"]

    found = {one["name"]: one for one in row["packages"]}
    assert set(found) == {"foo", "libfoo"}
    patch, held = found["libfoo"], found["foo"]
    assert (patch["installed"], patch["candidate"], patch["security"], patch["held"]) == ("1.0", "1.0+deb1", True, False)
    assert patch["origins"] == ["Shop-Security:stable-security"]
    assert (held["installed"], held["candidate"], held["security"], held["held"]) == ("1.0", "2.0", False, True)
    now = float(site.host.run("date", "+%s").stdout)
    assert 2.9 * 86400 < now - patch["published_at"] < 3.1 * 86400
    assert now - row["lists_at"] < 120
    assert now - row["patched_at"] < 120
    assert site.host.run("dpkg-query", "-W").stdout == before


def test_a_pipeline_learns_by_the_exit_code_that_a_patch_for_security_waits(site: Site) -> None:
    site.apply({"package": {"name": "foo", "version": "1.0"}})

    assert "foo" in site.host.vitrify("outdated", "--detailed-exitcode", expect=2).stdout
    assert "no package is behind" in site.host.vitrify("outdated", "--security", "--detailed-exitcode").stdout
