"""Which start of a host this is, and whether its packages ask for another one."""

from __future__ import annotations

import re
from typing import List, Tuple, Union

from vitrify.core.system import System

ASKED = "/run/reboot-required"
ASKED_BY = "/run/reboot-required.pkgs"
"""Where packages of Debian leave word, and their names."""
_BOOT_ID, _FIRST = "/proc/sys/kernel/random/boot_id", "/proc/1/stat"
_RELEASE = "/proc/sys/kernel/osrelease"
_KERNELS, _KERNEL = "/boot", "vmlinuz-"
_SHOWN = 3


def boot(system: System) -> str:
    """The name of this start of the host; "" where it cannot be told.

    A container that starts again has the boot id of the kernel below it, which stays: so the start of its first process counts as well.
    """
    if system.stat(_BOOT_ID) is None or system.stat(_FIRST) is None:
        return ""
    # The program's name stands in brackets and may itself hold spaces and brackets: split behind the last one.
    fields = system.read(_FIRST).decode("utf-8", "replace").rpartition(")")[2].split()
    return f"{system.read(_BOOT_ID).decode('utf-8', 'replace').strip()}-{fields[19]}" if len(fields) > 19 else ""


def required(system: System) -> str:
    """Why the host has to be restarted, in words; "" where nothing asks for it."""
    if system.stat(ASKED) is not None:
        packages = _lines(ASKED_BY, system)
        names = ", ".join(packages[:_SHOWN]) + (", …" if len(packages) > _SHOWN else "")
        return f"asked for by {names}" if names else f"{ASKED} is there"
    newer = newer_kernel(system)
    return f"the kernel {newer} is installed and does not run" if newer else ""


def newer_kernel(system: System) -> str:
    """The newest installed kernel of the kind that runs, where an older one runs; "" otherwise.

    Where the running one is not installed (a container, a machine whose kernel comes from outside), a restart would not bring another.
    """
    running = "".join(_lines(_RELEASE, system))
    if not running or system.stat(_KERNELS) is None:
        return ""
    installed = [name[len(_KERNEL) :] for name in system.names(_KERNELS) if name.startswith(_KERNEL)]
    if running not in installed:
        return ""
    newest = max((one for one in installed if _flavour(one) == _flavour(running)), key=_version)
    return newest if _version(newest) > _version(running) else ""


def _flavour(release: str) -> str:
    """`cloud-amd64` of `6.1.0-9-cloud-amd64`."""
    match = re.search(r"-([a-z][a-z0-9]*(?:-[a-z0-9]+)*)\Z", release)
    return match.group(1) if match else ""


def _version(release: str) -> Tuple[Tuple[int, Union[int, str]], ...]:
    """Numbers by their value, and ahead of words: `6.10` is newer than `6.9`, `6.1` newer than `6.1-rc1`'s words alone."""
    parts: List[str] = re.findall(r"[0-9]+|[a-z]+", release)
    return tuple((1, int(part)) if part.isdigit() else (0, part) for part in parts)


def _lines(path: str, system: System) -> List[str]:
    if system.stat(path) is None:
        return []
    return list(dict.fromkeys(line.strip() for line in system.read(path).decode("utf-8", "replace").splitlines() if line.strip()))
