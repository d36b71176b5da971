"""An audit compares what is with what was declared and authorised, tells what nobody allowed once, and changes nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bench import LOCAL, Bench, a_server, do, in_place
from looking import converge, folder_of, look

from vitrify.core.declaration import Host, Server
from vitrify.core.drift import Class
from vitrify.core.resource import Address, Resource
from vitrify.lifecycle.audit import declared_folders
from vitrify.lifecycle.status import status
from vitrify.testing.engine import quick_folder

MOTD = ("/etc/motd", "hello\n")


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def root() -> Iterator[Path]:
    with quick_folder() as folder:
        (folder / "etc").mkdir()
        yield folder


# -- hosts -----------------------------------------------------------------------------------------------------------


def test_a_host_that_is_as_it_was_left_has_no_finding(bench: Bench, root: Path) -> None:
    converge(bench, in_place(root, MOTD))

    found = look(bench, in_place(root, MOTD))

    assert (found.findings, found.resources, found.instances) == ((), 1, 0)


def test_a_change_that_nobody_allowed_is_named_with_what_differs_and_what_would_be_done(bench: Bench, root: Path) -> None:
    converge(bench, in_place(root, MOTD))
    (root / "etc/motd").write_text("somebody else's\n")
    (root / "etc/motd").chmod(0o666)

    (finding,) = look(bench, in_place(root, MOTD)).findings

    assert (finding.path, finding.change, finding.classed, finding.answer) == ("/etc/motd", "changed", Class.UNAUTHORISED, "re-converge")
    assert finding.details == ("content differs", "mode 0644 -> 0666")


def test_what_was_removed_is_a_finding(bench: Bench, root: Path) -> None:
    converge(bench, in_place(root, MOTD))
    (root / "etc/motd").unlink()

    (finding,) = look(bench, in_place(root, MOTD)).unauthorised

    assert (finding.path, finding.change, finding.details) == ("/etc/motd", "removed", ())


def test_a_declaration_that_changed_after_the_apply_is_authorised_by_its_entry(bench: Bench, root: Path) -> None:
    converge(bench, in_place(root, MOTD))

    (finding,) = look(bench, in_place(root, ("/etc/motd", "goodbye\n"))).findings

    assert (finding.classed, finding.entry) == (Class.AUTHORISED, 1)
    assert bench.bodies("finding") == []


def test_what_is_no_path_is_named_by_its_address_whoever_changed_it(bench: Bench, root: Path) -> None:
    def serving(program: str) -> Server:
        process = Resource(Address("process", "web"), {"name": "web", "command": [program]})
        return replace(in_place(root), resources=(process,))

    converge(bench, serving("/usr/bin/one"))
    (declared,) = look(bench, serving("/usr/bin/two")).findings
    (root / "etc/systemd/system/web.service").write_text("[Service]\nExecStart=/backdoor\n")
    (tampered,) = look(bench, serving("/usr/bin/one")).findings

    assert (declared.path, declared.classed) == ("process:web", Class.AUTHORISED)
    assert (tampered.path, tampered.classed) == ("process:web", Class.UNAUTHORISED)


def test_a_declaration_that_changed_in_form_alone_is_no_finding(bench: Bench, root: Path) -> None:
    converge(bench, in_place(root, MOTD))
    server = in_place(root, MOTD)
    tagged = replace(server, resources=tuple(replace(wish, protect=True) for wish in server.resources))

    assert look(bench, tagged).findings == ()


def test_what_was_put_into_a_declared_folder_is_found_and_only_reported(bench: Bench, root: Path) -> None:
    server = folder_of(in_place(root, ("/srv/app", "app\n")), "/srv")
    converge(bench, server)
    (root / "srv/backdoor").write_text("intruder\n")
    (root / "srv/app").write_text("intruder\n")

    found = {finding.path: finding for finding in look(bench, server, full=True).findings}

    assert (found["/srv/backdoor"].change, found["/srv/backdoor"].answer) == ("added", "report")
    assert (found["/srv/app"].change, found["/srv/app"].evidence, found["/srv/app"].answer) == ("changed", "sweep", "re-converge")
    assert found["/srv/app"].modified_at is not None
    assert set(found) == {"/srv/app", "/srv/backdoor"}, "a folder's own size and times are no difference"


@pytest.mark.parametrize(("before", "after"), [("0644", 0o600), ("0600", 0o644)])
def test_who_may_read_a_file_is_no_difference_of_its_content(bench: Bench, root: Path, before: str, after: int) -> None:
    server = folder_of(in_place(root, ("/srv/app", "app\n")), "/srv")
    folder, app = server.resources
    server = replace(server, resources=(folder, replace(app, fields={**app.fields, "mode": before})))
    converge(bench, server)
    (root / "srv/app").chmod(after)

    (finding,) = look(bench, server).findings
    assert (finding.path, finding.details) == ("/srv/app", (f"mode {before} -> {after:04o}",))

    (root / "srv/app").write_text("theirs\n")
    (finding,) = look(bench, server).findings
    assert finding.details == (f"mode {before} -> {after:04o}", "content differs", "size 4 -> 7")


@pytest.mark.root
def test_what_chattr_set_is_told_by_its_letter(bench: Bench, tmp_path: Path) -> None:
    server = folder_of(in_place(tmp_path, ("/srv/app", "app\n")), "/srv")
    (tmp_path / "etc").mkdir()
    converge(bench, server)
    if subprocess.run(["chattr", "+i", tmp_path / "srv/app"], check=False, capture_output=True).returncode:
        pytest.skip("the file system has no such attributes")

    try:
        (finding,) = look(bench, server).findings
    finally:
        subprocess.run(["chattr", "-i", tmp_path / "srv/app"], check=True)

    assert finding.details == ("flags none -> i",)


def test_what_left_a_declared_folder_is_found(bench: Bench, root: Path) -> None:
    server = folder_of(in_place(root, ("/srv/app", "app\n")), "/srv")
    converge(bench, server)
    (root / "srv/app").unlink()

    (finding,) = look(bench, server).findings

    assert (finding.path, finding.change, finding.details) == ("/srv/app", "removed", ("file",))


def test_drift_that_is_declared_as_it_is_settles_with_the_next_apply(bench: Bench, root: Path) -> None:
    converge(bench, folder_of(in_place(root, ("/srv/app", "app\n")), "/srv"))
    (root / "srv/app").write_text("theirs\n")
    declared = folder_of(in_place(root, ("/srv/app", "theirs\n")), "/srv")

    assert [finding.classed for finding in look(bench, declared).findings] == [Class.UNAUTHORISED]
    converge(bench, declared)

    assert look(bench, declared, full=True).findings == ()


def test_folders_inside_folders_are_swept_once() -> None:
    wishes = [
        Resource(Address("directory", "/srv/app"), {"path": "/srv/app"}),
        Resource(Address("directory", "/srv"), {"path": "/srv"}),
        Resource(Address("directory", "/srv2"), {"path": "/srv2"}),
        Resource(Address("tree", "/opt/app"), {"to": "/opt/app"}),
        Resource(Address("directory", "/gone"), {"path": "/gone"}, absent=True),
    ]

    assert declared_folders(wishes) == ("/opt/app", "/srv", "/srv2")


# -- instances -------------------------------------------------------------------------------------------------------


def test_an_instance_that_nobody_touched_has_no_finding(bench: Bench) -> None:
    bench.apply(a_server(replicas=2))

    found = look(bench, a_server())

    assert (found.findings, found.instances) == ((), 2)


def test_whatever_differs_from_the_image_is_a_finding_to_be_answered_by_a_replacement(bench: Bench) -> None:
    bench.apply(a_server())
    bench.runtime.alter(bench.serving()[0], "/srv/backdoor")

    (finding,) = look(bench, a_server()).unauthorised

    assert (finding.where, finding.path, finding.change) == (bench.serving()[0], "/srv/backdoor", "added")
    assert (finding.evidence, finding.answer, finding.details) == ("overlay", "replace", ("file 0644 root:root",))
    assert bench.plan(a_server()).kind == "replace"


def test_a_replacement_answers_the_finding(bench: Bench) -> None:
    bench.apply(a_server())
    bench.runtime.alter(bench.serving()[0], "/srv/backdoor")
    look(bench, a_server())

    bench.apply(a_server())

    assert look(bench, a_server()).findings == ()
    assert len(bench.bodies("finding")) == 1, "the replacement did not tell again what the audit had told"


def test_warm_instances_are_walked_too(bench: Bench) -> None:
    bench.apply(a_server("one"))
    bench.apply(a_server("two"))
    bench.runtime.alter(bench.running(release=1)[0], "/srv/backdoor")

    found = look(bench, a_server("two"))

    assert (found.instances, [finding.where for finding in found.findings]) == (2, bench.running(release=1))


def test_after_a_flip_to_mutable_the_instances_left_over_are_looked_at_until_they_are_retired(bench: Bench, root: Path) -> None:
    bench.apply(a_server("one"))
    server = in_place(root, MOTD)
    converge(bench, server)
    clean = look(bench, server)
    bench.runtime.alter(bench.running()[0], "/app.txt")

    found = look(bench, server)
    bench.retire()

    assert (clean.findings, clean.resources, clean.instances) == ((), 1, 1)
    assert [(finding.path, finding.evidence, finding.answer) for finding in found.findings] == [("/app.txt", "overlay", "report")]
    assert look(bench, server).instances == 0


def test_instances_are_those_of_the_first_host(bench: Bench) -> None:
    bench.apply(a_server())

    assert look(bench, replace(a_server(), hosts=(LOCAL, Host("other")))).instances == 1


def test_an_instance_of_no_kept_release_is_an_orphan(bench: Bench) -> None:
    for greeting in ("one", "two"):
        bench.apply(a_server(greeting))
    (one,) = bench.instances(release=1)
    with bench.killed_at("retire.intent"):
        bench.apply(a_server("three"))
    assert look(bench, a_server("three")).findings == (), "a rollout under way has no orphans"
    bench.apply(a_server("three"))

    bench.start_again(one)
    (finding,) = look(bench, a_server("three")).unauthorised

    assert (finding.path, finding.change) == (f"instance:{one.id}", "added")


def test_an_instance_of_the_live_release_that_ended_is_a_finding_until_another_runs(bench: Bench) -> None:
    bench.apply(a_server(replicas=2))
    lost, _ = bench.serving()
    bench.runtime.lose(lost)

    for _ in range(2):
        (finding,) = look(bench, a_server(replicas=2)).unauthorised

    assert (finding.where, finding.path, finding.change, finding.answer) == (lost, f"instance:{lost}", "removed", "replace")
    assert finding.details == ("is lost, and should run: release 1 is live",)
    assert len(bench.bodies("finding")) == 1

    bench.apply(a_server(replicas=2))
    assert look(bench, a_server(replicas=2)).findings == ()


def test_an_instance_that_left_no_trace_is_a_finding_too(bench: Bench) -> None:
    bench.apply(a_server(replicas=2))
    lost, _ = bench.serving()
    do(bench.runtime.stop(lost, grace=0))
    do(bench.runtime.discard(lost))

    (finding,) = look(bench, a_server(replicas=2)).unauthorised

    assert (finding.path, finding.change) == ("release:1", "removed")
    assert finding.details == ("1 of 2 instances left no trace, and should run: the release is live",)


def test_too_few_instances_in_the_midst_of_a_rollout_are_no_finding(bench: Bench) -> None:
    bench.apply(a_server("one"))
    with bench.killed_at("gate.act"):
        bench.apply(a_server("two"))
    bench.runtime.lose(bench.running(release=1)[0])

    assert look(bench, a_server("two")).findings == ()


def test_an_instance_that_crashes_again_and_again_is_told_by_audit_plan_and_status(bench: Bench) -> None:
    bench.apply(a_server())
    (instance,) = bench.serving()
    bench.clock.let_pass(60)
    bench.runtime.crash(instance)
    assert look(bench, a_server()).findings == (), "once is an accident"
    bench.runtime.crash(instance)

    for _ in range(2):
        (finding,) = look(bench, a_server()).unauthorised
        bench.runtime.crash(instance)
    planned = bench.plan(a_server())
    (row,) = do(status([a_server()], bench.world))

    assert (finding.path, finding.change, finding.answer) == (f"instance:{instance}", "changed", "report")
    assert len(bench.bodies("finding")) == 1, "another crash of the same instance is no news"
    assert (planned.kind, planned.notices) == (
        "none",
        (f"{instance} crashes again and again, ended with -9 the last time; `vitrify logs {instance}`",),
    )
    assert [one.state for one in row.instances] == ["crashing"]

    bench.clock.let_pass(60)
    assert look(bench, a_server()).findings == ()
    assert bench.plan(a_server()).notices == ()


# -- the ledger ------------------------------------------------------------------------------------------------------


def test_a_finding_is_told_once_until_something_changes_its_server(bench: Bench, root: Path) -> None:
    server = in_place(root, MOTD)
    converge(bench, server)
    (root / "etc/motd").chmod(0o666)

    for _ in range(3):
        look(bench, server)
    assert len(bench.bodies("finding")) == 1

    converge(bench, server)
    (root / "etc/motd").chmod(0o666)
    look(bench, server)
    assert len(bench.bodies("finding")) == 2


def test_a_finding_is_not_told_again_because_another_server_changed(bench: Bench) -> None:
    bench.apply(a_server())
    bench.runtime.alter(bench.serving()[0], "/srv/backdoor")
    look(bench, a_server())
    other = replace(a_server(), name="shop", route=None)
    bench.apply(other)

    look(bench, a_server(), other)

    assert len(bench.bodies("finding")) == 1


def test_very_many_findings_are_told_once_too(bench: Bench) -> None:
    bench.apply(a_server())
    (instance,) = bench.serving()
    for number in range(2100):
        bench.runtime.alter(instance, f"/tmp/{number}")

    for _ in range(2):
        look(bench, a_server())

    assert len(bench.bodies("finding")) == 2100


def test_a_name_that_is_no_text_does_not_keep_the_ledger_silent(bench: Bench) -> None:
    bench.apply(a_server())
    bench.runtime.alter(bench.serving()[0], b"/srv/\xff".decode("utf-8", "surrogateescape"))

    look(bench, a_server())

    assert [body["path"] for body in bench.bodies("finding")] == ["/srv/\\xff"]
