"""Each host keeps what concerns it of the ledger: a rewritten one is contradicted, another machine's refused, a lost one found again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.unit.app.signing import Team

from vitrify.core.diagnostic import Busy, IntegrityFailed, UsageInvalid
from vitrify.core.ledger_report import Asked

pytestmark = pytest.mark.e2e


def applied(team: Team, person: str = "ann") -> None:
    with team.app(person) as app:
        assert not app.apply(app.plan()).problems


@pytest.fixture
def worked(team: Team) -> Team:
    team.declare()
    applied(team)
    return team


def host(team: Team) -> str:
    return f"root:{team.folder / 'root'}"


def kept(team: Team) -> Path:
    (place,) = (team.folder / "root/var/lib/vitrify/ledger").iterdir()
    return place


def ledger(team: Team) -> Path:
    (place,) = (team.folder / "projects").iterdir()
    return place / "ledger"


def test_an_intent_is_on_the_host_before_anything_is_done_there(worked: Team) -> None:
    entries = [json.loads(line) for line in (kept(worked) / "entries").read_text().split("\n") if line]
    assert [entry["kind"] for entry in entries] == ["plan", "apply.intended"]
    assert (kept(worked) / "checkpoint").read_text().split("\n")[1] == "2"
    assert (kept(worked) / "home").read_text().startswith("ann@desk, in ")
    assert {path.stat().st_mode & 0o777 for path in kept(worked).iterdir()} == {0o600}


def test_what_a_host_saw_is_compared_with_the_ledger(worked: Team) -> None:
    worked.declare("more")
    applied(worked)
    with worked.app("ann") as app:
        shown = app.verify_at(host(worked))
        assert (shown.problems, shown.details["seen"], shown.details["entries"]) == ((), "5", 5)
        with pytest.raises(UsageInvalid, match="no server lives"):
            app.verify_at("ssh://nobody")
    entries = kept(worked) / "entries"
    entries.write_text(entries.read_text().replace('"empty":false', '"empty":true'))
    with worked.app("ann") as app:
        assert app.verify_at(host(worked)).problems[0] == f"entry 0 is another one on {host(worked)} than here"


def test_a_ledger_that_was_shortened_or_rewritten_is_contradicted_by_the_host(worked: Team) -> None:
    before = ledger(worked).with_name("before")
    shutil.copytree(ledger(worked), before)
    for text in ("more", "and more"):
        worked.declare(text)
        applied(worked)
    shutil.rmtree(ledger(worked))
    shutil.copytree(before, ledger(worked))
    with worked.app("ann") as app:
        assert app.verify().problems == (), "alone, an older ledger looks honest"
        assert "it was shortened" in app.verify_at(host(worked)).problems[0]
        with pytest.raises(IntegrityFailed, match="shortened or rewritten"):
            app.plan()
    for _ in range(9):
        worked.enters("ann")  # somebody goes on from there
    with worked.app("ann") as app:
        assert "another tree" in app.verify_at(host(worked)).problems[0]
        with pytest.raises(IntegrityFailed, match="shortened or rewritten"):
            app.plan()


def test_a_second_machine_is_told_where_the_ledger_lives(worked: Team) -> None:
    (worked.home("bob") / "projects").unlink()  # a machine of its own
    with worked.app("bob") as app, pytest.raises(Busy, match="lives at ann@desk, in ") as busy:
        app.plan()
    assert "recover --from-hosts" in str(busy.value.diagnostics[0].hint)
    assert worked.motd == "hello\n"


def test_a_lost_ledger_is_put_together_again_from_what_the_hosts_kept(worked: Team) -> None:
    worked.declare("more")
    applied(worked)
    lost = {path.relative_to(ledger(worked)): path.read_bytes() for path in ledger(worked).rglob("checkpoint")}
    shutil.rmtree(ledger(worked))
    with worked.app("ann") as app:
        found = app.recover()
        assert (found.before, found.size, found.silent) == (0, 5, ())
        assert app.verify().problems == ()
        told = [entry.kind for entry in app.entries(last=9)]
        assert told == ["plan", "apply.intended", "apply.done", "plan", "apply.intended", "ledger.recovered"]
        assert app.recover().size == 6, "a second time there is nothing to do"
    assert lost
    worked.declare("and more")
    applied(worked)
    with worked.app("ann") as app:
        assert app.verify_at(host(worked)).problems == ()
        assert len(app.grep(Asked(kind="apply.done"))) == 3, "of the last apply, its host was asked how it ended"


def test_what_nobody_kept_is_named_and_nothing_is_written(worked: Team) -> None:
    entries = kept(worked) / "entries"
    entries.write_text("\n".join(line for line in entries.read_text().split("\n") if "apply.intended" not in line) + '{"half')
    shutil.rmtree(ledger(worked))
    with worked.app("ann") as app, pytest.raises(IntegrityFailed) as failed:
        app.recover()
    assert "entries 1 of 2 are kept by none" in str(failed.value.diagnostics[0].why)
    assert not (ledger(worked) / "checkpoint").exists()


def test_a_checkpoint_that_a_host_s_root_made_up_proves_nothing_and_is_no_obstacle(worked: Team) -> None:
    path = kept(worked) / "checkpoint"
    path.write_text(path.read_text().replace("\n2\n", "\n900\n"))
    worked.declare("more")
    applied(worked)
    with worked.app("ann") as app:
        assert "wrong signature" in app.verify_at(host(worked)).problems[0]
