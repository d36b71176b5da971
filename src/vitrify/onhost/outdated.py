"""The call `outdated`: which packages of a target are behind what its own lists offer. Changes nothing."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import Dict, List, Optional

from vitrify.core import apt, dpkg, simulation
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.packaging import Options
from vitrify.core.redhat import Dnf
from vitrify.core.system import System
from vitrify.onhost import outdated_dnf
from vitrify.onhost.context import Context
from vitrify.onhost.scope import Here

LISTS = "/var/lib/apt/lists"
INFO = "/var/lib/dpkg/info"
_FIELD = re.compile(r"^(Label|Suite|Version|Date): (.*)$", re.MULTILINE)
_LARGEST = 1 << 24


def outdated(context: Context, arguments: JSONObject) -> JSONObject:
    """Each package that an upgrade would change, held ones too: from which version to which, whence, and whether for security."""
    system = Here.at(context, arguments).system
    if Dnf().present(system):
        return outdated_dnf.behind(system)
    if system.stat(apt.PROGRAM) is None:
        return {"manager": "", "packages": [], "lists_at": None, "patched_at": None}
    done = apt.simulate(("--ignore-hold", "dist-upgrade"), Options(), system)
    if done.code != 0:
        raise apt.failed(("dist-upgrade",), done)
    held, dates = set(dpkg.held(system)), _published(system)
    behind = [step for step in simulation.steps(done.stdout) if step.effect.action == "change"]
    packages: List[JSON] = [_package(step, held=simulation.bare(step.effect.name) in held, dates=dates) for step in behind]
    renewed = apt.renewed_ns(system)
    return {"manager": "apt", "packages": packages, "lists_at": renewed / 1e9 if renewed else None, "patched_at": _patched_at(system)}


def _package(step: simulation.Step, *, held: bool, dates: Dict[str, float]) -> JSONObject:
    origins = simulation.origins(step.origin)
    found = [dates[origin] for origin in origins if origin in dates]
    return {
        "name": step.effect.name,
        "installed": step.effect.old,
        "candidate": step.effect.new,
        "origins": list(origins),
        "security": any(simulation.for_security(origin) for origin in origins),
        "held": held,
        "published_at": max(found) if found else None,
    }


def _published(system: System) -> Dict[str, float]:
    """Origin, as a simulation names it -> when the index that offers it was signed."""
    found: Dict[str, float] = {}
    for name in system.names(LISTS) if system.stat(LISTS) is not None else ():
        stat = system.stat(f"{LISTS}/{name}") if name.endswith("Release") else None
        if stat is None or stat.type != "file" or stat.size > _LARGEST:
            continue
        fields = dict(_FIELD.findall(system.read(f"{LISTS}/{name}").decode("utf-8", "replace")))
        label, suite, version = (fields.get(field, "") for field in ("Label", "Suite", "Version"))
        date = _seconds(fields.get("Date", ""))
        if date is not None:
            found[f"{label}:{version}/{suite}" if version else f"{label}:{suite}"] = date
    return found


def _seconds(date: str) -> Optional[float]:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return None


def _patched_at(system: System) -> Optional[float]:
    """When a package was last installed or changed: dpkg writes its list of files anew then."""
    names = system.names(INFO) if system.stat(INFO) is not None else ()
    stats = [system.stat(f"{INFO}/{name}") for name in names if name.endswith(".list")]
    return max((stat.mtime_ns / 1e9 for stat in stats if stat is not None), default=None)


CALLS = {"outdated": outdated}
