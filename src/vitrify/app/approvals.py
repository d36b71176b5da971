"""Who has to agree to a plan, who has, and the entry that says so."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from vitrify.core.diagnostic import Denied

if TYPE_CHECKING:
    from vitrify.app.ledgers import Ledgers
    from vitrify.core.declaration import Declaration
    from vitrify.core.digest import JSONObject
    from vitrify.core.ledger_report import Approved
    from vitrify.core.plan import Plan
    from vitrify.core.policy import Approvals
    from vitrify.ledger.approval import Approval
    from vitrify.lifecycle.world import Ledger

APPROVED = "plan.approved"


def demands(plan: Plan, declaration: Declaration) -> dict[str, Approvals]:
    """Server -> who has to agree, of each server that the plan changes and somebody has to agree to."""
    changed = {one.server for one in plan.servers if not one.empty}
    found = {server.name: server.approvals or declaration.approvals for server in declaration.servers if server.name in changed}
    return {name: approvals for name, approvals in found.items() if approvals.required}


def judge(notes: tuple[str, ...], ledgers: Ledgers, *, plan: str, declaration: str) -> tuple[Approval, ...]:
    """The signatures under a plan, each judged by the keys that count today."""
    from vitrify.app.ledgers import today
    from vitrify.ledger.approval import Subject, judged

    identity = ledgers.identity
    return judged(notes, Subject(identity.project_id, plan, declaration), identity.approving(today=today()))


def refuse_unapproved(plan: Plan, declaration: Declaration, ledgers: Ledgers) -> tuple[Approval, ...]:
    """Denied unless enough have approved every server that the plan changes; returns the approvals that count."""
    wanted = demands(plan, declaration)
    if not wanted:
        return ()
    found = judge(plan.approvals, ledgers, plan=plan.approved_as, declaration=plan.declaration)
    keys = [one.key for one in found if not one.wrong]
    for server, approvals in wanted.items():
        given, missing = approvals.given(keys), approvals.missing(keys)
        if missing:
            wrong = "; ".join(f"that of {one.key} does not count: {one.wrong}" for one in found if one.wrong)
            by = f", by {', '.join(given)}" if given else ""
            has = f"it has {len(given)} of {approvals.required}{by}; missing: {', '.join(missing)}"
            hint = "`vitrify approve plan.json` adds one" if plan.approvals else _HOW
            raise Denied(f"the plan for {server} is not approved", why=f"{has}{f'; {wrong}' if wrong else ''}", hint=hint)
    return tuple(one for one in found if not one.wrong)


_HOW = "`vitrify plan -o plan.json` saves a plan, `vitrify approve plan.json` approves it, `vitrify apply plan.json` carries it out"


def enter(plan: Plan, counted: tuple[Approval, ...], declaration: Declaration, ledger: Ledger) -> None:
    """Say in the ledger what is about to be done by whose leave, once for each plan."""
    from vitrify.lifecycle import record
    from vitrify.project.identity import short

    if not counted:
        return
    wanted = demands(plan, declaration)
    servers: JSONObject = {server: {"required": one.required, "keys": [*one.keys]} for server, one in wanted.items()}
    by: list[JSONObject] = [{"key": short(one.key), "at": one.at} for one in counted]
    body: JSONObject = {"operation": plan.approved_as, "plan": plan.approved_as, "declaration": plan.declaration, "servers": [*servers]}
    record.once(ledger, APPROVED, {**body, "demanded": servers, "by": [*by]}, since=max(0, ledger.size - 256))


def approve(path: str, ledgers: Ledgers, declaration: Declaration | None) -> Approved:
    """Sign the plan in this file, as whoever is at the keyboard; a second signature by the same key is not added."""
    from vitrify.core.ledger_report import Approved
    from vitrify.ledger.approval import Subject
    from vitrify.ledger.approval import approve as signed
    from vitrify.project import saved
    from vitrify.project.identity import short

    document, digest, declared = saved.approvable(path)
    own, identity = ledgers.signer, ledgers.identity
    before = [one.key for one in judge(saved.approvals(document), ledgers, plan=digest, declaration=declared) if not one.wrong]
    if str(own.verifier) not in before:
        saved.approve(path, signed(Subject(identity.project_id, digest, declared), own, now=time.time()))
    notes = saved.approvals(saved.read(path))
    found = judge(notes, ledgers, plan=digest, declaration=declared)
    keys = [one.key for one in found if not one.wrong]
    told = _demanded(_changed(document), declaration, keys) if declaration else ()
    wrong = tuple(f"{one.key}: {one.wrong}" for one in found if one.wrong)
    return Approved(digest, short(str(own.verifier)), tuple(dict.fromkeys(short(key) for key in keys)), wrong, told)


def _demanded(about: set[str], declaration: Declaration, keys: list[str]) -> tuple[JSONObject, ...]:
    wanted = {server.name: server.approvals or declaration.approvals for server in declaration.servers if server.name in about}
    return tuple(
        {"server": name, "required": one.required, "given": [*one.given(keys)], "missing": [*one.missing(keys)]}
        for name, one in wanted.items()
        if one.required
    )


def _changed(document: JSONObject) -> set[str]:
    servers = document.get("servers")
    return {str(one.get("server")) for one in servers if isinstance(one, dict)} if isinstance(servers, list) else set()
