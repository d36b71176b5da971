"""Canonical tar headers: one entry has one spelling, so that equal trees are equal bytes. Specified in `docs/formats/image.md`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
"""What closes an archive: two empty blocks, nothing more."""

FILE: Final = b"0"
LINK: Final = b"2"
DIRECTORY: Final = b"5"
_EXTENDED: Final = b"x"

_NAME_ROOM: Final = 100
_ID_LIMIT: Final = 8**7
_SIZE_LIMIT: Final = 8**11


@dataclass(frozen=True)
class Entry:
    """One member. `name` is relative and has no slash at its end; `mode` holds the permission bits alone."""

    name: bytes
    type: bytes
    mode: int
    uid: int = 0
    gid: int = 0
    size: int = 0
    link: bytes = b""

    @property
    def spelt(self) -> bytes:
        """The name as it stands in the archive: a folder's ends with a slash."""
        return self.name + b"/" if self.type == DIRECTORY else self.name


def header(entry: Entry) -> bytes:
    """The blocks that stand before the entry's content: one, or three or more where a plain header has no room."""
    records = _records(entry)
    fields = {
        "path": entry.spelt[:_NAME_ROOM],
        "linkpath": entry.link[:_NAME_ROOM],
        "size": b"%011o" % (0 if "size" in records else entry.size),
        "uid": b"%07o" % (0 if "uid" in records else entry.uid),
        "gid": b"%07o" % (0 if "gid" in records else entry.gid),
        "mode": b"%07o" % entry.mode,
    }
    return _extended(records) + _block(fields, entry.type)


def padding(size: int) -> bytes:
    """The zero bytes that fill a content up to the next block."""
    return bytes(-size % BLOCK)


def _records(entry: Entry) -> dict[str, bytes]:
    """What needs an extended header, and nothing else."""
    wanted = {
        "gid": (str(entry.gid).encode(), entry.gid >= _ID_LIMIT),
        "linkpath": (entry.link, _needs_record(entry.link)),
        "path": (entry.spelt, _needs_record(entry.spelt)),
        "size": (str(entry.size).encode(), entry.size >= _SIZE_LIMIT),
        "uid": (str(entry.uid).encode(), entry.uid >= _ID_LIMIT),
    }
    return {keyword: value for keyword, (value, needed) in wanted.items() if needed}


def _needs_record(text: bytes) -> bool:
    return len(text) > _NAME_ROOM or not text.isascii()


def _extended(records: dict[str, bytes]) -> bytes:
    if not records:
        return b""
    body = b"".join(_record(keyword.encode(), value) for keyword, value in sorted(records.items()))
    fields = {"path": b"@PaxHeader", "size": b"%011o" % len(body), "uid": b"%07o" % 0, "gid": b"%07o" % 0, "mode": b"%07o" % 0o644}
    return _block(fields, _EXTENDED) + body + padding(len(body))


def _record(keyword: bytes, value: bytes) -> bytes:
    """`LENGTH keyword=value` and a line end, where the length counts all of that, its own digits included."""
    rest = len(keyword) + len(value) + 3
    length = rest + len(str(rest))
    if rest + len(str(length)) != length:
        length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, keyword, value)


def _block(fields: dict[str, bytes], kind: bytes) -> bytes:
    parts = (
        fields["path"].ljust(100, b"\0"),
        fields["mode"] + b"\0",
        fields["uid"] + b"\0",
        fields["gid"] + b"\0",
        fields["size"] + b"\0",
        b"%011o\0" % 0,  # modification time: always the epoch
        b" " * 8,  # the checksum counts its own place as spaces
        kind,
        fields.get("linkpath", b"").ljust(100, b"\0"),
        b"ustar\0" + b"00",
        bytes(64),  # names of owner and group: numbers alone count
        b"%07o\0" % 0 * 2,
        bytes(155 + 12),
    )
    block = b"".join(parts)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]
