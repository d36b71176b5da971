"""Spoils texts and bytes of a format, cheaply, many times: what parsers of the ledger are tried with."""

from __future__ import annotations

import random

_ODD = (
    *(b"\0", b"\n", b"\n\n", b" ", b"+", b"=", b"-", b"0", b"00", b"\xff", b"\xc3\x28", b"\xe2\x80\x94 ", b'"', b"\\u0000", b"\\ud800"),
    *(b"[" * 300, b"1e999", b"NaN", b"-0", b"9" * 30, b"9007199254740993", b"{}", b"null", b",", b":", b"\r\n", b"\x7f"),
)


def spoiled(seeds: tuple[bytes, ...], chance: random.Random) -> bytes:
    """One of the seeds with one to four alterations: a bit, a piece gone, doubled, moved, replaced, or taken from another seed."""
    data = bytearray(seeds[int(chance.random() * len(seeds))])
    for _ in range(1 + int(chance.random() ** 3 * 4)):
        roll, at = chance.random(), int(chance.random() * (len(data) + 1))
        end = at + 1 + int(chance.random() ** 3 * 40)
        if roll < 0.25 and data:
            data[at % len(data)] ^= 1 << int(chance.random() * 8)
        elif roll < 0.4:
            del data[at:end]
        elif roll < 0.55:
            data[at:at] = data[at:end]
        elif roll < 0.8:
            data[at : at + int(chance.random() * 3)] = _ODD[int(chance.random() * len(_ODD))]
        elif roll < 0.9:
            other = seeds[int(chance.random() * len(seeds))]
            data[at:end] = other[int(chance.random() * (len(other) + 1)) :][: end - at]
        elif roll < 0.95:
            del data[at:]
        else:
            data[at:end] = chance.randbytes(end - at)
    return bytes(data)
