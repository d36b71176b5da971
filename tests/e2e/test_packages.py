"""Packages on a machine with a real apt and dpkg, from a repository that the test made and signed."""

from __future__ import annotations

import sys
import time

import pytest

from debs import Deb
from live_host import PROJECT
from packaged import Site

pytestmark = [pytest.mark.e2e, pytest.mark.root]

HOLD = """
import fcntl, time
file = open('/var/lib/dpkg/lock-frontend', 'w')
fcntl.lockf(file, fcntl.LOCK_EX)
print('held', flush=True)
time.sleep(60)
"""


def test_a_package_is_installed_with_what_the_plan_named_and_nothing_else(site: Site) -> None:
    site.declare({"package": "foo"})
    change = site.plan()["package:foo"]
    assert change["because"] == [
        "is missing: 2.0 would be installed",
        "also installs libfoo 1.0 (dependency)",
        "also installs foo-doc 1.0 (dependency)",
    ]
    assert change["sureness"] == "certain"

    site.host.vitrify("apply")

    assert site.versions("foo", "libfoo", "foo-doc") == ["2.0", "1.0", "1.0"]
    assert site.settled


def test_packages_that_follow_each_other_are_one_transaction(site: Site) -> None:
    site.apply({"package": ["foo", "lone"]}, {"package": {"name": "libfoo", "hold": True}})

    log = site.host.path("/var/log/apt/history.log").read_text()
    assert log.count("Start-Date") == 1
    assert site.versions("foo", "lone", "libfoo") == ["2.0", "1.0", "1.0"]
    assert site.host.run("apt-mark", "showhold").stdout == "libfoo\n"
    assert site.settled


def test_a_version_goes_up_and_down_as_declared_and_an_undo_takes_it_back(site: Site) -> None:
    site.apply({"package": {"name": "foo", "version": "1.0"}})
    site.declare({"package": {"name": "foo", "version": "2.*"}})
    assert site.plan()["package:foo"]["because"] == ["version 1.0 -> 2.0"]
    site.host.vitrify("apply")
    assert site.version("foo") == "2.0"
    site.apply({"package": {"name": "foo", "version": "1.0"}})
    assert site.version("foo") == "1.0"

    site.host.vitrify("undo", "web")

    assert site.version("foo") == "2.0"


def test_an_undo_takes_back_a_package_and_what_came_with_it(site: Site) -> None:
    site.apply({"package": "lone"})
    site.apply({"package": ["lone", "foo", "libfoo"]})

    site.host.vitrify("undo", "web")

    assert site.versions("lone", "foo", "libfoo", "foo-doc") == ["1.0", "", "", ""]


def test_an_undo_leaves_a_dependency_that_somebody_else_needs_by_now(site: Site) -> None:
    site.archive.publish(Deb("needy", fields={"Depends": "libfoo"}))
    site.host.run("apt-get", "update")
    site.apply({"package": "foo"})
    site.host.run("apt-get", "-y", "install", "needy")

    site.host.vitrify("undo", "web")

    assert site.versions("foo", "libfoo", "needy") == ["", "1.0", "1.0"]


def test_latest_follows_what_the_lists_say(site: Site) -> None:
    site.apply({"package": {"name": "foo", "version": "1.0"}})
    site.declare({"package": {"name": "foo", "version": "latest"}})
    assert site.plan()["package:foo"]["because"] == ["version 1.0 -> 2.0"]

    site.host.vitrify("apply")

    assert site.version("foo") == "2.0"
    assert site.settled


def test_old_lists_are_renewed_before_something_is_installed(site: Site) -> None:
    wish = {"package": {"name": "foo", "update_cache": "1h"}}
    site.host.run("find", "/var/lib/apt", "-exec", "touch", "-d", "2 hours ago", "{}", "+")
    site.archive.publish(Deb("foo", "3.0", fields={"Depends": "libfoo"}))
    site.declare(wish)
    planned = site.plan()["package:foo"]
    assert planned["sureness"] == "assumed"
    assert "the lists of packages are renewed first" in planned["because"][-1]

    site.host.vitrify("apply")

    assert site.version("foo") == "3.0"
    assert site.settled


def test_what_is_removed_with_it_is_said_loudly_and_comes_back_by_an_undo(site: Site) -> None:
    site.apply({"package": "foo"})
    site.declare({"package": "bar"})
    change = site.plan()["package:bar"]
    assert "also REMOVES foo 2.0" in change["because"]
    site.host.vitrify("apply")
    assert site.versions("foo", "bar") == ["", "1.0"]

    site.host.vitrify("undo", "web")

    assert site.versions("foo", "bar") == ["2.0", ""]


def test_an_absent_package_names_what_goes_with_it(site: Site) -> None:
    site.apply({"package": "foo"})
    site.declare({"package": "foo"}, {"package": {"name": "libfoo", "absent": True}})
    assert "also REMOVES foo 2.0" in site.plan()["package:libfoo"]["because"]
    site.declare({"package": {"name": "libfoo", "absent": True}})

    site.host.vitrify("apply")

    assert site.versions("foo", "libfoo") == ["", ""]


def test_a_removed_package_leaves_its_configuration_until_it_is_purged(site: Site) -> None:
    site.apply({"package": "foo"})
    site.apply({"package": {"name": "foo", "absent": True}})
    assert site.host.path("/etc/foo.conf").exists()
    site.declare({"package": {"name": "foo", "absent": True, "purge": True}})
    assert site.plan()["package:foo"]["undoable"] is False

    site.host.vitrify("apply")

    assert not site.host.path("/etc/foo.conf").exists()
    assert site.settled


