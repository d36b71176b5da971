"""The dead-man's timer: a host takes a run back by itself, unless somebody who logs in anew confirms it in time.

It is armed before the first change of a run that could shut us out. Everything that it needs lies in the host's memory and with
systemd, so it holds when the connection, the control machine or the host itself goes down in between.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Dict, List

from vitrify.core import systemctl, unit
from vitrify.core.diagnostic import Busy, Denied, TargetFailed, UsageInvalid, VitrifyError
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import silence
from vitrify.core.resource import Kinds
from vitrify.core.step import carry_on
from vitrify.core.system import Attributes
from vitrify.onhost.calls import find_call
from vitrify.onhost.context import Context
from vitrify.onhost.files import write
from vitrify.onhost.journal import all_runs
from vitrify.onhost.memory import Holder
from vitrify.onhost.scope import Here

ALONE = "alone"
"""The payload's first argument where it makes one call that nobody is connected for."""
UNITS = "/etc/systemd/system"
WANTS = f"{UNITS}/timers.target.wants"
BY = "the dead-man's timer"
AGAIN = 75
"""The exit status that asks to be started once more: EX_TEMPFAIL of sysexits.h."""
# A service of type `oneshot` may ask to be started once more from systemd 254 on only; before that it is refused altogether.
_SERVICE = """\
[Unit]
Description=Take back run {run}, which nobody confirmed
StartLimitIntervalSec=0
[Service]
Type=exec
ExecStart={words}
RestartForceExitStatus={again}
RestartSec=2
"""
_TIMER = """\
[Unit]
Description=Take back run {run} unless it is confirmed
[Timer]
{elapses}
AccuracySec=100ms
"""
TRIES = 15
"""So often an undo that fails is begun, before the next start of the machine begins anew."""
FIRST_WAIT = 5.0
"""Seconds between the first two tries; each further wait is twice the one before, which makes a day in all."""


def seconds_of(arguments: JSONObject) -> float:
    """The argument `dead_man` of a call; 0 where there is none."""
    found = arguments.get("dead_man")
    return float(found) if isinstance(found, (int, float)) and found > 0 else 0.0


def need_timer(here: Here) -> None:
    """Raise Denied where a run could not be armed: before it begins."""
    if not here.system.service_manager():
        raise Denied(
            "this could shut us out, and the host has no systemd that could take it back",
            why="a dead-man's timer is a timer of systemd",
            hint="look at the plan once more; `--dead-man 0` applies it without a way back",
        )


def arm(here: Here, run: str, seconds: float, *, running: str = "") -> None:
    """From now on the host takes this run back after so many seconds; repeating it begins the time anew.

    `running` is the program that does so: where it is not given, this very one.
    """
    need_timer(here)
    words = (sys.executable, "-I", "-S", _program(here, run, running or sys.argv[0]), ALONE, here.memory.path(f"{_name(run)}.json"))
    here.memory.write(f"{_name(run)}.json", {"call": "undo", "arguments": _arguments(here, run)})
    texts = {
        f"{UNITS}/{_name(run)}.service": _SERVICE.format(run=run, words=" ".join(map(unit.argument, words)), again=AGAIN),
        f"{UNITS}/{_name(run)}.timer": _TIMER.format(run=run, elapses="\n".join(f"OnActiveSec={after:.3f}" for after in _elapses(seconds))),
    }
    for path, text in texts.items():
        here.system.write(path, text.encode(), attributes=Attributes(mode="0644"))
    if here.system.stat(WANTS) is None:
        here.system.make_directory(WANTS, attributes=Attributes(mode="0755"))
    # A host that goes down meanwhile starts the timer again when it comes up: nobody could confirm anything in between.
    here.system.make_link(f"{WANTS}/{_name(run)}.timer", to=f"{UNITS}/{_name(run)}.timer")
    systemctl.tell(here.system, "daemon-reload")
    systemctl.tell(here.system, "restart", f"{_name(run)}.timer")


def _elapses(seconds: float) -> List[float]:
    """When to try: told to systemd from the beginning, as a try that fails may not be able to write, or may not end by itself."""
    return [seconds + FIRST_WAIT * (2**tried - 1) for tried in range(TRIES)]


def _name(run: str) -> str:
    return f"vitrify-dead-man-{run}"


