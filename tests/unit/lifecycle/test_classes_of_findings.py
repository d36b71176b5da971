"""Each difference has a class, and what the class rests on: a package's checksums, a rule of noise, or nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from bench import Bench, do, in_place
from debian_root import DebianRoot
from looking import converge, look

from vitrify.core.audit_policy import DECLARED, UPGRADES, AuditPolicy
from vitrify.core.declaration import Server
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.drift import Audit, Class, Finding
from vitrify.core.noise import Extent, Noise
from vitrify.core.resource import Address, Resource
from vitrify.core.severity import Severity
from vitrify.lifecycle.accepting import Acceptance, accept_all
from vitrify.lifecycle.known import known
from vitrify.testing.engine import quick_folder

OLD = {"/usr/bin/tool": "tool 1\n", "/usr/lib/libtool.so.1": "lib 1\n", "/usr/lib/libtool.so": "-> libtool.so.1", "/etc/tool.conf": "a=1\n"}
NEW = {"/usr/bin/tool": "tool 2\n", "/usr/lib/libtool.so.2": "lib 2\n", "/usr/lib/libtool.so": "-> libtool.so.2", "/etc/tool.conf": "a=2\n"}
MOTD = ("/etc/motd", "hello\n")


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def debian() -> Iterator[DebianRoot]:
    with quick_folder() as folder:
        for name in ("etc", "usr/share", "usr/bin", "usr/lib", "var/log", "var/cache"):
            (folder / name).mkdir(parents=True)
        debian = DebianRoot(folder)
        debian.install("tool", "1.0", OLD)
        debian.install("other", "1.0", {"/usr/bin/other": "other\n"})
        yield debian


def a_host(debian: DebianRoot, **policy: object) -> Server:
    folders = ("/etc", "/usr", "/var/log", "/var/cache")
    return replace(in_place(debian.root, MOTD), audit=replace(AuditPolicy(folders), **policy))  # type: ignore[arg-type]


def by_path(found: Audit) -> dict[str, Finding]:
    return {finding.path: finding for finding in found.findings}


# -- packages --------------------------------------------------------------------------------------------------------


def test_a_whole_host_that_is_as_it_was_left_has_no_finding(bench: Bench, debian: DebianRoot) -> None:
    converge(bench, a_host(debian))

    found = look(bench, a_host(debian))

    assert found.findings == ()
    assert found.entries > 10


def test_an_upgrade_by_other_hands_is_one_finding_of_the_package_manager(bench: Bench, debian: DebianRoot) -> None:
    converge(bench, a_host(debian))
    debian.install("tool", "2.0", NEW)

    (finding,) = look(bench, a_host(debian)).findings

    assert (finding.path, finding.change, finding.classed) == ("package:tool", "changed", Class.PACKAGE_MANAGER)
    assert finding.details == ("1.0 -> 2.0", "5 paths, each as dpkg's own checksums say")
    assert set(finding.paths) == {*OLD, *NEW}
    assert bench.bodies("finding") == []


def test_packages_that_came_and_went_are_told_as_such(bench: Bench, debian: DebianRoot) -> None:
    converge(bench, a_host(debian))
    debian.remove("other")
    debian.install("third", "3.0", {"/usr/share/third/data": "data\n"})

    found = by_path(look(bench, a_host(debian)))

    assert {path: (one.change, one.details[0]) for path, one in found.items()} == {
        "package:other": ("removed", "removed 1.0"),
        "package:third": ("added", "installed 3.0"),
    }
    assert set(found["package:third"].paths) == {"/usr/share/third", "/usr/share/third/data"}


def test_a_file_of_an_upgraded_package_that_somebody_altered_stays_unauthorised(bench: Bench, debian: DebianRoot) -> None:
    converge(bench, a_host(debian))
    debian.install("tool", "2.0", NEW)
    (debian.root / "usr/bin/tool").write_text("backdoor\n")

    found = by_path(look(bench, a_host(debian)))

    assert found["/usr/bin/tool"].classed is Class.UNAUTHORISED
    assert found["/usr/bin/tool"].details[-1] == "tool: belongs to it, and is not as its checksum says"
    assert "/usr/bin/tool" not in found["package:tool"].paths


def test_checksums_that_were_altered_with_the_file_explain_nothing_where_the_version_is_the_same(bench: Bench, debian: DebianRoot) -> None:
    converge(bench, a_host(debian))
    debian.install("tool", "1.0", {**OLD, "/usr/bin/tool": "backdoor\n"})

    (finding,) = look(bench, a_host(debian)).findings

    assert (finding.path, finding.classed, finding.severity) == ("/usr/bin/tool", Class.UNAUTHORISED, Severity.HIGH)


@pytest.mark.parametrize("mode", [0o4755, 0o777])
def test_rights_that_no_package_has_are_not_explained_by_its_checksum(bench: Bench, debian: DebianRoot, mode: int) -> None:
    converge(bench, a_host(debian))
    debian.install("tool", "2.0", NEW)
    (debian.root / "usr/bin/tool").chmod(mode)

    assert by_path(look(bench, a_host(debian)))["/usr/bin/tool"].classed is Class.UNAUTHORISED


def test_a_link_of_a_package_that_leads_elsewhere_is_unauthorised(bench: Bench, debian: DebianRoot) -> None:
    converge(bench, a_host(debian))
    debian.install("tool", "2.0", NEW)
    (debian.root / "usr/lib/libtool.so").unlink()
    (debian.root / "usr/lib/libtool.so").symlink_to("/tmp/evil.so")

    assert by_path(look(bench, a_host(debian)))["/usr/lib/libtool.so"].classed is Class.UNAUTHORISED


def test_what_a_package_compiles_and_links_follows_from_it(bench: Bench, debian: DebianRoot) -> None:
    converge(bench, a_host(debian))
    debian.install("py", "1", {"/usr/lib/python3/dist-packages/py.py": "x = 1\n"})
    cache = debian.root / "usr/lib/python3/dist-packages/__pycache__"
    cache.mkdir()
    (cache / "py.cpython-311.pyc").write_bytes(b"compiled")
    (cache / "evil.cpython-311.pyc").write_bytes(b"compiled")
    (debian.root / "etc/alternatives").mkdir()
    (debian.root / "etc/alternatives/py").symlink_to("/usr/lib/python3/dist-packages/py.py")

    found = by_path(look(bench, a_host(debian)))

    assert "/etc/alternatives/py" in found["package:py"].paths
    assert {path for path, one in found.items() if one.classed is Class.UNAUTHORISED} == {
        "/etc/alternatives",
        "/usr/lib/python3/dist-packages/__pycache__/evil.cpython-311.pyc",
    }


@pytest.mark.parametrize(
    ("policy", "allowed"), [(UPGRADES, {"package:tool"}), (DECLARED, set()), ("any", {"package:tool", "package:third"})]
)
def test_the_policy_says_whose_packages_may_change(bench: Bench, debian: DebianRoot, policy: str, allowed: set[str]) -> None:
    converge(bench, a_host(debian, packages=policy))
    debian.install("tool", "2.0", NEW)
    debian.install("third", "3.0", {"/usr/share/third": "data\n"})

    found = by_path(look(bench, a_host(debian, packages=policy)))

    assert set(found) == {"package:tool", "package:third"}
    assert {path for path, one in found.items() if one.classed is Class.PACKAGE_MANAGER} == allowed


# -- noise -----------------------------------------------------------------------------------------------------------


def test_a_log_that_grows_and_rotates_is_noise_and_one_that_was_cut_is_not(bench: Bench, debian: DebianRoot) -> None:
    log = debian.root / "var/log"
    for name in ("grows", "rotates", "cut", "edited", "gone"):
        (log / name).write_text("one\ntwo\n")
    converge(bench, a_host(debian))
    (log / "grows").write_text("one\ntwo\nthree\n")
    (log / "rotates").rename(log / "rotates.1")
    (log / "rotates").write_text("")
    (log / "cut").write_text("one\n")
    (log / "edited").write_text("one\nTWO\nthree\n")
    (log / "gone").unlink()

    found = by_path(look(bench, a_host(debian)))

    assert {path: one.classed for path, one in found.items()} == {
        "/var/log/grows": Class.NOISE,
        "/var/log/rotates": Class.NOISE,
        "/var/log/rotates.1": Class.NOISE,
        "/var/log/cut": Class.UNAUTHORISED,
        "/var/log/edited": Class.UNAUTHORISED,
        "/var/log/gone": Class.UNAUTHORISED,
    }


def test_what_a_host_writes_in_place_in_its_journal_is_noise_and_a_program_there_is_not(bench: Bench, debian: DebianRoot) -> None:
    journal = debian.root / "var/log/journal/0123"
    journal.mkdir(parents=True)
    for path in (journal / "system.journal", debian.root / "var/log/lastlog"):
        path.write_text("as it was\n")
    converge(bench, a_host(debian))
    for path in (journal / "system.journal", debian.root / "var/log/lastlog"):
        path.write_text("otherwise\n")
    (journal / "x").write_text("#!/bin/sh\n")
    (journal / "x").chmod(0o755)

    found = by_path(look(bench, a_host(debian)))

    assert {path for path, one in found.items() if one.classed is not Class.NOISE} == {"/var/log/journal/0123/x"}


@pytest.mark.root
def test_an_apply_promises_to_put_back_only_what_a_resource_declares(bench: Bench, debian: DebianRoot) -> None:
    wish = Resource(Address("file", "/etc/evil.conf"), {"path": "/etc/evil.conf"}, absent=True)
    declared = a_host(debian)
    server = replace(declared, resources=(*declared.resources, wish))
    converge(bench, server)
    os.setxattr(debian.root / "etc/motd", "security.capability", bytes.fromhex("0100000280000000000000000000000000000000"))
    (debian.root / "etc/evil.conf").write_text("evil\n")

    answers = {path: one.answer for path, one in by_path(look(bench, server)).items()}
    assert (answers["/etc/motd"], answers["/etc/evil.conf"]) == ("report", "re-converge")

    (debian.root / "etc/motd").write_text("evil\n")
    assert by_path(look(bench, server))["/etc/motd"].answer == "re-converge"


def test_a_program_that_hides_among_caches_is_no_noise(bench: Bench, debian: DebianRoot) -> None:
    converge(bench, a_host(debian))
    (debian.root / "var/cache/data").write_text("data\n")
    (debian.root / "var/cache/.x").write_text("#!/bin/sh\n")
    (debian.root / "var/cache/.x").chmod(0o755)

    found = by_path(look(bench, a_host(debian)))

    assert (found["/var/cache/data"].classed, found["/var/cache/.x"].classed) == (Class.NOISE, Class.UNAUTHORISED)


def test_a_rule_of_noise_holds_until_its_last_day_and_is_told_after_it(bench: Bench, debian: DebianRoot) -> None:
    rule = Noise("/etc/app/**", "it writes its state there", date(2026, 2, 28))  # the clock of the bench is at 2026-02-02
    server = a_host(debian, noise=(rule,))
    converge(bench, server)
    (debian.root / "etc/app").mkdir()
    (debian.root / "etc/app/state").write_text("1\n")

    before = look(bench, server)
    bench.clock.let_pass(30 * 86_400)
    after = look(bench, server)

    assert by_path(before)["/etc/app/state"].why == "/etc/app/**: it writes its state there, until 2026-02-28"
    assert (by_path(before)["/etc/app/state"].classed, by_path(after)["/etc/app/state"].classed) == (Class.NOISE, Class.UNAUTHORISED)
    assert (before.lapsed, after.lapsed) == ((), (rule,))


def test_a_rule_about_contents_does_not_cover_rights(bench: Bench, debian: DebianRoot) -> None:
    (debian.root / "etc/state").write_text("1\n")
    server = a_host(debian, noise=(Noise("/etc/state", "a state", extent=Extent.CONTENT),))
    converge(bench, server)
    (debian.root / "etc/state").write_text("22\n")
    first = look(bench, server)
    (debian.root / "etc/state").chmod(0o666)

    assert by_path(first)["/etc/state"].classed is Class.NOISE
    assert by_path(look(bench, server))["/etc/state"].classed is Class.UNAUTHORISED


# -- what a finding says ---------------------------------------------------------------------------------------------


def test_a_text_that_was_declared_is_told_with_what_became_of_it(bench: Bench, debian: DebianRoot) -> None:
    converge(bench, a_host(debian))
    (debian.root / "etc/motd").write_text("hello\nintruder\n")

    finding = by_path(look(bench, a_host(debian)))["/etc/motd"]

    assert finding.diff.splitlines()[-1] == "+intruder"
    assert finding.answer == "re-converge"
    assert finding.changed_at is not None


def test_what_not_everybody_may_read_is_told_without_its_text(bench: Bench, debian: DebianRoot) -> None:
    converge(bench, a_host(debian))
    (debian.root / "etc/motd").write_text("hello\npassword\n")
    (debian.root / "etc/motd").chmod(0o600)

    assert by_path(look(bench, a_host(debian)))["/etc/motd"].diff == ""


# -- folders, and what is accepted -----------------------------------------------------------------------------------


def test_a_folder_without_a_baseline_is_told_until_somebody_records_it(bench: Bench, debian: DebianRoot) -> None:
    server = a_host(debian)
    converge(bench, replace(server, audit=AuditPolicy()))

    before = look(bench, server)
    (accepted,) = do(accept_all([server], Acceptance(("/etc", "/usr"), "from today"), bench.world))
    (debian.root / "usr/bin/new").write_text("new\n")
    after = look(bench, server)

    assert (before.unrecorded, after.unrecorded) == (("/etc", "/usr", "/var/cache", "/var/log"), ("/var/cache", "/var/log"))
    assert accepted.recorded == ("/etc", "/usr")
    assert list(by_path(after)) == ["/usr/bin/new"]


def test_what_was_accepted_is_no_finding_any_more_and_the_ledger_says_who_and_why(bench: Bench, debian: DebianRoot) -> None:
    converge(bench, a_host(debian))
    debian.install("tool", "2.0", NEW)
    for name in ("mine", "theirs"):
        (debian.root / "etc" / name).write_text("text\n")

    do(accept_all([a_host(debian)], Acceptance(("package:tool", "/etc/mine"), "patch day"), bench.world))
    after = look(bench, a_host(debian))

    assert list(by_path(after)) == ["/etc/theirs"]
    (said,) = bench.bodies("accept.done")
    assert (said["reason"], said["count"]) == ("patch day", 6)


@pytest.mark.parametrize("point", ["accept-story.intent", "accept.act", "accept-story.act", "accept-story.outcome"])
def test_an_acceptance_that_was_cut_short_is_finished_by_the_same_command(bench: Bench, debian: DebianRoot, point: str) -> None:
    converge(bench, a_host(debian))
    debian.install("tool", "2.0", NEW)
    wanted = Acceptance(("package:tool",), "patch day")

    with bench.killed_at(point):
        do(accept_all([a_host(debian)], wanted, bench.world))
    do(accept_all([a_host(debian)], wanted, bench.world))

    assert look(bench, a_host(debian)).findings == ()


def test_what_is_not_audited_cannot_be_accepted(bench: Bench, debian: DebianRoot) -> None:
    converge(bench, a_host(debian))

    with pytest.raises(UsageInvalid, match="/opt/x is in no folder that is audited"):
        do(accept_all([a_host(debian)], Acceptance(("/opt/x",), "why"), bench.world))


# -- explain ---------------------------------------------------------------------------------------------------------


def test_a_path_is_explained_by_all_that_is_known_of_it(bench: Bench, debian: DebianRoot) -> None:
    converge(bench, a_host(debian))
    (debian.root / "etc/motd").write_text("intruder\n")
    look(bench, a_host(debian))

    (motd,) = do(known([a_host(debian)], "/etc/motd", bench.world))

    assert motd.verdict.startswith("a finding, unauthorised, medium: changed, content differs")
    assert motd.resources == ("file:/etc/motd",)
    assert (motd.before or {})["sha256"] != (motd.now or {})["sha256"]
    assert [says.partition(":")[0] for _, _, says in motd.entries][-1] == "finding"


def test_why_a_path_is_no_finding_is_told_as_well(bench: Bench, debian: DebianRoot) -> None:
    converge(bench, a_host(debian))
    debian.install("tool", "2.0", NEW)

    paths = ("/usr/bin/tool", "/usr/bin/other", "/opt/x")
    tool, other, elsewhere = (do(known([a_host(debian)], path, bench.world))[0] for path in paths)

    assert tool.verdict == "no finding of its own: package:tool explains it (1.0 -> 2.0), which is package manager"
    assert tool.package == "tool 2.0: as its checksum says"
    assert other.verdict == "no finding: it is as the baseline has it"
    assert elsewhere.verdict.startswith("never a finding")


def test_the_debian_profile_can_be_left_out(bench: Bench, debian: DebianRoot) -> None:
    converge(bench, a_host(debian, profile=False))
    Path(debian.root / "var/log/new").write_text("x\n")

    assert by_path(look(bench, a_host(debian, profile=False)))["/var/log/new"].classed is Class.UNAUTHORISED
