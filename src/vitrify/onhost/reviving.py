"""Brings the instances and routers of a home back when their machine comes up: one unit of systemd, where there is systemd.

    python3 -I -S -c '…' PROGRAM HOME

The unit is written with the first instance and goes with the last. Who was asked to stop, or whose time is over, stays down.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import zipfile
from pathlib import Path
from typing import List

from vitrify.core import unit
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import JSON, JSONObject
from vitrify.onhost import confining, keeping, shim
from vitrify.onhost import podman as engine
from vitrify.onhost.context import Context
from vitrify.onhost.launching import PODMAN, limits_of
from vitrify.onhost.record import read_record, write_whole
from vitrify.onhost.removal import remove_tree

UNITS = "/etc/systemd/system"
ROUTERS = "routers"
_WANTS = f"{UNITS}/multi-user.target.wants"
_START = "import sys; sys.path.insert(0, sys.argv[1]); from vitrify.onhost import reviving; sys.exit(reviving.revive(sys.argv[2]))"
_UNIT = """\
{head}
[Unit]
Description=Instances and routers of vitrify below {home}
After=network.target
RequiresMountsFor={place}
ConditionPathIsDirectory={place}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={words}
TimeoutStopSec=60

[Install]
WantedBy=multi-user.target
"""


def arrange(home: str) -> None:
    """From now on what runs in this home runs again after a reboot; nothing where there is no systemd, or we are not root."""
    if os.geteuid() != 0 or not Path("/run/systemd/system").is_dir():
        return
    words = [sys.executable, "-I", "-S", "-c", _START, _program(home), home]
    place = unit.quoted(home, always=False)
    text = _UNIT.format(head=unit.HEAD, home=unit.specified(home), place=place, words=" ".join(map(unit.argument, words))).encode()
    path, link = Path(UNITS, _name(home)), Path(_WANTS, _name(home))
    if not path.is_file() or path.read_bytes() != text:
        write_whole(str(path), text, mode=0o644)
    if not link.is_symlink():
        link.parent.mkdir(mode=0o755, exist_ok=True)
        link.symlink_to(path)


def dismiss(home: str) -> None:
    """Nothing is to come back any more; harmless where nothing was."""
    for path in (Path(_WANTS, _name(home)), Path(UNITS, _name(home))):
        with contextlib.suppress(OSError):  # not there, or not ours to take away: then we did not write it either
            path.unlink()


def _name(home: str) -> str:
    return f"vitrify-{hashlib.sha256(home.encode()).hexdigest()[:16]}.service"


def _program(home: str) -> str:
    """This very program, kept where a reboot and an empty cache leave it: a folder for Python's path."""
    archive = getattr(shim.__loader__, "archive", None)
    source = Path(archive) if isinstance(archive, str) else Path(shim.__file__).resolve().parents[2]
    place, seen = Path(home, "engine", "payload"), source.stat()
    mark, said = place / "from", f"{source} {seen.st_mtime_ns} {seen.st_ino}\n"
    if mark.is_file() and mark.read_text(encoding="utf-8") == said:
        return str(place)
    making = place.with_name("payload.new")
    making.parent.mkdir(mode=0o700, exist_ok=True)
    remove_tree(str(making))
    if source.is_dir():
        shutil.copytree(source / "vitrify", making / "vitrify", ignore=shutil.ignore_patterns("__pycache__"))
    else:
        with zipfile.ZipFile(source) as packed:
            packed.extractall(making)
    (making / "from").write_text(said, encoding="utf-8")
    remove_tree(str(place))
    making.rename(place)
    return str(place)


def revive(home: str) -> int:
    """Start a shim for everything that should run and does not; 1 where something could not be started, which is then said."""
    failed = 0
    for folder in _kept(home):
        try:
            _revive(home, folder)
        except (VitrifyError, OSError) as error:
            sys.stderr.write(f"{folder}: {error}\n")
            failed = 1
    return failed


def _kept(home: str) -> List[str]:
    """Routers last: they are of no use before what they lead to."""
    found = [folder for kind in ("instances", ROUTERS) for folder in sorted(Path(home, kind).glob("[!.]*"))]
    return [str(folder) for folder in found if (folder / "spec.json").is_file()]


def lost_routers(_: Context, arguments: JSONObject) -> JSONObject:
    """The call `router.lost`: the names of routers that should run and do not. Changes nothing."""
    return {"routers": [Path(folder).name for folder in _lost(str(arguments["home"]))]}


def revive_routers(context: Context, arguments: JSONObject) -> JSONObject:
    """The call `router.revive`: start those again, as they were; the names of those that run now. Repeating it is harmless."""
    home, back = str(arguments["home"]), list[JSON]()
    for folder in _lost(home):
        context.reached("router-revive.intent")
        _revive(home, folder)
        context.reached("router-revive.act")
        back.append(Path(folder).name)
    return {"routers": back}


def _lost(home: str) -> List[str]:
    return [folder for folder in _kept(home) if Path(folder).parent.name == ROUTERS and _down(folder)]


def _down(folder: str) -> bool:
    """Whether it should run and does not."""
    control = shim.Control.read(f"{folder}/control.json")
    return not (keeping.state(folder).kept or control.stop or keeping.due(control))


def _revive(home: str, folder: str) -> None:
    control = shim.Control.read(f"{folder}/control.json")
    if not _down(folder):
        return
    with keeping.lock(f"{folder}/launch.lock"):
        start(home, folder)
    if control.stop_at is not None:
        keeping.ask(folder, keeping.Ask(stop_at=control.stop_at))


def start(home: str, folder: str) -> None:
    """Let a shim keep this folder, with all there that it needs: the container, the groups that hold it to its limits."""
    if not keeping.state(folder).kept:
        podman = engine.known(home) if (read_record(f"{folder}/spec.json") or {}).get("runtime") == PODMAN else None
        if podman is not None:
            from vitrify.onhost import containers

            containers.ready(folder, podman)
        confining.confine(Path(folder).name, limits_of(folder))
    keeping.keep(folder)


CALLS = {"router.lost": lost_routers, "router.revive": revive_routers}
