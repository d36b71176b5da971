"""A public key as text: apt tells an armoured key from a binary one by its name alone, so all keys travel armoured."""

from __future__ import annotations

import base64

_BEGIN, _END = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"
_WIDTH = 64
_START, _POLYNOMIAL = 0xB704CE, 0x1864CFB
"""Of the check sum of RFC 4880, section 6.1."""


def armoured(content: bytes) -> bytes:
    """The key in ASCII armour; one that is armoured already stays byte for byte as it is, but for blank space around it."""
    if content.lstrip().startswith(_BEGIN.encode()):
        return content.strip() + b"\n"
    text = base64.b64encode(content).decode()
    lines = [text[place : place + _WIDTH] for place in range(0, len(text), _WIDTH)]
    check = base64.b64encode(_check_sum(content).to_bytes(3, "big")).decode()
    return "\n".join([_BEGIN, "", *lines, f"={check}", _END, ""]).encode()


def _check_sum(content: bytes) -> int:
    found = _START
    for byte in content:
        found ^= byte << 16
        for _ in range(8):
            found <<= 1
            if found & 0x1000000:
                found ^= _POLYNOMIAL
    return found & 0xFFFFFF
