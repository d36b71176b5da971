"""Files that dpkg puts elsewhere, or gives other rights to, because it was told so: explained, as far as that is known to be right."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator
from dataclasses import replace

import pytest
from bench import Bench, in_place
from debian_root import DebianRoot
from looking import converge, look

from vitrify.core.audit_policy import AuditPolicy
from vitrify.core.declaration import Server
from vitrify.core.drift import Class, Finding
from vitrify.testing.engine import quick_folder

TOOL = {"/usr/bin/tool": "tool 1\n", "/etc/tool.conf": "a=1\n"}
NEWER = {"/usr/bin/tool": "tool 2\n", "/usr/lib/tool": "lib 2\n", "/etc/tool.conf": "a=2\n"}
ASIDE = "/usr/bin/tool.distrib"


@pytest.fixture
def debian() -> Iterator[DebianRoot]:
    with quick_folder() as folder:
        for name in ("etc", "usr/bin", "usr/lib"):
            (folder / name).mkdir(parents=True)
        debian = DebianRoot(folder)
        debian.install("tool", "1.0", TOOL)
        yield debian


def a_host(debian: DebianRoot) -> Server:
    return replace(in_place(debian.root, ("/etc/motd", "hello\n")), audit=AuditPolicy(("/etc", "/usr")))


def found_on(debian: DebianRoot, bench: Bench) -> dict[str, Finding]:
    return {finding.path: finding for finding in look(bench, a_host(debian)).findings}


def divert(debian: DebianRoot, by: str) -> None:
    """As dpkg-divert does, with --rename."""
    (debian.root / "var/lib/dpkg/diversions").write_text(f"/usr/bin/tool\n{ASIDE}\n{by}\n")
    (debian.root / "usr/bin/tool").rename(debian.root / ASIDE.lstrip("/"))


def upgrade_aside(debian: DebianRoot) -> None:
    """The tool in its new version, whose program goes where it is diverted to; its place keeps what is in it."""
    kept = debian.root / "usr/bin/tool"
    wrapper = kept.read_text()
    debian.install("tool", "2.0", NEWER)
    (debian.root / ASIDE.lstrip("/")).write_text(NEWER["/usr/bin/tool"])
    kept.write_text(wrapper)


def test_what_a_package_puts_aside_is_explained_by_that_package() -> None:
    bench = Bench()
    with quick_folder() as folder:
        (folder / "usr/bin").mkdir(parents=True)
        (folder / "etc").mkdir()
        debian = DebianRoot(folder)
        debian.install("tool", "1.0", TOOL)
        converge(bench, a_host(debian))
        divert(debian, "wrapper")
        debian.install("wrapper", "1.0", {"/usr/bin/tool": "a wrapper\n"})

        (finding,) = look(bench, a_host(debian)).findings

    assert (finding.path, finding.classed) == ("package:wrapper", Class.PACKAGE_MANAGER)
    assert set(finding.paths) == {"/usr/bin/tool", ASIDE}


def test_a_place_that_is_left_empty_by_it_is_explained_as_well(debian: DebianRoot) -> None:
    bench = Bench()
    converge(bench, a_host(debian))
    divert(debian, "wrapper")
    debian.install("wrapper", "1.0", {"/usr/lib/wrapper": "links nothing yet\n"})

    assert {path: set(one.paths) for path, one in found_on(debian, bench).items()} == {
        "package:wrapper": {"/usr/bin/tool", ASIDE, "/usr/lib/wrapper"}
    }


def test_a_diverted_file_of_an_upgraded_package_is_found_where_it_is_put(debian: DebianRoot) -> None:
    bench = Bench()
    divert(debian, ":")
    (debian.root / "usr/bin/tool").write_text("of the administrator\n")
    converge(bench, a_host(debian))
    upgrade_aside(debian)

    found = found_on(debian, bench)

    assert set(found) == {"package:tool"}
    assert ASIDE in found["package:tool"].paths


def test_a_diverted_file_that_somebody_altered_stays_unauthorised(debian: DebianRoot) -> None:
    bench = Bench()
    divert(debian, ":")
    (debian.root / "usr/bin/tool").write_text("of the administrator\n")
    converge(bench, a_host(debian))
    upgrade_aside(debian)
    (debian.root / ASIDE.lstrip("/")).write_text("backdoor\n")

    found = found_on(debian, bench)[ASIDE]

    assert (found.classed, found.details[-1]) == (Class.UNAUTHORISED, "tool: belongs to it, and is not as its checksum says")


def test_an_intruder_who_diverts_a_program_explains_nothing_by_it(debian: DebianRoot) -> None:
    bench = Bench()
    converge(bench, a_host(debian))
    divert(debian, ":")
    (debian.root / "usr/bin/tool").write_text("backdoor\n")

    found = found_on(debian, bench)

    assert {path: one.classed for path, one in found.items()} == {"/usr/bin/tool": Class.UNAUTHORISED, ASIDE: Class.UNAUTHORISED}
    assert not any("belongs to it" in detail for detail in found["/usr/bin/tool"].details)


def override(debian: DebianRoot) -> None:
    """As dpkg-statoverride notes it."""
    user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    (debian.root / "var/lib/dpkg/statoverride").write_text(f"{user} {group} 4755 /usr/lib/tool\n")


def test_rights_that_dpkg_was_told_to_give_are_explained(debian: DebianRoot) -> None:
    bench = Bench()
    override(debian)
    converge(bench, a_host(debian))
    debian.install("tool", "2.0", NEWER)
    (debian.root / "usr/lib/tool").chmod(0o4755)

    assert set(found_on(debian, bench)) == {"package:tool"}


def test_rights_that_dpkg_was_told_to_give_after_the_baseline_are_not(debian: DebianRoot) -> None:
    bench = Bench()
    converge(bench, a_host(debian))
    override(debian)
    debian.install("tool", "2.0", NEWER)
    (debian.root / "usr/lib/tool").chmod(0o4755)

    assert found_on(debian, bench)["/usr/lib/tool"].classed is Class.UNAUTHORISED


def test_other_rights_than_those_that_dpkg_was_told_to_give_are_not_explained(debian: DebianRoot) -> None:
    bench = Bench()
    override(debian)
    converge(bench, a_host(debian))
    debian.install("tool", "2.0", NEWER)
    (debian.root / "usr/lib/tool").chmod(0o6755)

    assert found_on(debian, bench)["/usr/lib/tool"].classed is Class.UNAUTHORISED


def test_an_override_that_an_apply_did_not_make_is_not_known_after_it_either(debian: DebianRoot) -> None:
    bench = Bench()
    converge(bench, a_host(debian))
    override(debian)
    (debian.root / "etc/motd").write_text("altered\n")
    converge(bench, a_host(debian))
    debian.install("tool", "2.0", NEWER)
    (debian.root / "usr/lib/tool").chmod(0o4755)

    assert found_on(debian, bench)["/usr/lib/tool"].classed is Class.UNAUTHORISED


@pytest.mark.parametrize(("text", "explained"), [("a=2\n", True), ("a=backdoor\n", False)])
def test_new_settings_beside_altered_ones_follow_from_their_package(debian: DebianRoot, text: str, *, explained: bool) -> None:
    bench = Bench()
    (debian.root / "etc/tool.conf").write_text("a=ours\n")
    converge(bench, a_host(debian))
    debian.install("tool", "2.0", NEWER)
    (debian.root / "etc/tool.conf").write_text("a=ours\n")
    (debian.root / "etc/tool.conf.dpkg-dist").write_text(text)

    assert ("/etc/tool.conf.dpkg-dist" not in found_on(debian, bench)) is explained
