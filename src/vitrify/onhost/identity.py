"""Who a process is: boot id, process id and start time. A process id alone is given to another process one day."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Optional

if TYPE_CHECKING:  # a shim lives as long as its instance: it does not load OpenSSL for the name of a type
    from vitrify.core.digest import JSON, JSONObject


@dataclass(frozen=True)
class Identity:
    """One process of one boot. `start` is in clock ticks after boot."""

    pid: int
    start: int
    boot: str

    def to_json(self) -> JSONObject:
        """The form of `state.json`."""
        return {"pid": self.pid, "start": self.start, "boot": self.boot}

    @classmethod
    def from_json(cls, data: JSON) -> Optional[Identity]:
        """Read what `to_json` wrote; None for anything else."""
        if not isinstance(data, dict):
            return None
        pid, start, boot = data.get("pid"), data.get("start"), data.get("boot")
        if isinstance(pid, int) and isinstance(start, int) and isinstance(boot, str):
            return cls(pid, start, boot)
        return None


def boot_id() -> str:
    """The name of this boot of this machine."""
    return _read("/proc/sys/kernel/random/boot_id").strip()


def identify(pid: int) -> Optional[Identity]:
    """The identity of a running process; None where there is none, or only its exit status is left."""
    fields = _stat(pid)
    return Identity(pid, int(fields[19]), boot_id()) if fields and fields[0] not in ("Z", "X") else None


def alive(identity: Optional[Identity]) -> bool:
    """Whether this very process still runs."""
    return identity is not None and identify(identity.pid) == identity


def children(pid: int) -> List[int]:
    """Processes whose parent is `pid`, oldest first."""
    listed = _read(f"/proc/{pid}/task/{pid}/children")
    if listed:
        return [int(child) for child in listed.split()]
    # Kernels built without that file: look at every process.
    found = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208  a shim imports as little as it can
    return sorted(child for child in found if (_stat(child) or ["", "0"])[1] == str(pid))


def name(pid: int) -> str:
    """The short name of the program that a process runs; empty where there is none."""
    return _read(f"/proc/{pid}/comm").rstrip("\n")


def _stat(pid: int) -> List[str]:
    # The program's name stands in brackets and may itself hold spaces and brackets: split behind the last one.
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def _read(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 1 << 16).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)
