"""Init scripts that no unit stands beside: systemd runs them by units of its own making, and Debian's programs enable them."""

from __future__ import annotations

from vitrify.core import programs
from vitrify.core.system import System

FOLDER = "/etc/init.d"
_STARTED = ("/etc/rcS.d", "/etc/rc5.d")
"""Where `systemctl is-enabled` looks for the link of a script."""


def script(unit: str, system: System) -> str:
    """The name of the init script that this unit would be made of; "" where there is none."""
    name, _, suffix = unit.rpartition(".")
    stat = system.stat(f"{FOLDER}/{name}") if suffix == "service" else None
    return name if stat is not None and stat.type in ("file", "link") else ""


def enabled(name: str, system: System) -> bool:
    """Whether it is started with the machine."""
    folders = [folder for folder in _STARTED if system.stat(folder) is not None]
    return any(link[:1] == "S" and link[3:] == name for folder in folders for link in system.names(folder))


def switch(name: str, system: System, *, on: bool) -> None:
    """Have it started with the machine, or not, as `systemctl enable` and `disable` have it done."""
    programs.run(system, "update-rc.d", name, "defaults")
    programs.run(system, "update-rc.d", name, "enable" if on else "disable")
