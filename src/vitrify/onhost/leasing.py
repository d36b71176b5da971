"""Leases as calls: where the lease of a call is kept, and that a call which presents one acts by it. The payload's `lease.*` calls."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Dict, Iterator, Mapping, Optional

from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSON, JSONObject
from vitrify.onhost.context import Context
from vitrify.onhost.faults import told
from vitrify.onhost.lease import SECONDS, Lease, Leases, Wish
from vitrify.onhost.memory import Memory
from vitrify.onhost.tenant import Tenant

if TYPE_CHECKING:  # instances have no such place, and their calls do not pay for its modules
    from vitrify.onhost.scope import Here

FOLDER = "leases"


@contextmanager
def leased(here: Here, arguments: JSONObject, *, reason: str, operation: str) -> Iterator[Lease]:
    """Change a target in place by a lease, kept beside all else that the target remembers: of this call's own, or by what it presents."""
    here.memory.prepare()
    _make(here.memory.path(FOLDER))
    memory, scope = Memory(here.memory.path(FOLDER), within=here.scope.root), here.scope
    wish = wished(arguments, by=str(arguments.get("by", "")), reason=reason, operation=operation)
    with Leases(memory, scope.project, scope.server, reached=here.context.reached).held(wish) as lease:
        yield lease


def standing(here: Here) -> JSON:
    """The lease that keeps others from changing this target in place now; None where none does. Changes nothing."""
    memory = Memory(here.memory.path(FOLDER), within=here.scope.root)
    return _told(Leases(memory, here.scope.project, here.scope.server).standing())


def wished(arguments: JSONObject, *, by: str, reason: str, operation: str) -> Wish:
    """What a call asks for a lease with, as far as it says; the rest is as given here."""
    given = arguments.get("lease")
    asked: Mapping[str, JSON] = given if isinstance(given, dict) else {}
    seconds = asked.get("seconds")
    return Wish(
        by=str(asked.get("by") or by),
        reason=str(asked.get("reason") or reason),
        operation=str(asked.get("operation") or operation),
        process=Tenant.from_json(asked.get("process")),
        seconds=float(seconds) if isinstance(seconds, (int, float)) and seconds > 0 else SECONDS,
        token=_number(asked.get("token")),
        kept=asked.get("kept") is True,
        over=asked.get("over") is True,
    )


def fenced(call: Callable[[Context, JSONObject], JSONObject], context: Context, arguments: JSONObject) -> JSONObject:
    """Make a call by the lease that it presents; Busy, and nothing done, where that holds no more."""
    with _kept(context, arguments).presented(_token(arguments)):
        return call(context, arguments)


def acquire(context: Context, arguments: JSONObject) -> JSONObject:
    """The call `lease.acquire`: the next token is the caller's."""
    return _kept(context, arguments, make=True).acquire(wished(arguments, by="", reason="change", operation="")).to_json()


def renew(context: Context, arguments: JSONObject) -> JSONObject:
    """The call `lease.renew`: the holder is still at it; another process of it is from now on, where it names one."""
    asked = replace(wished(arguments, by="", reason="change", operation=""), kept=True, over=False)
    if not asked.token:
        raise UsageInvalid("the call does not say which lease it means")
    with _kept(context, arguments).held(asked) as lease:
        return lease.to_json()


def release(context: Context, arguments: JSONObject) -> JSONObject:
    """The call `lease.release`: of its own token, or with token 0 of whoever has it; `released` is that lease, or null."""
    why = str(arguments.get("why") or "it was given back")
    leases = _kept(context, arguments)
    return {"released": _told(leases.release(_token(arguments), why=why) if leases.read() else None)}


def show(context: Context, arguments: JSONObject) -> JSONObject:
    """The call `lease.show`: the `last` lease that was given, and whether it is `standing`; null and false where there was none."""
    leases = _kept(context, arguments)
    return {"last": _told(leases.read()), "standing": leases.standing() is not None}


def _told(lease: Optional[Lease]) -> JSON:
    return lease.to_json() if lease else None


def _token(arguments: JSONObject) -> int:
    return _number(_given(arguments).get("token"))


def _number(token: JSON) -> int:
    return token if isinstance(token, int) and token > 0 else 0


def _given(arguments: JSONObject) -> JSONObject:
    given = arguments.get("lease")
    if not isinstance(given, dict):
        raise UsageInvalid("the call does not say which lease it means")
    return given


def _kept(context: Context, arguments: JSONObject, *, make: bool = False) -> Leases:
    """The lease that the argument `lease` names by `home`, `project` and `server`."""
    given = _given(arguments)
    home = str(given.get("home", ""))
    if not home:
        raise UsageInvalid("the call does not say where its lease is kept")
    if make:
        with told(f"{home} cannot be created"):
            Path(home).mkdir(mode=0o711, parents=True, exist_ok=True)
        _make(f"{home}/{FOLDER}")
    memory = Memory(f"{home}/{FOLDER}", within=str(given.get("within") or home))
    return Leases(memory, str(given.get("project", "")), str(given.get("server", "")), reached=context.reached)


def _make(folder: str) -> None:
    with told(f"{folder} cannot be created"), suppress(FileExistsError):
        Path(folder).mkdir(mode=0o700)


CALLS: Dict[str, Callable[[Context, JSONObject], JSONObject]] = {
    "lease.acquire": acquire,
    "lease.renew": renew,
    "lease.release": release,
    "lease.show": show,
}
