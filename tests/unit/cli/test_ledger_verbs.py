"""The ledger, keys and approvals on the command line: what is asked, what is shown, what is written, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Console
from tests.unit.cli.ledger_answers import KEY, NEW

from vitrify.cli.exits import Exit
from vitrify.core.diagnostic import Denied
from vitrify.core.ledger_report import Asked, Cosigned, KeyView, Shown
from vitrify.core.report import EntryView


def test_what_is_looked_for_is_passed_on_whole(console: Console) -> None:
    console.app.entries_are = (EntryView(4, "2026-02-03T04:05:06.789Z", "ann@desk", "apply.done", {"server": "web"}, {"user": "ann"}),)
    words = ("--server", "web", "--host", "db1", "--kind", "apply.*", "--actor", "ann", "--since", "3")
    ended = console("ledger", "grep", "sha256:ab", *words, "-o", "json")
    assert console.app.calls == [("grep", {"asked": Asked("sha256:ab", "web", "db1", "apply.*", "ann", 3)})]
    assert json.loads(ended.out)["entries"][0]["actor"] == {"user": "ann"}


def test_where_nothing_fits_that_is_said(console: Console) -> None:
    assert console("ledger", "grep", "nothing").out == "No entry fits.\n"


@pytest.mark.parametrize("words", [("prove", "17"), ("checkpoint",)])
def test_what_was_signed_is_written_byte_for_byte(console: Console, tmp_path: Path, words: tuple[str, ...]) -> None:
    out = tmp_path / "out"
    assert console("ledger", *words, "--out", str(out)).code is Exit.DONE
    shown = console("ledger", *words).out
    assert out.read_text() == shown
    assert "— ann@desk AAAA\n" in shown
    assert json.loads(console("ledger", *words, "-o", "json").out)["text"] == shown
    assert console("ledger", *words, "--out", str(tmp_path / "no/such")).code is Exit.USAGE


def test_an_export_is_one_entry_a_line(console: Console, tmp_path: Path) -> None:
    assert console("ledger", "export", "--since", "0").out == '{"sequence":0}\n{"sequence":1}\n'
    console("ledger", "export", "--out", str(tmp_path / "x"))
    assert (tmp_path / "x").read_text() == '{"sequence":0}\n{"sequence":1}\n'
    assert json.loads(console("ledger", "export", "-o", "json").out)["entries"] == [{"sequence": 0}, {"sequence": 1}]


def test_a_witness_that_did_not_cosign_is_named(console: Console) -> None:
    console.app.cosigned_is = Cosigned(7, ("w1",), (("w2", "it cannot be reached"),))
    ended = console("ledger", "checkpoint", "--cosign")
    assert (ended.code, ended.err) == (Exit.UNREACHABLE, "w2 did not cosign: it cannot be reached\n")


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ((), ("verify", {"path": "", "quick": False})),
        (("--quick",), ("verify", {"path": "", "quick": True})),
        (("./copy",), ("verify", {"path": "./copy", "quick": False})),
        (("--receipt", "x"), ("check_receipt", {"path": "x"})),
        (("--at-host", "db1"), ("verify_at", {"host": "db1"})),
    ],
)
def test_one_thing_is_verified_at_a_time(console: Console, words: tuple[str, ...], call: tuple[str, dict[str, object]]) -> None:
    assert console("ledger", "verify", *words).code is Exit.DONE
    assert console.app.calls == [call]
    if words:
        assert console("ledger", "verify", *words, *(("--quick",) if "--quick" not in words else ("./copy",))).code is Exit.USAGE


def test_what_does_not_hold_is_shown_and_then_refused(console: Console) -> None:
    console.app.shown_is = Shown("db1", ("entry 3 is another one on db1 than here",), {"seen": 9})
    ended = console("ledger", "verify", "--at-host", "db1")
    assert ended.code is Exit.INTEGRITY
    assert "x broken  entry 3 is another one" in ended.out
    assert "the ledger as db1 saw it does not hold" in ended.err


def test_a_ledger_is_recovered_from_somewhere_and_after_asking(console: Console) -> None:
    assert console("ledger", "recover").code is Exit.USAGE
    assert console("ledger", "recover", "--from-hosts").code is Exit.USAGE, "no terminal, no -y"
    ended = console("ledger", "recover", "--from-hosts", "-y")
    assert ended.out == "The ledger has 7 entries, 7 of them from local; ssh://db1 could not be asked.\n"


def test_keys_are_listed_with_what_they_count_for(console: Console) -> None:
    console.app.keys_are = (
        KeyView(KEY, "author", ours=True, until="2030-01-01"),
        KeyView(NEW, "revoked", size=7),
        KeyView("w1+645deb83+BI3z", "witness", url="https://w1"),
    )
    told = console("key", "list").out
    assert "author   ann@desk+5b3b7a2c  yes   until 2030-01-01" in told
    assert "revoked  ann@desk+00c0ffee        in the first 7 entries, nowhere else" in told
    assert "witness  w1+645deb83              cosigns, at https://w1" in told


def test_a_key_is_replaced_and_revoked_for_a_reason_and_after_asking(console: Console) -> None:
    assert console("key", "rotate").code is Exit.USAGE
    assert console("key", "rotate", "-y", "--until", "soon").code is Exit.USAGE
    assert "ann@desk+00c0ffee signs from now on" in console("key", "rotate", "-y", "--until", "2030-01-01").out
    for words in ((), ("--lost", "--stolen")):
        assert console("key", "revoke", "bob", "-y", *words).code is Exit.USAGE
    console("key", "revoke", "bob", "-y", "--stolen", "--since", "3")
    assert console.app.calls == [("rotate", {"until": "2030-01-01"}), ("revoke", {"key": "bob", "why": "stolen", "since": 3})]


def test_an_approval_tells_who_has_and_who_has_not(console: Console) -> None:
    ended = console("approve", "plan.json")
    assert ended.out == "ok approved by ann@desk+5b3b7a2c: sha256:0\nweb: 1 of 2 approvals; missing: bob@desk\n"


def test_a_plan_that_is_not_approved_is_neither_shown_for_a_yes_nor_applied(console: Console) -> None:
    console.app.fails_in["approved"] = Denied("the plan for web is not approved", why="it has 0 of 2; missing: ann@desk, bob@desk")
    ended = console("apply", "-y")
    assert (ended.code, console.app.asked) == (Exit.DENIED, ["plan", "approved"])
    assert "missing: ann@desk, bob@desk" in ended.err


def test_a_witness_serves_where_it_is_told(console: Console) -> None:
    console("witness", "--listen", "127.0.0.1:0", "--name", "w1")
    assert console.app.calls == [("serve_witness", {"listen": "127.0.0.1:0", "name": "w1"})]