def _arguments(here: Here, run: str) -> JSONObject:
    scope = here.scope
    told: Dict[str, JSON] = {
        "target": scope.target.value,
        "root": scope.root,
        "lower": [],
        "project": scope.project,
        "server": scope.server,
        "memory": scope.memory,
        "bwrap": "",
        "key": scope.key.hex(),
    }
    # Whoever made the run may hold its lease still, and be shut out: nobody else could take it back.
    over: JSONObject = {"over": True}
    return {"scope": told, "run": run, "force": True, "by": BY, "while_kept": f"{_name(run)}.json", "lease": over}


def _program(here: Here, run: str, running: str) -> str:
    """The program as a file or folder that is still there when the host has gone down and come up."""
    if os.path.isdir(running):
        return running
    kept = here.memory.path(f"{_name(run)}.pyz")

    def fill(descriptor: int) -> None:
        with open(running, "rb") as program:
            write(descriptor, program.read())

    here.memory.put((os.path.basename(kept),), fill)
    return kept


def armed(here: Here) -> List[str]:
    """The runs of this server that the host takes back unless they are confirmed, whoever began them."""
    if not (here.system.service_manager() and here.memory.there() and here.system.stat(UNITS) is not None):
        return []
    timers = [name for name in here.system.names(UNITS) if name.startswith(_name("")) and name.endswith(".timer")]
    runs = [name[len(_name("")) : -len(".timer")] for name in timers]
    return [run for run in runs if _is_ours(here, run)]


def _is_ours(here: Here, run: str) -> bool:
    kept = here.memory.read(f"{_name(run)}.json")
    arguments = kept.get("arguments") if kept else None
    scope = arguments.get("scope") if isinstance(arguments, dict) else None
    return isinstance(scope, dict) and (scope.get("project"), scope.get("server")) == (here.scope.project, here.scope.server)


def disarm(here: Here, run: str) -> bool:
    """Let the run stand; whether it was armed. Repeating it is harmless."""
    timer = f"{UNITS}/{_name(run)}.timer"
    armed = here.system.stat(timer) is not None
    if armed:
        systemctl.tell(here.system, "stop", f"{_name(run)}.timer")
    for path in (f"{WANTS}/{_name(run)}.timer", timer, f"{UNITS}/{_name(run)}.service"):
        here.system.remove(path)
    for name in (f"{_name(run)}.json", f"{_name(run)}.pyz"):
        here.memory.remove(name)
    if armed:
        systemctl.tell(here.system, "daemon-reload")
    return armed


def confirm(context: Context, arguments: JSONObject) -> JSONObject:
    """The call `dead_man.confirm`: the run stands. `stands` is false where it was taken back already."""
    return {"stands": stands(Here.at(context, arguments), str(arguments.get("run", "")))}


def stands(here: Here, run: str) -> bool:
    """Let the run stand, unless it was taken back already: then False."""
    with here.memory.held(Holder("who confirms it", run), here.context.clock):
        disarm(here, run)
        undone = [known.undone or known.undoing for known in all_runs(here.memory) if known.id == run]
    return not any(undone)


def alone(path: str, kinds: Kinds) -> int:
    """Make the call that a file holds, and leave no timer behind; the exit status for systemd."""
    try:
        with open(path, encoding="utf-8") as file:
            asked = json.load(file)
    except FileNotFoundError:
        return 0  # confirmed before we looked; where that happens behind our back, the undo itself refuses
    context = Context(emit=silence, blob=_nobody, reached=carry_on, kinds=kinds, clock=time.time)
    call, arguments = find_call(str(asked["call"])), asked["arguments"]
    if call is None:
        return 1
    try:
        ended = call(context, arguments)
    except Busy:
        return AGAIN  # the run itself is under way: it is taken back when it ends
    except UsageInvalid as error:  # it never changed anything, or was taken back already
        sys.stderr.write(f"{error}\n")
    except VitrifyError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    else:
        whole = _undone(Here.at(context, arguments), str(arguments["run"]))
        sys.stderr.write(f"taken back{'' if whole else ' in part'}: {json.dumps(ended.get('results'))}\n")
        if not whole:
            return 1  # what it needs stays, and so does the timer: it tries once more
    disarm(Here.at(context, arguments), str(arguments["run"]))
    return 0


def _undone(here: Here, run: str) -> bool:
    """Whether it is taken back to its end: whoever listens to what was put back is told as well."""
    return any(known.undone for known in all_runs(here.memory) if known.id == run)


def _nobody(digest: str) -> bytes:
    raise TargetFailed(f"the content {digest} is asked for, and nobody is connected who has it")


CALLS = {"dead_man.confirm": confirm}
