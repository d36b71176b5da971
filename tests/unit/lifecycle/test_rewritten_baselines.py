"""What a host keeps to compare with is not believed where it is not what the project sealed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bench import Bench, do, in_place
from looking import converge, folder_of, look

from vitrify.lifecycle import mutable, undoing
from vitrify.lifecycle.sealed import sealed
from vitrify.onhost.fingerprint import Taken, seen
from vitrify.onhost.records import Record, read_records, split, with_digests
from vitrify.testing.engine import Engine, quick_folder, wish


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def root() -> Iterator[Path]:
    with quick_folder() as folder:
        (folder / "etc").mkdir()
        yield folder


def rewrite(root: Path) -> None:
    """Let the host believe that what is there now was always there, as somebody who is root there could."""
    (root / "srv/backdoor").write_text("intruder\n")
    (root / "var/lib/vitrify/baseline").unlink()
    Engine(root, time=4_000_000_000.0, server="other", project="ffff").apply(wish("directory", path="/srv"), run="theirs")


def test_a_baseline_that_was_rewritten_on_its_host_is_found_out_and_hides_nothing(bench: Bench, root: Path) -> None:
    server = folder_of(in_place(root, ("/srv/app", "app\n")), "/srv")
    converge(bench, server)
    rewrite(root)

    found = look(bench, server)

    assert {finding.path: (finding.evidence, finding.change) for finding in found.unauthorised} == {
        "/srv": ("baseline", "changed"),
        "/srv/backdoor": ("sweep", "added"),
    }
    assert found.rewritten


def test_the_next_apply_goes_by_the_copy_of_the_project_too(bench: Bench, root: Path) -> None:
    server = folder_of(in_place(root, ("/srv/app", "app\n")), "/srv")
    converge(bench, server)
    rewrite(root)
    (root / "srv/app").write_text("theirs\n")

    converge(bench, server)

    found = look(bench, server)
    assert not found.rewritten
    assert {finding.path for finding in found.findings} == {"/srv/backdoor"}


def test_without_a_copy_that_it_was_rewritten_stays_a_finding_through_later_applies(bench: Bench, root: Path) -> None:
    server = folder_of(in_place(root, ("/srv/app", "app\n")), "/srv")
    converge(bench, server)
    rewrite(root)
    bench.state.keep_baseline(server.hosts[0].name, "/srv", seal="sha256:aa", content=b"lost")

    (finding,) = look(bench, server).findings
    assert (finding.path, finding.evidence, finding.entry) == ("/srv", "baseline", 1)
    (root / "srv/app").write_text("theirs\n")
    converge(bench, server)
    assert look(bench, server).rewritten


def test_a_baseline_that_was_taken_away_is_found_out(bench: Bench, root: Path) -> None:
    server = folder_of(in_place(root, ("/srv/app", "app\n")), "/srv")
    converge(bench, server)
    (root / "var/lib/vitrify/baseline").unlink()
    (root / "srv/backdoor").write_text("intruder\n")

    assert {finding.path: finding.change for finding in look(bench, server).findings} == {"/srv": "removed", "/srv/backdoor": "added"}


def test_a_forged_look_of_a_file_that_was_changed_is_found_out(bench: Bench, root: Path) -> None:
    server = folder_of(in_place(root, ("/srv/app", "app\n")), "/srv")
    converge(bench, server)
    (root / "srv/app").write_text("bad\n")
    forge(root, "/srv", b"app")

    found = look(bench, server)

    assert {(finding.path, finding.evidence) for finding in found.findings} == {("/srv", "baseline"), ("/srv/app", "sweep")}


def forge(root: Path, folder: str, name: bytes) -> None:
    """Let the baseline say of an entry that it looked then as it does now, with the fingerprint of then."""
    path = root / "var/lib/vitrify/baseline"
    content = path.read_bytes()
    first = content.index(b"\n") + 1
    tree = {record.path: record for record in read_records(content, first)}
    own, entries = tree[folder].taken()
    place = root / folder[1:]
    entries[name] = Taken(entries[name].print, seen((place / os.fsdecode(name)).lstat()))
    tree[folder] = Record.of(folder, Taken(own.print, seen(place.lstat())), entries, split(tree[folder].parts.folders))
    path.write_bytes(content[:first] + b"".join(record.raw for record in with_digests(tree).values()))


def test_applies_and_undos_move_the_sealed_baseline_on(bench: Bench, root: Path) -> None:
    for text in ("one\n", "two\n"):
        converge(bench, folder_of(in_place(root, ("/srv/app", text)), "/srv"))
        assert not look(bench, folder_of(in_place(root, ("/srv/app", text)), "/srv")).findings
    server = folder_of(in_place(root, ("/srv/app", "one\n")), "/srv")
    do(undoing.undo(server, server.hosts[0], bench.world))

    assert not look(bench, server).findings


@pytest.mark.parametrize("point", ["apply.intent", "run.intent", "enact.act", "run.act", "run.outcome", "apply.act", "apply.outcome"])
def test_an_apply_that_was_killed_rewrote_nothing(bench: Bench, root: Path, point: str) -> None:
    first, second = (folder_of(in_place(root, ("/srv/app", text)), "/srv") for text in ("one\n", "two\n"))
    converge(bench, first)
    with bench.killed_at(point):
        converge(bench, second)

    assert not look(bench, second).rewritten
    converge(bench, second)
    (root / "srv/backdoor").write_text("intruder\n")
    converge(bench, second)

    found = look(bench, second)
    assert {finding.path for finding in found.findings} == {"/srv/backdoor"}
    assert sealed(second.hosts[0], bench.world).copied.keys() == {"/srv"}


def test_who_waited_for_another_goes_by_what_the_other_left(bench: Bench, root: Path) -> None:
    web, db = (replace(folder_of(in_place(root, (f"/{name}/app", "one\n")), f"/{name}"), name=name) for name in ("web", "db"))
    converge(bench, web)
    planned = do(mutable.plan(db, db.hosts[0], bench.world))
    converge(bench, folder_of(in_place(root, ("/web/app", "two\n")), "/web"))

    do(mutable.apply(db, db.hosts[0], planned, bench.world))

    assert look(bench, db).findings == ()
    assert sealed(db.hosts[0], bench.world).copied.keys() == {"/db", "/web"}


def test_what_another_project_left_in_folders_of_its_own_is_not_ours_to_doubt(bench: Bench, root: Path) -> None:
    server = folder_of(in_place(root, ("/srv/app", "one\n")), "/srv")
    theirs = Engine(root, time=4_000_000_000.0, server="other", project="ffff")
    theirs.apply(wish("directory", path="/opt"), theirs.file("/opt/page", "one\n"), run="theirs1")
    converge(bench, server)
    theirs.apply(wish("directory", path="/opt"), theirs.file("/opt/page", "two\n"), run="theirs2")

    converge(bench, folder_of(in_place(root, ("/srv/app", "two\n")), "/srv"))

    assert sealed(server.hosts[0], bench.world).folders.keys() == {"/srv"}
    audited = theirs.call("audit", resources=[], folders=["/opt"])
    assert (audited["baseline"], audited["sweep"]) == ({}, {})
