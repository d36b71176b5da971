"""What can be done to one entry of a ledger, or to its hash, at any position, so that it is not the same ledger afterwards."""

from __future__ import annotations

from collections.abc import Callable

from tampering import Files
from vitrify.ledger.stored import join_bundle, split_bundle
from vitrify.ledger.tree import Tile, leaf

Parts = list[bytes]
Change = Callable[[Parts, int], Parts]
Altered = Callable[[Files, int], Files]

WIDTH = 256
ALL_WAYS = (*range(1, 41), 64, 127, 128, 129, 255, 256, 257, 299, 300)
"""Sizes at which each of them is done at every position; at all others up to 300, one of them is, at every position."""


def _places(files: Files, at: int) -> tuple[str, str]:
    """The bundle and the tile of hashes in which an entry lies."""
    size = int(files["checkpoint"].split(b"\n")[1])
    number, width = at // WIDTH, min(WIDTH, size - at // WIDTH * WIDTH)
    return Tile(None, number, width).path, Tile(0, number, width).path


def _entries(change: Change) -> Altered:
    def altered(files: Files, at: int) -> Files:
        bundle, _ = _places(files, at)
        return files | {bundle: join_bundle(change(list(split_bundle(files[bundle]) or ()), at % WIDTH))}

    return altered


def _hashes(change: Change) -> Altered:
    def altered(files: Files, at: int) -> Files:
        _, tile = _places(files, at)
        hashes = [files[tile][first : first + 32] for first in range(0, len(files[tile]), 32)]
        return files | {tile: b"".join(change(hashes, at % WIDTH))}

    return altered


def _both(change: Change) -> Altered:
    """The entry, and its hash to match."""

    def altered(files: Files, at: int) -> Files:
        bundle, tile = _places(files, at)
        entries = change(list(split_bundle(files[bundle]) or ()), at % WIDTH)
        return files | {bundle: join_bundle(entries), tile: b"".join(map(leaf, entries))}

    return altered


def _length(by: int) -> Altered:
    """The length in front of the entry, and no more."""

    def altered(files: Files, at: int) -> Files:
        bundle, _ = _places(files, at)
        before = len(join_bundle((split_bundle(files[bundle]) or ())[: at % WIDTH]))
        content = bytearray(files[bundle])
        content[before : before + 2] = (int.from_bytes(content[before : before + 2], "big") + by).to_bytes(2, "big")
        return files | {bundle: bytes(content)}

    return altered


def _with(make: Callable[[bytes], bytes]) -> Change:
    return lambda parts, at: [*parts[:at], make(parts[at]), *parts[at + 1 :]]


def _flipped(part: bytes, at: int) -> bytes:
    return part[:at] + bytes([part[at] ^ 1]) + part[at + 1 :]


edited = _with(lambda part: part.replace(b"ada@laptop", b"bob@laptop"))
renumbered = _with(lambda part: part.replace(b'"sequence":', b'"sequence":1'))
redated = _with(lambda part: part.replace(b'"at":"20', b'"at":"19'))
first_flipped = _with(lambda part: _flipped(part, 0))
last_flipped = _with(lambda part: _flipped(part, len(part) - 1))
middle_flipped = _with(lambda part: _flipped(part, len(part) // 2))
cut = _with(lambda part: part[:-1])
longer = _with(lambda part: part + b" ")
emptied = _with(lambda _: b"")
zeroed = _with(lambda part: bytes(len(part)))


def deleted(parts: Parts, at: int) -> Parts:
    return [*parts[:at], *parts[at + 1 :]]


def inserted(parts: Parts, at: int) -> Parts:
    return [*parts[:at], bytes(32), *parts[at:]]


def doubled(parts: Parts, at: int) -> Parts:
    return [*parts[: at + 1], *parts[at:]]


def swapped(parts: Parts, at: int) -> Parts:
    return [*parts[:at], *reversed(parts[at : at + 2]), *parts[at + 2 :]]


def replayed(parts: Parts, at: int) -> Parts:
    return [*parts[:at], parts[at - 1], *parts[at + 1 :]]


def moved_to_the_end(parts: Parts, at: int) -> Parts:
    return [*deleted(parts, at), parts[at]]


def joined(parts: Parts, at: int) -> Parts:
    return [*parts[:at], b"".join(parts[at : at + 2]), *parts[at + 2 :]]


def halved(parts: Parts, at: int) -> Parts:
    middle = len(parts[at]) // 2
    return [*parts[:at], parts[at][:middle], parts[at][middle:], *parts[at + 1 :]]


EVERYWHERE: dict[str, Altered] = {
    "edit": _entries(edited),
    "another number": _entries(renumbered),
    "another time": _entries(redated),
    "flip a bit of the first byte": _entries(first_flipped),
    "flip a bit of the last byte": _entries(last_flipped),
    "flip a bit within": _entries(middle_flipped),
    "cut": _entries(cut),
    "append a byte": _entries(longer),
    "empty": _entries(emptied),
    "zeros": _entries(zeroed),
    "delete": _entries(deleted),
    "insert": _entries(inserted),
    "double": _entries(doubled),
    "swap with the next": _entries(swapped),
    "replay of another": _entries(replayed),
    "move to the end": _entries(moved_to_the_end),
    "join with the next": _entries(joined),
    "cut in two": _entries(halved),
    "a length too long": _length(1),
    "a length too short": _length(-1),
    "edit, with its hash": _both(edited),
    "delete, with its hash": _both(deleted),
    "insert, with its hash": _both(inserted),
    "swap with the next, with their hashes": _both(swapped),
    "flip a bit of the hash": _hashes(middle_flipped),
    "zeros for the hash": _hashes(zeroed),
    "delete the hash": _hashes(deleted),
    "swap the hash with the next": _hashes(swapped),
    "replay of another hash": _hashes(replayed),
}
