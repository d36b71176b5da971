"""Folders that are audited and that no resource makes ours: after an undo they are compared with, and sealed, as after an apply."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bench import Bench, do, in_place
from looking import converge, look

from vitrify.core.audit_policy import AuditPolicy
from vitrify.core.declaration import Server
from vitrify.core.drift import Class
from vitrify.lifecycle import undoing
from vitrify.testing.engine import quick_folder


@pytest.fixture
def root() -> Iterator[Path]:
    with quick_folder() as folder:
        for name in ("etc", "srv"):
            (folder / name).mkdir()
        (folder / "etc/hosts").write_text("127.0.0.1 localhost\n")
        yield folder


def a_host(root: Path, *files: tuple[str, str]) -> Server:
    return replace(in_place(root, *files), audit=AuditPolicy(("/etc",)))


def undo(bench: Bench, server: Server) -> None:
    do(undoing.undo(server, server.hosts[0], bench.world))


ONE, BOTH = (("/etc/motd", "hello\n"),), (("/etc/motd", "hello\n"), ("/etc/issue", "welcome\n"))


def test_what_an_undo_takes_away_and_puts_back_is_no_finding(root: Path) -> None:
    bench = Bench()
    converge(bench, a_host(root, *ONE))
    converge(bench, a_host(root, ("/etc/motd", "good morning\n"), ("/etc/issue", "welcome\n")))

    undo(bench, a_host(root, *ONE))

    assert not (root / "etc/issue").exists()
    assert look(bench, a_host(root, *ONE)).findings == ()


def test_what_somebody_did_beside_it_stays_a_finding(root: Path) -> None:
    bench = Bench()
    converge(bench, a_host(root, *ONE))
    converge(bench, a_host(root, *BOTH))
    (root / "etc/hosts").write_text("6.6.6.6 localhost\n")
    (root / "etc/cron.d").mkdir()

    undo(bench, a_host(root, *ONE))

    found = {finding.path: finding.classed for finding in look(bench, a_host(root, *ONE)).findings}
    assert found == {"/etc/hosts": Class.UNAUTHORISED, "/etc/cron.d": Class.UNAUTHORISED}


def test_the_entry_of_an_undo_seals_them_so_that_a_rewritten_baseline_is_found_out(root: Path) -> None:
    bench = Bench()
    converge(bench, a_host(root, *ONE))
    converge(bench, a_host(root, *BOTH))
    undo(bench, a_host(root, *ONE))
    (sealed,) = bench.bodies("undo.done")
    assert isinstance(sealed["seals"], dict)
    assert set(sealed["seals"]) == {"/etc"}

    (root / "etc/hosts").write_text("6.6.6.6 localhost\n")
    kept = root / "var/lib/vitrify"
    before = {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()}
    other = Bench()  # somebody else's tool, who is root there as well, records what there is now
    other.state.manage("web", "machine")
    converge(other, a_host(root, ("/etc/motd", "hello\n"), ("/etc/hosts", "6.6.6.6 localhost\n")))
    assert any(path.read_bytes() != content for path, content in before.items() if path.exists())

    assert look(bench, a_host(root, *ONE)).rewritten
