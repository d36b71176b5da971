"""A plan that policy wants approved is carried out with the signatures that it asks for, and with no fewer, others or older ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.app.signing import Team

from vitrify.core.diagnostic import DeclarationInvalid, Denied, IntegrityFailed, PlanStale
from vitrify.core.ledger_report import Asked

pytestmark = pytest.mark.e2e

TWO = "policy: {approvals: {required: 2, keys: [ann@desk, bob@desk, eve@desk]}}"


def approved(team: Team, *people: str, policy: str = TWO) -> str:
    team.declare(policy=policy)
    for person in ("ann", "bob", "eve"):
        team.joins(person)
    path, _ = team.plan("ann")
    for person in people:
        with team.app(person) as app:
            app.approve(path)
    return path


def applied(team: Team, path: str, person: str = "ann") -> None:
    with team.app(person) as app:
        plan = app.saved(path)
        app.approved(plan)
        assert not app.apply(plan).problems


def test_a_plan_with_enough_approvals_is_carried_out_and_the_ledger_says_by_whose_leave(team: Team) -> None:
    path = approved(team, "ann", "bob")
    applied(team, path)
    assert team.motd == "hello\n"
    with team.app("ann") as app:
        (entry,) = app.grep(Asked(kind="plan.approved"))
        by = entry.body["by"]
        assert isinstance(by, list)
        assert [str(one["key"]).partition("+")[0] for one in by] == ["ann@desk", "bob@desk"]
        (intended,) = app.grep(Asked(kind="apply.intended"))
        assert intended.body["plan"] == entry.body["plan"] == json.loads(Path(path).read_text())["digest"]
        assert app.verify().problems == ()


def test_without_enough_it_is_refused_and_says_whose_are_missing(team: Team) -> None:
    path = approved(team, "bob")
    with pytest.raises(Denied) as denied:
        applied(team, path)
    assert denied.value.diagnostics[0].why == "it has 1 of 2, by bob@desk; missing: ann@desk, eve@desk"
    assert team.motd == ""


def test_a_plan_that_was_not_saved_is_refused_likewise(team: Team) -> None:
    approved(team)
    with team.app("ann") as app:
        plan = app.plan()
        with pytest.raises(Denied, match="not approved"):
            app.apply(plan)
    assert team.motd == ""


def test_an_altered_plan_is_neither_approved_nor_applied(team: Team) -> None:
    path = approved(team, "ann", "bob")
    document = json.loads(Path(path).read_text())
    document["servers"][0]["changes"][0]["because"] = ["harmless"]
    Path(path).write_text(json.dumps(document))
    with team.app("eve") as app, pytest.raises(IntegrityFailed, match="altered"):
        app.approve(path)
    document["digest"] = "sha256:" + "0" * 64
    Path(path).write_text(json.dumps(document))
    with pytest.raises(PlanStale):
        applied(team, path)


def test_approvals_of_another_plan_do_not_count(team: Team) -> None:
    old = json.loads(Path(approved(team, "ann", "bob")).read_text())["approvals"]
    team.declare("another", policy=TWO)
    path, _ = team.plan("ann")
    Path(path).write_text(json.dumps({**json.loads(Path(path).read_text()), "approvals": old}))
    with pytest.raises(Denied) as denied:
        applied(team, path)
    assert "it is for another plan" in str(denied.value.diagnostics[0].why)


def test_the_approval_of_a_key_that_was_rotated_or_has_expired_does_not_count(team: Team) -> None:
    path = approved(team, "ann", "bob")
    with team.app("bob") as app:
        app.rotate()
    with pytest.raises(Denied, match="not approved") as denied:
        applied(team, path)
    assert "the key may not approve" in str(denied.value.diagnostics[0].why)
    with team.app("bob") as app:
        app.approve(path)
    text = team.keys.read_text()
    key = next(line for line in text.splitlines() if line.startswith("author bob@desk"))
    team.keys.write_text(text.replace(key, f"{key} until 2020-01-01"))
    with pytest.raises(Denied, match="not approved"):
        applied(team, path)
    team.keys.write_text(text)
    applied(team, path)


def test_a_server_can_ask_for_approvals_of_its_own(team: Team) -> None:
    team.declare(policy="policy: {approvals: {required: 1, keys: [ann@desk]}}")
    declared = team.folder / "shop/vitrify.yaml"
    declared.write_text(
        declared.read_text().replace("    resources:", "    policy: {approvals: {required: 1, keys: [bob@desk]}}\n    resources:")
    )
    path, _ = team.plan("ann")
    with team.app("ann") as app:
        app.approve(path)
    with pytest.raises(Denied):
        applied(team, path)
    with team.app("bob") as app:
        app.approve(path)
    applied(team, path)


def test_an_approved_plan_that_was_cut_short_is_finished_by_the_same_command_and_not_done_again_later(team: Team) -> None:
    path = approved(team, "ann", "bob")
    failpoint = {"VITRIFY_FAILPOINT": "apply.intent"}
    command = [sys.executable, "-P", "-m", "vitrify", "-C", str(team.folder / "shop"), "apply", "-y", path]
    own = {"VITRIFY_HOME": str(team.home("ann")), "VITRIFY_AUTHOR": "ann@desk"}
    killed = subprocess.run(command, env={**os.environ, **own, **failpoint}, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    (team.folder / "root/etc/other").write_text("the host moved on, but not in what is left to do")
    applied(team, path)
    assert team.motd == "hello\n"
    (team.folder / "root/etc/motd").unlink()
    with pytest.raises(PlanStale):
        applied(team, path)


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ("policy: {approvals: {required: 3, keys: [a@b, c@d]}}", "3 approvals are required, and 2 can be given"),
        ("policy: {approvals: {required: 1, keys: [a@b, a@b]}}", "a key is named twice"),
        ("policy: {approvals: {required: 0, keys: [a@b]}}", "too small"),
        ("policy: {approvals: {required: 1, keys: ['a b']}}", "is not a name"),
        ("policy: {approvals: {required: 1}}", "the key `keys` is missing"),
        ("policy: {aprovals: {}}", "approvals"),
    ],
)
def test_a_policy_that_cannot_be_met_or_read_says_where(team: Team, policy: str, told: str) -> None:
    team.declare(policy=policy)
    with team.app("ann") as app, pytest.raises(DeclarationInvalid) as invalid:
        app.plan()
    assert told in str(invalid.value)
    assert invalid.value.diagnostics[0].where is not None
