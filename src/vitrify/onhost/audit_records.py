"""The kernel's audit records put together again: who did what to which path. Pure."""

from __future__ import annotations

import os
import re
from typing import Dict, List, NamedTuple, Optional, Tuple

SYSCALL, PATH, CWD, EXECVE, EOE, PROCTITLE = 1300, 1302, 1307, 1309, 1320, 1327
PENDING = 4096
"""So many events may be open: beyond them the oldest is taken as it is, for its end was lost."""
NOBODY = 4294967295
"""The login of a process that nobody logged in for."""

_HEAD = re.compile(r"audit\((\d+\.\d+):(\d+)\): ?")
_FIELD = re.compile(r'([a-z][a-z0-9_-]*)=("[^"]*"|[^ \n]*)')
_WHAT = {"CREATE": "created", "DELETE": "removed", "NORMAL": "written"}

Place = Tuple[str, int]
"""A file system, as the kernel spells it, and an inode on it."""


class Item(NamedTuple):
    """One PATH record."""

    name: str
    what: str
    """CREATE, DELETE, NORMAL or PARENT."""
    place: Place
    folder: bool

    @property
    def spoken(self) -> str:
        """What was done, in a word."""
        return _WHAT[self.what]


class Record(NamedTuple):
    """One event of the kernel: a system call that came to pass, and the paths that it was about."""

    at: float
    pid: int
    exe: str
    command: str
    uid: int
    login: Optional[int]
    cwd: str
    items: Tuple[Item, ...]

    def touched(self) -> List[Tuple[Item, Optional[Item]]]:
        """What was done to paths, each with the record of its folder where the kernel wrote one."""
        # What has no name is an overlay's own.
        named = [item for item in self.items if item.name]
        parents = [item for item in named if item.what == "PARENT"]
        others = [item for item in named if item.what in _WHAT]
        # The kernel writes the folders of a call before what is in them; a rename has two, in the order of its names.
        return [(item, parents[min(order, len(parents) - 1)] if parents else None) for order, item in enumerate(others)]


class _Open:
    """An event whose end was not heard yet."""

    def __init__(self, at: float) -> None:
        self.at = at
        self.call: Dict[str, str] = {}
        self.cwd = ""
        self.title = ""
        self.items: List[Item] = []

    def take(self, kind: int, fields: Dict[str, str]) -> None:
        if kind == SYSCALL:
            self.call = fields
        elif kind == PATH:
            self.items.append(_item(fields))
        elif kind == CWD:
            self.cwd = text(fields.get("cwd", ""))
        elif kind == PROCTITLE:
            self.title = self.title or text(fields.get("proctitle", "")).rstrip("\0").replace("\0", " ")
        elif kind == EXECVE:
            self.title = " ".join(text(value) for name, value in fields.items() if re.fullmatch(r"a\d+", name))

    def record(self) -> Optional[Record]:
        """The whole; None where the call failed, or what is known names nobody or nothing."""
        if self.call.get("success") != "yes" or not self.items:
            return None
        login = _number(self.call.get("auid", ""))
        return Record(
            at=self.at,
            pid=_number(self.call.get("pid", "")),
            exe=text(self.call.get("exe", "")),
            command=self.title or text(self.call.get("comm", "")),
            uid=_number(self.call.get("uid", "")),
            login=None if login in (NOBODY, -1) else login,
            cwd=self.cwd,
            items=tuple(self.items),
        )


class Assembler:
    """Takes records in whatever order they come and gives whole events."""

    def __init__(self, *, pending: int = PENDING) -> None:
        self._open: Dict[int, _Open] = {}
        self._pending = pending

    def take(self, kind: int, line: str) -> List[Record]:
        """The events that are whole by this record."""
        head = _HEAD.match(line)
        if head is None or kind not in (SYSCALL, PATH, CWD, EXECVE, EOE, PROCTITLE):
            return []
        serial = int(head[2])
        if kind == EOE:
            return self._closed(serial)
        event = self._open.setdefault(serial, _Open(float(head[1])))
        event.take(kind, {match[1]: match[2] for match in _FIELD.finditer(line, head.end())})
        return self._closed(min(self._open)) if len(self._open) > self._pending else []

    def rest(self) -> List[Record]:
        """What is open, as far as it is known: for when nothing more comes."""
        return [record for serial in sorted(self._open) for record in self._closed(serial)]

    def _closed(self, serial: int) -> List[Record]:
        event = self._open.pop(serial, None)
        record = event.record() if event else None
        return [record] if record else []


def text(value: str) -> str:
    """A value as it was before the kernel wrote it: in quotes, or in hex where it held anything that could mislead a reader."""
    if value.startswith('"'):
        return value[1:-1]
    if len(value) % 2 == 0 and re.fullmatch(r"[0-9A-Fa-f]+", value):
        return os.fsdecode(bytes.fromhex(value))
    return "" if value == "(null)" else value


def _item(fields: Dict[str, str]) -> Item:
    mode = fields.get("mode", "")
    kind = int(mode, 8) & 0o170000 if re.fullmatch(r"[0-7]+", mode) else 0
    return Item(
        name=text(fields.get("name", "")),
        what=fields.get("nametype", ""),
        place=(fields.get("dev", ""), _number(fields.get("inode", ""))),
        folder=kind == 0o040000,
    )


def _number(value: str) -> int:
    return int(value) if re.fullmatch(r"\d{1,20}", value, re.ASCII) else -1
