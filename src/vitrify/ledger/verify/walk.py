"""The walk over a ledger's bundles and tiles that recomputes every hash up to the root."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

from vitrify.ledger.verify.entry import entry_problem
from vitrify.ledger.verify.files import WIDE, path_of
from vitrify.ledger.verify.problems import Problems

Read = Callable[[str], bytes | None]
"""The content of one of the ledger's files by relative path; None where there is none."""


class Walk:
    """One pass over all bundles, from the first entry to the last, that hashes its way up to the root."""

    def __init__(
        self, read: Read, size: int, narrower: Mapping[tuple[int | None, int], Sequence[int]], problems: Problems, marks: frozenset[int]
    ) -> None:
        self._read, self._size, self._narrower, self._problems, self._marks = read, size, narrower, problems, marks
        self._peaks: list[tuple[int, bytes]] = []
        self._rows: list[list[bytes]] = [[]]
        """At each level, the hashes in the tile being filled."""
        self._full: list[int] = [0]
        """At each level, how many tiles were filled."""
        self._roots: dict[int, bytes] = {}

    def roots(self, proved: int = 0) -> Mapping[int, bytes]:
        """The root at each marked size that the walk came to; bundles that lie wholly in the first `proved` entries are passed over.

        Their hashes are taken from the tiles, unproved: what makes them true is that the root at `proved` is that of a kept checkpoint.
        """
        first = self._resume(proved)
        self._mark(first)
        for start in range(first, self._size, WIDE):
            if self._problems.full or not self._bundle(start, min(WIDE, self._size - start)):
                return self._roots
        for level in range(1, len(self._rows)):
            if self._rows[level]:
                self._tile(level, self._full[level], self._rows[level])
        return self._roots

    def _resume(self, proved: int) -> int:
        """Where the walk begins, with the hashes of all before it."""
        first = proved - proved % WIDE
        level, hashes = 1, first // WIDE
        while hashes:
            full, width = divmod(hashes, WIDE)
            # The tile is as wide as the whole tree asks for by now; what it began with is what is wanted.
            row = self._hashes(level, full, min(WIDE, (self._size >> (8 * level)) - full * WIDE)) if width else []
            if row is None:
                return self._begin_anew()
            self._rows.append(row[:width])
            self._full.append(full)
            level, hashes = level + 1, full
        for above in range(len(self._rows) - 1, 0, -1):
            self._peaks += _peaks_of(self._rows[above], 8 * above)
        return first

    def _begin_anew(self) -> int:
        self._rows, self._full = [[]], [0]
        return 0

    def _bundle(self, first: int, width: int) -> bool:
        """Take in one bundle and its tile of hashes; False where neither tells what the hashes are."""
        index = first // WIDE
        entries = self._entries(index, width)
        leaves = self._hashes(0, index, width) if entries is None else [hashlib.sha256(b"\x00" + entry).digest() for entry in entries]
        if leaves is None:
            self._problems.add(f"the walk ends at entry {first}: neither its bundle nor its tile can be read")
            return False
        for number, entry in enumerate(entries or ()):
            problem = entry_problem(entry, first + number)
            if problem:
                self._problems.add(f"entry {first + number}: {problem}")
        self._tile(0, index, leaves)
        if width == WIDE and not any(first < mark < first + WIDE for mark in self._marks):
            whole = _peaks_of(leaves, 0)[0][1]
            self._push(8, whole)
        else:
            for number, leaf in enumerate(leaves, 1):
                self._push(0, leaf)
                self._mark(first + number)
            whole = _peaks_of(leaves, 0)[0][1]
        self._mark(first + width)
        if width == WIDE:
            self._rise(1, whole)
        return True

    def _rise(self, level: int, below: bytes) -> None:
        """A tile below is full: its root is the next hash of this level."""
        if len(self._rows) <= level:
            self._rows.append([])
            self._full.append(0)
        row = self._rows[level]
        row.append(below)
        if len(row) == WIDE:
            self._tile(level, self._full[level], row)
            self._rows[level] = []
            self._full[level] += 1
            self._rise(level + 1, _peaks_of(row, 0)[0][1])

    def _push(self, height: int, found: bytes) -> None:
        while self._peaks and self._peaks[-1][0] == height:
            found = hashlib.sha256(b"\x01" + self._peaks.pop()[1] + found).digest()
            height += 1
        self._peaks.append((height, found))

    def _mark(self, count: int) -> None:
        if count not in self._marks:
            return
        found = self._peaks[-1][1] if self._peaks else hashlib.sha256(b"").digest()
        for _, left in reversed(self._peaks[:-1]):
            found = hashlib.sha256(b"\x01" + left + found).digest()
        self._roots[count] = found

    def _entries(self, index: int, width: int) -> list[bytes] | None:
        path, content, exact = self._content(None, index, width)
        if content is None:
            self._problems.add(f"{path} is missing")
            return None
        entries = _split(content, width)
        if entries is None or (exact and sum(map(len, entries)) + 2 * width != len(content)):
            self._problems.add(f"{path} is not exactly {width} entries")
            return None
        self._check_narrower(None, index, [len(entry).to_bytes(2, "big") + entry for entry in entries])
        return entries

    def _hashes(self, level: int, index: int, width: int) -> list[bytes] | None:
        _, content, _ = self._content(level, index, width)
        if content is None or len(content) < width * 32:
            return None
        return [content[at : at + 32] for at in range(0, width * 32, 32)]

    def _tile(self, level: int, index: int, hashes: Sequence[bytes]) -> None:
        path, content, exact = self._content(level, index, len(hashes))
        if content is None:
            self._problems.add(f"{path} is missing")
            return
        wanted = len(hashes) * 32
        if (len(content) != wanted) if exact else (len(content) < wanted):
            self._problems.add(f"{path} has {len(content)} bytes, not the {wanted} of {len(hashes)} hashes")
        for at, value in enumerate(hashes):
            if content[at * 32 : at * 32 + 32] not in (value, b""):
                what = f"entry {index * WIDE + at}" if level == 0 else f"tile {index * WIDE + at} of level {level - 1}"
                self._problems.add(f"{path}: the hash at {at} is not that of {what}")
                break
        self._check_narrower(level, index, hashes)

    def _check_narrower(self, level: int | None, index: int, parts: Sequence[bytes]) -> None:
        """Older partial versions, kept for older checkpoints, are beginnings of the newest one."""
        for width in self._narrower.get((level, index), ()):
            if self._read(path_of(level, index, width)) != b"".join(parts[:width]):
                self._problems.add(f"{path_of(level, index, width)} is not the beginning of the newer {path_of(level, index, len(parts))}")

    def _content(self, level: int | None, index: int, width: int) -> tuple[str, bytes | None, bool]:
        """Path, content and whether it is to be this wide exactly: a full tile may stand in for a partial one."""
        path = path_of(level, index, width)
        content = self._read(path)
        if content is not None or width == WIDE:
            return path, content, True
        return path, self._read(path_of(level, index, WIDE)), False


def _split(content: bytes, width: int) -> list[bytes] | None:
    entries, at = [], 0
    for _ in range(width):
        length = int.from_bytes(content[at : at + 2], "big")
        if at + 2 + length > len(content):
            return None
        entries.append(content[at + 2 : at + 2 + length])
        at += 2 + length
    return entries


def _peaks_of(hashes: Sequence[bytes], height: int) -> list[tuple[int, bytes]]:
    """The roots of the whole subtrees of this row, the widest first, each with its height; hashes of the row are of `height`."""
    peaks: list[tuple[int, bytes]] = []
    while hashes:
        if len(hashes) % 2:
            peaks.insert(0, (height, hashes[-1]))
        hashes = [hashlib.sha256(b"\x01" + hashes[at] + hashes[at + 1]).digest() for at in range(0, len(hashes) - 1, 2)]
        height += 1
    return peaks
