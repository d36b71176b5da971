"""Text that is safe to show: whatever a name or a file holds, a reader sees only what can be read. Pure."""

from __future__ import annotations

import re

# Control characters (escape sequences start with one), direction overrides (they show text in another order than it
# is in), characters without width (they hide), line separators, halves of surrogate pairs, and two that XML cannot hold.
# A tab stays: it only moves.
_HOSTILE = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)

_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")


def shortened(text: str) -> str:
    """The text with each digest cut to what can be told apart by eye."""
    return _DIGEST.sub(r"\1", text)


def neutral(text: str) -> str:
    """The text with everything that a screen would obey or hide written out as its number in hex."""
    return _HOSTILE.sub(_written_out, text)


def _written_out(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def raw_bytes(text: str) -> bytes:
    """The bytes of a name as its file system has them; what stands for no byte is spelt as UTF-8 spells any other character."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def whole(text: str) -> str:
    """The text with bytes that are no UTF-8 written out in hex, and nothing else changed: strict readers of JSON take it."""
    return raw_bytes(text).decode("utf-8", "backslashreplace")


def many(count: int, noun: str) -> str:
    """A count and its noun: `1 host`, `2 hosts`, `3 entries`, `4 days`, `5 matches`."""
    if count == 1:
        return f"1 {noun}"
    if noun.endswith("y") and not noun.endswith(("ay", "ey", "oy", "uy")):
        return f"{count:,} {noun[:-1]}ies"
    return f"{count:,} {noun}{'es' if noun.endswith(('s', 'x', 'ch', 'sh')) else 's'}"
