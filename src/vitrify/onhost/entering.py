"""How a person gets into an instance, and the mark that stays on one whom somebody entered."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON, JSONObject
from vitrify.onhost import keeping
from vitrify.onhost import podman as engine
from vitrify.onhost.identity import Identity, alive
from vitrify.onhost.podman import Podman
from vitrify.onhost.record import read_record, write_record

RECORD = "entered.json"
"""In the folder of an instance that somebody entered: by whom, why, when, and the ledger's entry about it."""
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def mark(folder: str, *, by: str, reason: str, entry: int) -> None:
    """Note durably that somebody enters; the first one stays noted."""
    if read_record(f"{folder}/{RECORD}") is None:
        write_record(f"{folder}/{RECORD}", {"format": 1, "by": by, "reason": reason, "entry": entry, "at": round(time.time())})


def marked(folder: str) -> Optional[JSONObject]:
    """The mark; None on an instance that nobody entered."""
    return read_record(f"{folder}/{RECORD}")


def spoken(found: Optional[JSONObject]) -> str:
    """The mark in words; "" where there is none."""
    return f"entered by {found.get('by')}: {found.get('reason')}" if found else ""


def difference(folder: str) -> List[JSONObject]:
    """The mark as what it is: a reason why the instance is not its image any more."""
    found = marked(folder)
    if found is None:
        return []
    details: List[JSON] = [spoken(found)]
    told: Dict[str, JSON] = {"path": f"instance:{Path(folder).name}", "change": "entered", "details": details}
    told.update(old=None, new=None, modified_at=found.get("at"), owner=str(found.get("by")), entry=found.get("entry"))
    return [told]


def way_in(folder: str, argv: List[str], *, terminal: bool, podman: Optional[Podman]) -> List[str]:
    """What to run on this host so that `argv` runs inside, as the instance's own user; TargetFailed where it does not run."""
    application = _application(folder)
    if podman is not None:
        flags = ["--interactive", *(["--tty"] if terminal else [])]
        return [*podman.argv, "exec", *flags, Path(folder).name, *argv]
    # What the caller's shell holds has no business inside, and secrets of the process none among arguments.
    bare = ["env", "-i", _PATH, "HOME=/", f"TERM={os.environ.get('TERM', 'dumb')}"]
    return [*bare, *_entered(application), "--", *argv]


def as_process(home: str, instance: str, argv: List[str], more: Mapping[str, str]) -> Tuple[List[str], Dict[str, str]]:
    """What to run on this host, and in which environment, so that `argv` runs inside just as the instance's process does.

    That is as its user, in its folder, with its variables and `more` of them, none of which is an argument that others could see.
    """
    folder = f"{home}/instances/{instance}"
    spec = read_record(f"{folder}/spec.json")
    if spec is None:
        raise TargetFailed(f"there is no instance {instance}", hint="`vitrify status` lists those that there are")
    podman = engine.known(home) if spec.get("runtime") == "podman" else None
    application = _application(folder)
    if podman is not None:
        named = [f"--env={name}" for name in more]
        return [*podman.argv, "exec", "--interactive", *named, instance, *argv], {**podman.environment, **more}
    own = {name: str(value) for name, value in (read_record(f"{folder}/environment") or {}).items()}
    program = shutil.which("nsenter", path=_PATH.partition("=")[2]) or "nsenter"
    return [program, *_entered(application)[1:], "--wd", "--", *argv], {**own, **more}


def _application(folder: str) -> Identity:
    found = keeping.state(folder)
    if found.status != "running" or found.application is None or not alive(found.application):
        raise TargetFailed(f"nobody can enter {Path(folder).name}: it is {found.status}", hint="`vitrify status` tells which run")
    return found.application


def _entered(application: Identity) -> List[str]:
    uid, gid = _owner(application)
    return ["nsenter", f"--target={application.pid}", "--user", "--mount", "--pid", "--ipc", "--uts", f"--setuid={uid}", f"--setgid={gid}"]


def _owner(application: Identity) -> Tuple[int, int]:
    """The only user and group that there are inside: those it runs as."""
    status = Path(f"/proc/{application.pid}/status").read_text(encoding="utf-8").splitlines()
    uid, gid = (next(line.split()[2] for line in status if line.startswith(name)) for name in ("Uid:", "Gid:"))
    return int(uid), int(gid)
