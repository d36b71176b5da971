"""Limits of instances that have no engine of their own: control groups of the kernel, of either version, made by root.

What a group holds to is written before its first process enters it; the shim's child enters before it becomes anybody else.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Dict, List, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSONObject

ROOT = "/sys/fs/cgroup"
PATIENCE = 2.0
"""Seconds that the last process of a group may take to be gone from it."""
_PERIOD = 100_000
"""Microseconds over which the share of processors is counted."""


def groups(identity: str, limits: JSONObject) -> List[str]:
    """The files through which a process enters the groups of this instance; none where nothing is limited."""
    return [f"{folder}/cgroup.procs" for folder, _ in _wanted(identity, limits)]


def confine(identity: str, limits: JSONObject) -> None:
    """Make the groups, and what they hold to; repeating it is harmless. TargetFailed where this host cannot."""
    for folder, values in _wanted(identity, limits):
        place = Path(folder)
        try:
            if _second():
                _hand_down(place.parent, [name.partition(".")[0] for name in values])
            place.mkdir(mode=0o755, parents=True, exist_ok=True)
            for name, value in values.items():
                (place / name).write_text(value, encoding="ascii")
        except OSError as error:
            hint = "limits under bubblewrap need root and control groups; `runtime: podman` has its own way"
            raise TargetFailed(f"{identity} cannot be held to its limits here", why=f"{folder}: {error.strerror}", hint=hint) from error


def release(identity: str, limits: JSONObject) -> None:
    """Take the groups away; one that something still runs in stays, and does no harm."""
    for folder, _ in _wanted(identity, limits):
        until = time.monotonic() + PATIENCE
        # Whoever was killed a moment ago still counts for an instant.
        while _there(folder) and time.monotonic() < until:
            time.sleep(0.01)
        with contextlib.suppress(OSError):  # others have theirs in it
            Path(folder).parent.rmdir()


def _there(folder: str) -> bool:
    with contextlib.suppress(OSError):
        Path(folder).rmdir()
    return Path(folder).is_dir()


def _second() -> bool:
    return Path(ROOT, "cgroup.controllers").exists()


def _hand_down(folder: Path, controllers: List[str]) -> None:
    """Version 2: a controller counts only where every folder above says so."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    for above in (folder.parent, folder):
        (above / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers), encoding="ascii")


def _wanted(identity: str, limits: JSONObject) -> List[Tuple[str, Dict[str, str]]]:
    """Folder -> file -> value: one folder for all in version 2, one for each controller in version 1."""
    found: Dict[str, Dict[str, str]] = {}
    for controller, values in (_second_values(limits) if _second() else _first_values(limits)).items():
        folder = f"{ROOT}/vitrify/{identity}" if _second() else f"{ROOT}/{controller}/vitrify/{identity}"
        found.setdefault(folder, {}).update(values)
    return sorted(found.items())


def _second_values(limits: JSONObject) -> Dict[str, Dict[str, str]]:
    memory, cpu, pids = limits.get("memory"), limits.get("cpu"), limits.get("pids")
    found: Dict[str, Dict[str, str]] = {}
    if memory:
        found["memory"] = {"memory.max": str(memory)}
    if cpu:
        found["cpu"] = {"cpu.max": f"{_quota(cpu)} {_PERIOD}"}
    if pids:
        found["pids"] = {"pids.max": str(pids)}
    return found


def _first_values(limits: JSONObject) -> Dict[str, Dict[str, str]]:
    memory, cpu, pids = limits.get("memory"), limits.get("cpu"), limits.get("pids")
    found: Dict[str, Dict[str, str]] = {}
    if memory:
        found["memory"] = {"memory.limit_in_bytes": str(memory)}
    if cpu:
        found["cpu"] = {"cpu.cfs_period_us": str(_PERIOD), "cpu.cfs_quota_us": _quota(cpu)}
    if pids:
        found["pids"] = {"pids.max": str(pids)}
    return found


def _quota(thousandths: object) -> str:
    return str(int(str(thousandths)) * _PERIOD // 1000)
