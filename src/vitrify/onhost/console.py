"""Talks to HAProxy over the sockets in its folder: a connection for each call, in which several commands are one line."""

from __future__ import annotations

import csv
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional

from vitrify.core.diagnostic import TargetFailed
from vitrify.onhost import keeping
from vitrify.onhost.haproxy import ADMIN, MASTER

_SECONDS, _PATIENCE = 10.0, 5.0
"""For an answer; and for somebody to be there who answers."""


OLDER = "older"
"""The file that is there while there may be processes that another one took over from; not empty once they hand on what they are asked."""


@dataclass(frozen=True)
class Console:
    """The HAProxy in one folder: the process that serves, or the one of this id, which came before it."""

    folder: str
    process: str = ""

    def ask(self, *commands: str) -> List[str]:
        """The answer to each command; TargetFailed where nobody answers."""
        if self.process:
            return [self._told(f"@!{self.process} {command}", MASTER).strip() for command in commands]
        # Each answer ends with an empty line.
        return [answer.strip() for answer in self._told(";".join(commands), ADMIN).split("\n\n")]

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
        return _table("\n".join(self.ask("show stat -1 4 -1")))

    def all_rows(self) -> List[Dict[str, str]]:
        """The same, and those of processes before it that only end what they began."""
        return [row for console in (self, *self.older()) for row in console.rows()]

    def map(self, name: str) -> Dict[str, str]:
        """A map that it holds."""
        words = [line.split() for line in self.ask(f"show map {name}")[0].splitlines()]
        return {line[1]: line[2] for line in words if len(line) == 3}

    def addresses(self, backend: str) -> List[str]:
        """The address of each server of a backend, in order; none where there is no such backend."""
        lines = [line.lstrip("# ").split() for line in self.ask(f"show servers state {backend}")[0].splitlines()]
        if len(lines) < 2 or "srv_port" not in lines[1]:
            return []
        host, port = lines[1].index("srv_addr"), lines[1].index("srv_port")
        return [f"[{one[host]}]:{one[port]}" if ":" in one[host] else f"{one[host]}:{one[port]}" for one in lines[2:]]

    def older(self) -> List[Console]:
        """The processes before it that are still there. Asked for only where there may be any."""
        mark = Path(self.folder, OLDER)
        if not mark.exists():
            return []
        words = [line.split() for line in self._told("show proc", MASTER).splitlines()]
        serving = (self.info() or {}).get("Pid")
        found = [Console(self.folder, line[0]) for line in words if len(line) > 1 and line[1] == "worker" and line[0] != serving]
        if not found:
            mark.unlink(missing_ok=True)
        return found

    def _told(self, line: str, of: str) -> str:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._say(line, of)
            except OSError as error:
                # One process may be taking over from another; what was told twice holds once.
                if time.monotonic() > until or not keeping.state(self.folder).kept:
                    raise TargetFailed(f"the router in {self.folder} does not answer", why=str(error)) from error
                time.sleep(0.005)

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
