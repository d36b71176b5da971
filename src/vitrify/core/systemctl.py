"""What kinds ask of a running systemd: its view of units, its verbs, and the notes of what is still owed to a unit."""

from __future__ import annotations

from typing import Dict, List, Mapping, Sequence, Tuple

from vitrify.core import place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.system import Attributes, Command, System, Target

SUFFIXES = ("service", "socket", "timer", "path", "target", "mount", "automount", "swap", "slice", "scope", "device")
OWED = "/run/vitrify/owed"
"""Holds a file for each unit that must be told of a change: it outlives a killed run, and rightly not a reboot."""

States = Mapping[str, str]
"""What systemd says of one unit: property -> value."""


def live(system: System) -> bool:
    """Whether units can be started here and now."""
    return system.target is Target.HOST and system.service_manager()


def unit_name(name: str) -> str:
    """The whole name of a unit: one without a suffix is a service."""
    return name if name.rpartition(".")[2] in SUFFIXES and "." in name else f"{name}.service"


def show(system: System, units: Sequence[str], *properties: str) -> Tuple[States, ...]:
    """These properties of all these units, in their order, by one question; a unit that systemd does not know answers too."""
    if not units:
        return ()
    argv = ("systemctl", "show", f"--property={','.join(properties)}", *units)
    ended = system.run(Command(argv))
    blocks = [_block(text) for text in ended.stdout.strip("\n").split("\n\n")]
    if ended.code != 0 or len(blocks) != len(units):
        raise TargetFailed("systemd does not tell of its units", why=ended.stderr.strip() or f"it told of {len(blocks)} of {len(units)}")
    return tuple(blocks)


def _block(text: str) -> Dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def runs(state: States) -> bool:
    """Whether a unit is up. One between two crashes is `activating`, too, but it does not run."""
    return state.get("ActiveState") in ("active", "reloading", "activating") and state.get("SubState") != "auto-restart"


def tell(system: System, verb: str, *units: str) -> None:
    """One verb of systemctl; TargetFailed with its words, and where to read on."""
    ended = system.run(Command(("systemctl", verb, *units)))
    if ended.code != 0:
        raise TargetFailed(
            f"systemctl {' '.join((verb, *units))} ended with {ended.code}",
            why=ended.stderr.strip() or ended.stdout.strip(),
            hint=f"`journalctl -u {units[0]}` on the host tells more" if units else "",
        )


def forgive(system: System, state: States, unit: str) -> None:
    """Systemd remembers a failure: one of a unit that is gone makes the host look ill, too many at once forbid the next start."""
    if state.get("ActiveState") == "failed":
        tell(system, "reset-failed", unit)


def owe(system: System, unit: str, how: str) -> None:
    """Note durably that this unit must be told: `restart`, which outweighs `reload`."""
    if owed(system, unit) in ("restart", how):
        return
    path = f"{OWED}/{unit}"
    place.make_folders(path, system)
    system.write(path, how.encode(), attributes=Attributes(mode="0600"))


def owed(system: System, unit: str) -> str:
    """How this unit must still be told: `restart`, `reload`, or `nothing`."""
    path = f"{OWED}/{unit}"
    return system.read(path).decode() if system.stat(path) is not None else "nothing"


def paid(system: System, unit: str) -> None:
    """Nothing is owed to this unit any more."""
    system.remove(f"{OWED}/{unit}")


def unit_problems(name: str) -> List[Tuple[str, str]]:
    """What stands against this name of a unit: summary, hint."""
    stem = unit_name(name).rpartition(".")[0]
    if stem.endswith("@"):
        return [(f"{name!r} is a template and runs only as an instance", f"write {stem}NAME")]
    return [(f"{name!r} has more than one @", "the first separates the template from its instance")] if stem.count("@") > 1 else []
