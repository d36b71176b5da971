"""Packages on a host that dnf keeps, with the real dnf and rpm, from a signed repository that the test made."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from live_host import PROJECT
from rpms import OFFERED, DnfSite, Offer, kept_by_dnf, lacking

pytestmark = [pytest.mark.e2e, pytest.mark.root]


@pytest.fixture(scope="module")
def offer(tmp_path_factory: pytest.TempPathFactory) -> Offer:
    """The packages, built and signed once."""
    if reason := lacking():
        pytest.skip(reason)
    return Offer.make(tmp_path_factory.mktemp("rpms"))


@pytest.fixture
def site(tmp_path: Path, offer: Offer) -> Iterator[DnfSite]:
    """A host whose dnf knows them."""
    with kept_by_dnf(tmp_path, offer) as site:
        yield site


def test_packages_come_in_one_transaction_with_what_the_plan_named_and_an_undo_takes_all_back(site: DnfSite) -> None:
    said = site.apply({"package": ["foo", "lone"]})

    assert "is missing: 2.0-1 would be installed" in said
    assert "also installs libfoo 1.0-1 (dependency)" in said
    assert "also installs foo-doc 1.0-1 (dependency)" in said
    assert site.versions("foo", "libfoo", "foo-doc", "lone") == ["2.0", "1.0", "1.0", "1.0"]
    assert site.transactions() == 1
    assert site.settled
    site.host.vitrify("undo", "web")
    assert site.versions("foo", "libfoo", "foo-doc", "lone") == ["", "", "", ""]


def test_a_version_goes_up_and_down_is_held_in_the_new_one_and_comes_back_by_an_undo(site: DnfSite) -> None:
    site.apply({"package": {"name": "foo", "version": "1.0-*", "hold": True, "install_recommends": False}})
    assert site.versions("foo", "foo-doc") == ["1.0", ""]
    site.host.run("dnf", "-y", "--best", "upgrade")
    assert site.version("foo") == "1.0"

    said = site.apply({"package": {"name": "foo", "version": "latest", "hold": True, "install_recommends": False}})

    assert "version 1.0-1 -> 2.0-1" in said
    assert site.version("foo") == "2.0"
    assert "foo-0:2.0-1" in site.host.path("/etc/dnf/plugins/versionlock.list").read_text()
    site.host.vitrify("undo", "web")
    assert site.version("foo") == "1.0"
    assert "foo-0:1.0-1" in site.host.path("/etc/dnf/plugins/versionlock.list").read_text()


def test_what_conflicts_goes_loudly_and_what_cannot_be_had_is_said_beforehand(site: DnfSite) -> None:
    site.host.run("dnf", "-y", "install", "foo")
    site.declare({"package": ["bar", "broken", "what-nobody-has", "libfoo"]})
    changes = site.plan()

    assert "also REMOVES foo 2.0-1" in changes["package:bar"]["because"]
    assert "nothing provides what-nobody-has" in " ".join(changes["package:broken"]["because"])
    assert "Unable to find a match: what-nobody-has" in " ".join(changes["package:what-nobody-has"]["because"])
    assert changes["package:libfoo"]["because"] == ["is there only because others need it: is wanted for itself"]
    site.apply({"package": ["bar", "mail-agent"]}, {"package": {"name": "libfoo", "absent": True, "autoremove": True}})
    assert site.versions("foo", "bar", "libfoo") == ["", "1.0", ""]


def test_a_lock_of_dnf_that_somebody_else_holds_is_waited_for_and_then_named(site: DnfSite) -> None:
    locked = site.host.path("/var/lib/dnf/rpmdb_lock.pid")
    site.declare({"package": {"name": "lone", "lock_timeout": 1}})
    locked.write_text("1")

    said = site.host.vitrify("apply", expect=None)

    assert said.returncode != 0
    assert "its lock is held by sleep (process 1)" in said.stdout + said.stderr
    assert site.version("lone") == ""


def test_a_killed_transaction_of_dnf_is_finished(site: DnfSite) -> None:
    site.host.run("dnf", "-y", "install", "slow-1.0-1")
    site.host.path("/srv/slow").touch()
    with site.host.started("dnf", "-y", "upgrade", "slow") as entered:
        deadline = time.monotonic() + 20
        while not site.host.path("/srv/waiting").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        # dnf itself, before its script: one that merely sees its script end goes on.
        os.kill(int(Path(f"/proc/{entered.pid}/task/{entered.pid}/children").read_text().split()[0]), signal.SIGKILL)
    site.host.path("/srv/slow").unlink()
    assert site.host.run("rpm", "-q", "slow").stdout.count("slow-") == 2

    said = site.apply({"package": {"name": "slow", "version": "2.0-1"}})

    assert "is there twice" in said
    assert site.host.run("rpm", "-q", "slow").stdout.splitlines() == ["slow-2.0-1.noarch"]


def test_a_repository_and_its_key_come_before_the_packages_that_it_signs(tmp_path: Path, offer: Offer) -> None:
    with kept_by_dnf(tmp_path, offer, known=False) as site:
        source = {"name": "shop", "types": ["rpm"], "uris": [f"file://{OFFERED}"], "key": offer.key}
        (site.host.path(PROJECT) / "lone.rpm").write_bytes((offer.folder / "lone-1.0.rpm").read_bytes())
        brought = {"package": {"name": "lone", "version": "2:1.0-1", "source": "./lone.rpm"}}

        site.apply({"repository": source}, {"package": {"name": "foo", "update_cache": "1h"}}, brought)

        assert site.versions("foo", "libfoo", "lone") == ["2.0", "1.0", "1.0"]
        assert "gpgcheck=1" in site.host.path("/etc/yum.repos.d/shop.repo").read_text()
        assert "gpg-pubkey" in site.host.run("rpm", "-qa").stdout
        assert site.settled


def test_an_upgrade_by_other_hands_is_explained_by_rpm_and_what_somebody_altered_is_not(site: DnfSite) -> None:
    site.declare({"package": ["tool", "foo"]}, audited=["/etc", "/usr/share/tool"])
    site.host.run("dnf", "-y", "install", "tool-1.0", "foo-1.0")
    site.host.vitrify("apply")
    site.host.run("dnf", "-y", "upgrade", "tool", "foo")
    site.host.path("/etc/foo.conf").chmod(0o666)

    found = {one["path"]: one for one in site.host.document("audit")["findings"]}

    tool = found["package:tool"]
    assert (tool["class"], tool["details"][0]) == ("package manager", "1.0-1 -> 2.0-1")
    assert tool["details"][1] == "1 path, each as rpm's own checksums say"
    assert tool["paths"] == ["/usr/share/tool/data"]
    altered = found["/etc/foo.conf"]
    assert altered["class"] == "unauthorised"
    assert altered["details"][-1] == "foo: belongs to it, and rpm verifies it otherwise: .M......."
    told = site.host.vitrify("audit", "explain", "/usr/share/tool/kept").stdout
    assert "tool 2.0-1: as its checksum says" in told


def test_packages_that_an_apply_brought_and_an_undo_took_are_no_findings(site: DnfSite) -> None:
    folders = ["/etc", "/usr/share/tool"]
    site.declare({"package": ["libfoo"]}, audited=folders)
    site.host.vitrify("apply")
    site.declare({"package": ["libfoo", "foo", "tool"]}, audited=folders)
    site.host.vitrify("apply")
    assert site.host.document("audit")["findings"] == []

    site.host.vitrify("undo", "web")

    assert site.versions("foo", "tool") == ["", ""]
    assert site.host.document("audit")["findings"] == []


def test_what_is_behind_is_told_with_its_advisory_and_its_age(site: DnfSite) -> None:
    site.declare({"package": ["libfoo"]})
    site.host.run("dnf", "-y", "install", "tool-1.0", "slow-1.0")
    site.host.run("dnf", "-y", "versionlock", "add", "slow")

    (row,) = site.host.document("outdated")["hosts"]

    packages = {one["name"]: one for one in row["packages"]}
    assert set(packages) == {"tool", "slow"}
    patch, held = packages["tool"], packages["slow"]
    assert (patch["installed"], patch["candidate"], patch["origins"]) == ("1.0-1", "2.0-1", ["shop"])
    assert (patch["security"], patch["held"], held["security"], held["held"]) == (True, False, False, True)
    assert patch["published_at"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
    now = float(site.host.run("date", "+%s").stdout)
    assert 0 <= now - held["published_at"] < 3600
    assert 0 <= now - row["lists_at"] < 600
    assert 0 <= now - row["patched_at"] < 600
