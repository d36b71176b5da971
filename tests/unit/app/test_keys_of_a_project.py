"""Keys are rotated, lost and stolen; the ledger says so, and goes on verifying, and what the key may not sign is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.unit.app.signing import Team

from vitrify.app import App
from vitrify.core.diagnostic import Denied, IntegrityFailed, UsageInvalid
from vitrify.core.ledger_report import Asked
from vitrify.ledger import keys
from vitrify.ledger.log import Log
from vitrify.stores.directory import DirectoryLedgerStore


@pytest.fixture
def worked(team: Team) -> Team:
    team.declare()
    for person in ("ann", "bob"):
        team.enters(person)
    return team


@contextmanager
def opened(team: Team, person: str = "ann") -> Iterator[App]:
    with team.app(person) as app:
        yield app


def states(team: Team) -> dict[str, str]:
    with opened(team) as app:
        return {one.key.rsplit("+", 1)[0]: one.state for one in app.known_keys()}


def the_log(team: Team) -> Path:
    (place,) = (team.folder / "projects").iterdir()
    return place / "ledger"


def test_a_rotated_key_hands_over_and_signs_nothing_new(worked: Team) -> None:
    old = keys.load(worked.home("ann") / "keys/author")
    with opened(worked) as app:
        moved = app.rotate(until="2099-01-01")
    new = keys.load(worked.home("ann") / "keys/author")
    assert (moved.key, moved.new) == (str(old.verifier), str(new.verifier))
    assert sorted(states(worked).values()) == ["author", "author", "retired"]
    with opened(worked) as app:
        assert app.verify().problems == ()
        worked.enters("ann")
        assert app.verify().problems == ()
        (entry,) = app.grep(Asked(kind="key.rotated"))
        assert (entry.author, entry.body["new"]) == ("ann@desk", str(new.verifier))
    store = DirectoryLedgerStore(the_log(worked))
    origin = store.read("checkpoint").split(b"\n")[0].decode()  # type: ignore[union-attr]

    class Noon:
        def now(self) -> float:
            return 1_770_091_506.0

    Log(store, origin=origin, signer=old, clock=Noon(), trusted=(str(new.verifier),)).append("plan", {})
    with opened(worked) as app:
        assert any("counts up to" in problem for problem in app.verify().problems)
    with pytest.raises(IntegrityFailed):
        worked.enters("ann")


@pytest.mark.parametrize("step", ["key-rotate.intent", "key-rotate.act", "key-rotate.outcome"])
def test_a_rotation_cut_short_is_finished_by_the_same_command(worked: Team, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def dying(_: object) -> object:
        def reached(name: str) -> None:
            if name == step:
                raise Killed

        return reached

    with monkeypatch.context() as patch:
        patch.setattr("vitrify.app.key_verbs.from_environment", dying)
        with pytest.raises(Killed), opened(worked) as app:
            app.rotate()
    if step == "key-rotate.act":
        with pytest.raises(Denied, match="counts no more"):
            worked.enters("ann")
    if step != "key-rotate.outcome":
        with opened(worked) as app:
            app.rotate()
    worked.enters("ann")
    with opened(worked) as app:
        assert app.verify().problems == ()
        assert len(app.grep(Asked(kind="key.rotated"))) == 1
    assert sorted(states(worked).values()) == ["author", "author", "retired"]


def test_a_key_that_another_project_replaced_is_replaced_here_by_the_same_one(tmp_path: Path) -> None:
    shop, bar = Team(tmp_path / "one"), Team(tmp_path / "two")
    for team in (shop, bar):
        team.folder.mkdir()
        team.declare()
    (bar.folder / "ann").symlink_to(shop.home("ann"))
    for team in (shop, bar):
        team.enters("ann")
    with opened(shop) as app:
        first = app.rotate()
    with opened(bar) as app:
        second = app.rotate()
        assert app.verify().problems == ()
    assert (first.key, first.new) == (second.key, second.new)


def test_a_lost_key_keeps_what_it_signed_and_a_stolen_one_loses_what_came_after(worked: Team) -> None:
    with opened(worked) as app, pytest.raises(UsageInvalid, match="the key you sign with"):
        app.revoke("ann@desk", why="lost")
    with opened(worked) as app:
        moved = app.revoke("bob@desk", why="lost")
        assert moved.state == "retired"
        assert app.verify().problems == ()
    with pytest.raises(Denied, match="counts no more"):
        worked.enters("bob")
    with opened(worked) as app:
        worse = app.revoke("bob@desk", why="stolen", since=1)
        assert (worse.state, worse.size) == ("revoked", 1)
        assert [entry.body["why"] for entry in app.grep(Asked(kind="key.revoked"))] == ["lost", "stolen"]
        assert app.verify().problems == ()
    assert states(worked)[moved.key.rsplit("+", 1)[0]] == "revoked"


def test_a_key_is_meant_by_its_name_or_its_id_and_by_nothing_that_fits_two(worked: Team) -> None:
    with opened(worked) as app:
        for wanted in ("eve@desk", "", "desk"):
            with pytest.raises(UsageInvalid, match="which key"):
                app.revoke(wanted, why="lost")
        short = next(one.key for one in app.known_keys() if one.key.startswith("bob")).split("+")[1]
        assert app.revoke(short, why="lost").key.startswith("bob@desk+")


def test_an_expired_key_is_replaced_before_it_signs_again(worked: Team) -> None:
    text = worked.keys.read_text()
    line = next(line for line in text.splitlines() if line.startswith("author ann@desk"))
    worked.keys.write_text(text.replace(line, f"{line} until 2020-01-01"))
    with pytest.raises(Denied, match="has expired"):
        worked.enters("ann")
    with opened(worked) as app:
        app.rotate()
    worked.enters("ann")
    with opened(worked) as app:
        assert app.verify().problems == ()


def test_what_held_once_is_asked_of_the_ledger_again(worked: Team) -> None:
    place = the_log(worked)
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    with opened(worked) as app:
        worked.enters("ann")
        assert app.verify().problems == ()
        assert app.verify(quick=True).problems == ()
    for path in place.rglob("*"):
        if path.is_file() and path not in before:
            path.unlink()
    for path, content in before.items():
        path.write_bytes(content)
    with opened(worked) as app:
        assert "it was shortened" in app.verify().problems[0]
        assert "it was shortened" in app.verify(quick=True).problems[0]


def test_an_entry_says_who_was_at_the_keyboard_and_in_which_pipeline(worked: Team) -> None:
    with worked.app("ann", GITHUB_ACTIONS="true", GITHUB_REPOSITORY="shop/shop", GITHUB_RUN_ID="42", GITHUB_ACTOR="carla") as app:
        app._wiring.ledgers.log.append("note", {})  # noqa: SLF001  what any verb does, without the host that it would ask
        (found,) = app.grep(Asked(actor="carla"))
    assert found.actor["user"] == "ann"
    assert found.actor["ci"] == {"system": "github-actions", "repository": "shop/shop", "run": "42", "by": "carla"}


def test_a_key_that_was_planted_counts_and_only_the_file_under_version_control_tells(worked: Team) -> None:
    before = worked.keys.read_text()
    eve = keys.create(worked.home("eve") / "eve.key", name="eve@cellar")
    worked.keys.write_text(before + f"author {eve.verifier}\n")
    store = DirectoryLedgerStore(the_log(worked))
    origin = (store.read("checkpoint") or b"").split(b"\n")[0].decode()

    class Noon:
        def now(self) -> float:
            return 1_770_091_506.0

    authors = tuple(line.split()[1] for line in before.splitlines() if line.startswith("author "))
    Log(store, origin=origin, signer=eve, clock=Noon(), trusted=authors).append("note", {})

    with opened(worked) as app:
        assert app.verify().problems == ()
    worked.keys.write_text(before)
    with opened(worked) as app:
        assert app.verify().problems


def test_a_receipt_convinces_whoever_has_the_keys_alone(worked: Team, tmp_path: Path) -> None:
    with opened(worked) as app:
        (tmp_path / "0.tlog-proof").write_text(app.prove(0))
        assert app.check_receipt(str(tmp_path / "0.tlog-proof")).problems == ()
        (tmp_path / "0.tlog-proof").write_text(app.prove(0).replace("index 0", "index 1"))
        assert app.check_receipt(str(tmp_path / "0.tlog-proof")).problems
        with pytest.raises(UsageInvalid, match="no entry 99"):
            app.prove(99)
        assert len(list(app.export_ledger())) == len(app.entries(last=99))
