"""Who holds a lease, as a process: which one of which kernel, and whether it provably runs no more."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from vitrify.core.digest import JSON, JSONObject
from vitrify.onhost.identity import boot_id, identify


@dataclass(frozen=True)
class Tenant:
    """One process of one boot. `space` is its namespace of process ids: in another one its number means nothing."""

    pid: int
    start: int
    boot: str
    space: str

    @classmethod
    def this(cls) -> Tenant:
        """This very process."""
        found = identify(os.getpid())
        return cls(os.getpid(), found.start if found else 0, boot_id(), _space())

    def to_json(self) -> JSONObject:
        """The form of a lease's `process`."""
        return {"pid": self.pid, "start": self.start, "boot": self.boot, "space": self.space}

    @classmethod
    def from_json(cls, data: JSON) -> Optional[Tenant]:
        """Read what `to_json` wrote; None for anything else."""
        if not isinstance(data, dict):
            return None
        pid, start = data.get("pid"), data.get("start")
        if not (isinstance(pid, int) and isinstance(start, int)):
            return None
        return cls(pid, start, str(data.get("boot", "")), str(data.get("space", "")))

    def gone(self, *, kernel: str) -> bool:
        """Whether it provably runs no more. `kernel` is the boot id of this host when the lease was given.

        A process of another machine can never be known to have ended: only time tells.
        """
        if self.boot != kernel:
            return False
        return self.boot != boot_id() or (self.space == _space() and not self._runs())

    def ended_here(self) -> bool:
        """Whether it was a process of the machine that asks, and has ended since: what another machine can never know of it."""
        return self.boot == boot_id() and self.gone(kernel=self.boot)

    def end(self) -> None:
        """Let the kernel end it, if it is a process of ours on this host and still the same one."""
        if self.boot == boot_id() and self.space == _space() and self._runs() and self.pid != os.getpid():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, signal.SIGKILL)

    def _runs(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            # Somebody else's: where its start cannot be read, it may well be the same one.
            found = identify(self.pid)
            return found is None or found.start == self.start
        found = identify(self.pid)
        return found is not None and found.start == self.start


def _space() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
