"""Talks to HAProxy over the sockets in its folder: a connection for each call, in which several commands are one line."""

from __future__ import annotations

import csv
import os
import socket
import time
from dataclasses import dataclass
from typing import Dict, List, Optional

from vitrify.core.diagnostic import TargetFailed
from vitrify.onhost import keeping
from vitrify.onhost.haproxy import ADMIN, MASTER

_SECONDS, _PATIENCE = 10.0, 5.0
"""For an answer; and for somebody to be there who answers."""


@dataclass(frozen=True)
class Console:
    """The HAProxy in one folder."""

    folder: str

    def ask(self, *commands: str, of: str = ADMIN) -> List[str]:
        """The answer to each command; TargetFailed where nobody answers."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                # Each answer ends with an empty line.
                return [answer.strip() for answer in self._say(";".join(commands), of).split("\n\n")]
            except OSError as error:
                # One process may be taking over from another; what was told twice holds once.
                if time.monotonic() > until or not keeping.state(self.folder).kept:
                    raise TargetFailed(f"the router in {self.folder} does not answer", why=str(error)) from error
                time.sleep(0.005)

    def tell(self, *commands: str) -> None:
        """The same, where each must be done in silence; TargetFailed with what it says otherwise."""
        for answer in self.ask(*commands):
            if answer:
                raise TargetFailed(f"the router in {self.folder} refused", why=answer)

    def info(self) -> Optional[Dict[str, str]]:
        """What it tells of itself; None where it does not answer."""
        try:
            lines = self._say("show info", ADMIN).splitlines()
        except OSError:
            return None
        return {name: value.strip() for name, found, value in (line.partition(":") for line in lines) if found}

    def rows(self) -> List[Dict[str, str]]:
        """Every server of the process that serves: columns by name."""
        return _table(self.ask("show stat -1 4 -1")[0])

    def all_rows(self) -> List[Dict[str, str]]:
        """The same, and those of processes before it that only end what they began."""
        processes = self._processes()
        if len(processes) < 2:
            return self.rows()
        return [row for process in processes for row in _table("\n".join(self.ask(f"@!{process} show stat -1 4 -1", of=MASTER)))]

    def map(self, name: str) -> Dict[str, str]:
        """A map that it holds."""
        words = [line.split() for line in self.ask(f"show map {name}")[0].splitlines()]
        return {line[1]: line[2] for line in words if len(line) == 3}

    def _processes(self) -> List[str]:
        words = [line.split() for line in "\n".join(self.ask("show proc", of=MASTER)).splitlines()]
        return [line[0] for line in words if len(line) > 1 and line[1] == "worker"]

    def _say(self, line: str, of: str) -> str:
        # By way of a descriptor: the folder's own path may be longer than the 108 bytes a socket's address can hold.
        folder = os.open(self.folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_SECONDS)
                connection.connect(f"/proc/self/fd/{folder}/{of}")
                connection.sendall(f"{line}\n".encode())
                connection.shutdown(socket.SHUT_WR)  # the master waits for more otherwise
                heard = b""
                while part := connection.recv(1 << 16):
                    heard += part
                return heard.decode("utf-8", "replace")
        finally:
            os.close(folder)


def _table(text: str) -> List[Dict[str, str]]:
    return list(csv.DictReader(text.lstrip("# ").splitlines())) if text.startswith("#") else []
