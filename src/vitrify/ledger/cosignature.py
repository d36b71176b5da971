"""Cosignatures (C2SP tlog-cosignature/v1): a witness's word that a ledger only grew, with the time at which it looked."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field

from vitrify.core.diagnostic import UsageInvalid
from vitrify.ledger.checkpoint import Signer, Verifier, decoded, signature_lines

COSIGNED = 4
"""The signature type of a timestamped Ed25519 cosignature."""
_KEY = 32
_ID = 4
_TIME = 8


def _message(text: bytes, seconds: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % seconds + text


@dataclass(frozen=True)
class WitnessKey:
    """The public half of a witness's key."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """Four bytes that tell keys of one name apart."""
        return hashlib.sha256(self.name.encode("utf-8", "replace") + b"\n" + bytes([COSIGNED]) + self.public).digest()[:_ID]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([COSIGNED]) + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> WitnessKey:
        """The key in its text form (`name+id+base64`); UsageInvalid otherwise."""
        parts = text.split("+", 2)
        data = decoded(parts[2]) if len(parts) == 3 else None
        if data is None or len(data) != 1 + _KEY or data[0] != COSIGNED:
            raise UsageInvalid(f"{text!r} is no public key of a witness", why="the form is name+id+base64, of type 4")
        found = cls(parts[0], data[1:])
        if found.id.hex() != parts[1]:
            raise UsageInvalid(f"{text!r} is no public key of a witness", why="its id does not belong to its key")
        return found

    def cosigned(self, text: bytes, signature: bytes) -> int | None:
        """When this witness cosigned the text, in seconds since the epoch; None where that is not its cosignature."""
        seconds = int.from_bytes(signature[:_TIME], "big")
        good = len(signature) == _TIME + 64 and Verifier(self.name, self.public).signed(_message(text, seconds), signature[_TIME:])
        return seconds if good else None

    def among(self, text: bytes, lines: bytes) -> bytes | None:
        """The line among these signature lines by which this witness cosigned the text; None where there is none."""
        for name, made in signature_lines(lines):
            if (name, made[:_ID]) == (self.name, self.id) and self.cosigned(text, made[_ID:]) is not None:
                return f"— {name} {base64.b64encode(made).decode()}\n".encode()
        return None


@dataclass(frozen=True)
class Cosigner:
    """A witness's secret key: an author's key in form, whose signatures also say when."""

    signer: Signer = field(repr=False)

    @property
    def key(self) -> WitnessKey:
        """The public half."""
        return WitnessKey(self.signer.name, self.signer.verifier.public)

    def line(self, text: bytes, *, at: float) -> bytes:
        """The signature line that says: at this moment, everything that I ever cosigned of this ledger was in it."""
        seconds = int(at)
        signature = self.key.id + seconds.to_bytes(_TIME, "big") + self.signer.signature(_message(text, seconds))
        return f"— {self.signer.name} {base64.b64encode(signature).decode()}\n".encode()
