"""The way to the kernel's audit, beside any auditd: rules for what is watched, and the records, heard on a multicast group.

The key of a rule names the process that set it, and how audit was found: the next watch takes away what a killed one left.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from contextlib import suppress
from typing import Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from vitrify.onhost.identity import identify

_NETLINK_AUDIT, _READLOG = 9, 1
_GET, _SET, _ADD, _DELETE, _LIST = 1000, 1001, 1011, 1012, 1013
_ERROR, _DONE = 2, 3
_ENDS = {_GET: _GET, _LIST: _DONE}
_RCVBUFFORCE = 33
_BUFFER = 256 << 20
"""Bytes of records that may wait in a burst."""
_WATCH, _DIR, _PERM, _KEY = 105, 107, 106, 210
_MAJOR, _MINOR = 100, 101
_WRITE_OR_ATTRIBUTES = 2 | 8
_EXIT, _ALWAYS, _EQUAL = 4, 2, 0x40000000
_RULE = struct.Struct("=III64I64I64I64II")
_HEADER = struct.Struct("=IHHII")
_OURS = re.compile(r"vitrify-watch-(\d+)-(\d+)-([01])", re.ASCII)


class Key(NamedTuple):
    """Who set a rule, and whether audit was on before."""

    pid: int
    started: int
    was_on: bool

    def __str__(self) -> str:
        return f"vitrify-watch-{self.pid}-{self.started}-{int(self.was_on)}"

    @property
    def alive(self) -> bool:
        """Whether that process is still there."""
        return _started(self.pid) == self.started


class Status(NamedTuple):
    """Of audit in the kernel."""

    enabled: int
    daemon: int
    lost: int


class AuditLink:
    """Open from the start to `close`; OSError where the kernel has no audit, or we may not ask it."""

    def __init__(self) -> None:
        self._number = 0
        self._key: Optional[Key] = None
        self._asking = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_AUDIT)
        self.records = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_AUDIT)
        try:
            self._asking.bind((0, 0))
            self._asking.settimeout(3)
            with suppress(OSError):
                self.records.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, _BUFFER)
            self.records.bind((0, _READLOG))
            self.records.settimeout(0)
            self.status()
        except OSError:
            self._shut()
            raise

    def status(self) -> Status:
        """As it is now."""
        answer = self._ask(_GET)[0]
        _, enabled, _, daemon, _, _, lost = struct.unpack_from("=7I", answer)
        return Status(enabled, daemon, lost)

    def rules(self) -> List[bytes]:
        """All rules, in the kernel's own form."""
        return self._ask(_LIST)

    def watch(self, folders: Iterable[str], files: Iterable[str], devices: Iterable[str] = ()) -> None:
        """Have every change below these folders, to these files, and on these file systems recorded; OSError where that is not allowed."""
        left = self._ours()
        was_on = bool(self.status().enabled) and all(key.was_on for _, key in left)
        self._take_away([rule for rule, key in left if not key.alive])
        self._key = Key(os.getpid(), _started(os.getpid()), was_on)
        rules = [_rule(field, path, str(self._key)) for field, paths in ((_DIR, folders), (_WATCH, files)) for path in paths]
        for rule in (*rules, *(_rule_of(device, str(self._key)) for device in devices)):
            self._ask(_ADD, rule)
        if not self.status().enabled:
            self._turn(on=True)

    def hear(self, at_most: int) -> Iterator[Tuple[int, str]]:
        """The records that wait, so many at most; OSError (ENOBUFS) where some were dropped before they could be read."""
        for _ in range(at_most):
            try:
                data = self.records.recv(16384)
            except BlockingIOError:
                return
            _, kind, _, _, _ = _HEADER.unpack_from(data)
            yield kind, os.fsdecode(data[_HEADER.size :].rstrip(b"\0"))

    def close(self) -> None:
        """Take our rules away, and leave audit as it was found."""
        key, self._key = self._key, None
        try:
            if key is not None:
                ours = self._ours()
                self._take_away([rule for rule, of in ours if of == key])
                others = any(of != key for _, of in ours)
                if not (key.was_on or others or self.status().daemon):
                    self._turn(on=False)
        finally:
            self._shut()

    def _shut(self) -> None:
        self._asking.close()
        self.records.close()

    def _turn(self, *, on: bool) -> None:
        self._ask(_SET, struct.pack("=11I", 1, int(on), *([0] * 9)))

    def _ours(self) -> List[Tuple[bytes, Key]]:
        found = [(rule, _key_of(rule)) for rule in self.rules()]
        return [(rule, key) for rule, key in found if key is not None]

    def _take_away(self, rules: Sequence[bytes]) -> None:
        for rule in rules:
            with suppress(FileNotFoundError):
                self._ask(_DELETE, rule)

    def _ask(self, kind: int, body: bytes = b"") -> List[bytes]:
        """Ask the kernel; what it answers, without the acknowledgement."""
        self._number += 1
        self._asking.send(_HEADER.pack(_HEADER.size + len(body), kind, 1 | 4, self._number, 0) + body)
        found: List[bytes] = []
        waiting = {_ERROR, _ENDS.get(kind, _ERROR)}
        while waiting:
            data = self._asking.recv(65536)
            length, told, _, number, _ = _HEADER.unpack_from(data)
            if number != self._number:
                continue
            content = data[_HEADER.size : length]
            if told == _ERROR:
                (code,) = struct.unpack_from("=i", content)
                if code:
                    raise OSError(-code, os.strerror(-code))
            elif told == kind:
                found.append(content)
            waiting.discard(told)
        return found


def _started(pid: int) -> int:
    found = identify(pid)
    return found.start if found else 0


def _rule(field: int, path: str, key: str) -> bytes:
    name = os.fsencode(path)
    return _packed(((field, len(name)), (_PERM, _WRITE_OR_ATTRIBUTES)), name, key)


def _rule_of(device: str, key: str) -> bytes:
    """For a file system that is spelt as the kernel spells it in a record."""
    major, minor = (int(part, 16) for part in device.split(":"))
    return _packed(((_MAJOR, major), (_MINOR, minor), (_PERM, _WRITE_OR_ATTRIBUTES)), b"", key)


def _packed(named: Sequence[Tuple[int, int]], name: bytes, key: str) -> bytes:
    """A rule of these fields and values, the last of them its key."""
    mark = key.encode()
    every = [*named, (_KEY, len(mark))]
    none = [0] * (64 - len(every))
    fields, values = [[*(one[at] for one in every), *none] for at in (0, 1)]
    flags = [_EQUAL] * len(every) + none
    return _RULE.pack(_EXIT, _ALWAYS, len(every), *([0xFFFFFFFF] * 64), *fields, *values, *flags, len(name) + len(mark)) + name + mark


def _key_of(rule: bytes) -> Optional[Key]:
    """The key of a rule of ours: it is the last field, and its name the last bytes."""
    unpacked = _RULE.unpack_from(rule)
    count, fields, values = unpacked[2], unpacked[67:131], unpacked[131:195]
    if count not in (3, 4) or fields[0] not in (_DIR, _WATCH, _MAJOR) or tuple(fields[count - 2 : count]) != (_PERM, _KEY):
        return None
    start = _RULE.size + (values[0] if count == 3 else 0)
    match = _OURS.fullmatch(rule[start : start + values[count - 1]].decode("utf-8", "replace"))
    return Key(int(match[1]), int(match[2]), match[3] == "1") if match else None