def test_what_left_the_declaration_leaves_unless_somebody_needs_it(site: Site) -> None:
    site.apply({"package": ["lone", "libfoo"]})
    site.host.run("apt-get", "-y", "install", "foo")

    site.apply()

    assert site.versions("lone", "libfoo", "foo") == ["", "1.0", "2.0"]
    assert "libfoo" in site.host.run("apt-mark", "showauto").stdout.split()


def test_configuration_that_somebody_changed_stays_in_an_upgrade(site: Site) -> None:
    site.apply({"package": {"name": "foo", "version": "1.0"}})
    site.host.path("/etc/foo.conf").write_text("size = mine\n")

    site.apply({"package": {"name": "foo", "version": "2.0"}})

    assert site.host.path("/etc/foo.conf").read_text() == "size = mine\n"


def test_a_name_that_is_provided_counts_as_there_and_the_plan_says_so(site: Site) -> None:
    site.apply({"package": "bar"})
    site.declare({"package": ["bar", "mail-agent"]})

    document = site.host.document("plan")["servers"][0]

    assert document["changes"] == []
    assert any("bar provides" in notice for notice in document["notices"])


def test_a_dependency_that_is_wished_for_is_no_dependency_any_more(site: Site) -> None:
    site.apply({"package": "foo"})
    site.apply({"package": ["foo", "libfoo"]})
    assert "libfoo" in site.host.run("apt-mark", "showmanual").stdout.split()

    site.host.vitrify("undo", "web")

    assert "libfoo" in site.host.run("apt-mark", "showauto").stdout.split()


def test_a_package_that_nobody_offers_fails_with_the_reason_and_hides_no_other(site: Site) -> None:
    site.declare({"package": ["foo", "no-such-thing"]})
    planned = site.plan()
    assert "Unable to locate package no-such-thing" in planned["package:no-such-thing"]["because"][1]
    assert "also installs libfoo 1.0 (dependency)" in planned["package:foo"]["because"]

    said = site.apply({"package": ["foo", "no-such-thing"]}, expect=3)

    assert "Unable to locate package no-such-thing" in said


def test_an_old_version_that_cannot_be_had_again_is_marked_before(site: Site) -> None:
    site.apply({"package": {"name": "foo", "version": "1.0"}})
    site.archive.withdraw("foo_1.0")
    site.host.run("apt-get", "update")
    site.declare({"package": {"name": "foo", "version": "2.0"}})

    change = site.plan()["package:foo"]

    assert change["undoable"] is False
    assert "a version that goes cannot be had again" in change["because"]


def test_a_package_file_of_the_project_is_installed_with_what_it_needs(site: Site) -> None:
    Deb("own", "7", fields={"Depends": "libfoo"}).build(site.host.path(PROJECT))
    wish = {"package": {"name": "own", "version": "7", "source": "own_7_all.deb"}}

    site.apply(wish)

    assert site.versions("own", "libfoo") == ["7", "1.0"]
    assert site.settled
    assert list(site.host.path("/var/cache/apt").glob("vitrify*")) == []


def test_a_lock_that_somebody_holds_is_an_error_that_names_the_holder(site: Site) -> None:
    with site.host.started("/usr/bin/python3", "-c", HOLD) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        said = site.apply({"package": {"name": "foo", "lock_timeout": 1}}, expect=3)

    assert "the package manager is in use by somebody else" in said
    assert "its lock is held by python3 (process " in said, said
    site.apply({"package": {"name": "foo", "lock_timeout": 1}})
    assert site.version("foo") == "2.0"


def test_a_transaction_that_was_killed_is_finished_by_the_same_command(site: Site) -> None:
    pause = "test -e /srv/go || { touch /srv/waiting; sleep 60; }"
    site.archive.publish(Deb("slow", scripts={"postinst": pause}, fields={"Depends": "libfoo"}))
    site.host.run("apt-get", "update")
    site.declare({"package": ["slow", "lone"]})
    with site.host.started(sys.executable, "-m", "vitrify", "apply", cwd=PROJECT):
        deadline = time.monotonic() + 30
        while not site.host.path("/srv/waiting").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert site.version("slow") == ""
    site.host.path("/srv/go").touch()

    site.host.vitrify("apply")

    assert site.versions("slow", "lone", "libfoo") == ["1.0", "1.0", "1.0"]
    assert site.settled


def test_a_package_whose_own_script_fails_says_what_it_said_and_is_mended_by_the_next_run(site: Site) -> None:
    site.archive.publish(Deb("bad", scripts={"postinst": "test -e /srv/mended || { echo the disk is blue >&2; exit 3; }"}))
    site.host.run("apt-get", "update")

    said = site.apply({"package": ["lone", "bad"]}, expect=3)

    assert "the disk is blue" in said
    assert site.version("lone") == "1.0"
    assert "could not set it up" in site.plan()["package:bad"]["because"][0]
    site.host.path("/srv/mended").touch()
    site.host.vitrify("apply")
    assert site.version("bad") == "1.0"
    assert site.settled


def test_an_undo_takes_back_a_package_whose_own_script_failed(site: Site) -> None:
    site.archive.publish(Deb("bad", scripts={"postinst": "exit 3"}))
    site.host.run("apt-get", "update")
    site.apply({"package": ["lone", "bad"]}, expect=3)

    site.host.vitrify("undo", "web")

    assert site.versions("lone", "bad") == ["", ""]
    assert site.host.run("dpkg", "--audit").stdout == ""
