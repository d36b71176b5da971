"""Signed statements of what the ledger holds: C2SP checkpoints as signed notes, and the keys that sign them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from vitrify.core.diagnostic import IntegrityFailed, UsageInvalid
from vitrify.ledger.tree import EMPTY, HASH

ED25519 = 1
"""The signature type of C2SP signed-note."""

_SIGNATURE = "— "
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_PRIVATE = "PRIVATE+KEY+"
_KEY_BYTES = 32
_ID_BYTES = 4


class Time(Protocol):
    """What tells the time of an entry, or of a cosignature."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""


@dataclass(frozen=True)
class Checkpoint:
    """Which ledger, how many entries, and the root over them."""

    origin: str
    size: int
    root: bytes

    def text(self) -> bytes:
        """The bytes that are signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()


def empty(origin: str) -> Checkpoint:
    """What a ledger without entries holds."""
    return Checkpoint(origin, 0, EMPTY)


@dataclass(frozen=True)
class Verifier:
    """The public half of a key."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """Four bytes that tell keys of one name apart."""
        return hashlib.sha256(self.name.encode("utf-8", "replace") + b"\n" + bytes([ED25519]) + self.public).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([ED25519]) + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> Verifier:
        """The key in its text form (`name+id+base64`); UsageInvalid otherwise."""
        name, hexadecimal, encoded = _parts(text, "a public key of a ledger's author")
        found = cls(name, _key_bytes(encoded, text))
        if found.id.hex() != hexadecimal:
            raise UsageInvalid(f"{text!r} is no public key of a ledger's author", why="its id does not belong to its key")
        return found

    def signed(self, text: bytes, signature: bytes) -> bool:
        """Whether this key made the signature over the text."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class Signer:
    """A key that signs for an author; its name is the author's."""

    name: str
    _seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not self.name or "+" in self.name or any(letter.isspace() or letter < " " for letter in self.name):
            raise UsageInvalid(f"{self.name!r} cannot name a key", why="a key's name is not empty and has no spaces and no plus sign")

    @classmethod
    def parse(cls, text: str) -> Signer:
        """The key in its text form (`PRIVATE+KEY+name+id+base64`); UsageInvalid, without the text, otherwise."""
        what = "the secret key of a ledger's author"
        if not text.startswith(_PRIVATE):
            raise UsageInvalid(f"that is not {what}")
        try:
            name, hexadecimal, encoded = _parts(text.removeprefix(_PRIVATE), what)
            found = cls(name, _key_bytes(encoded, text))
        except UsageInvalid:
            raise UsageInvalid(f"that is not {what}") from None
        if found.verifier.id.hex() != hexadecimal:
            raise UsageInvalid(f"that is not {what}", why="its id does not belong to its key")
        return found

    def secret_text(self) -> str:
        """The text form that `parse` reads: the secret itself."""
        return f"{_PRIVATE}{self.name}+{self.verifier.id.hex()}+{base64.b64encode(bytes([ED25519]) + self._seed).decode()}"

    @cached_property
    def verifier(self) -> Verifier:
        """The public half."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Verifier(self.name, Ed25519PrivateKey.from_private_bytes(self._seed).public_key().public_bytes_raw())

    def signature(self, data: bytes) -> bytes:
        """The bare Ed25519 signature over these bytes, 64 of them."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self._seed).sign(data)

    def sign(self, text: bytes) -> bytes:
        """The signed note of this text."""
        signature = self.verifier.id + self.signature(text)
        return text + f"\n{_SIGNATURE}{self.name} {base64.b64encode(signature).decode()}\n".encode()


def open_note(data: bytes, trusted: Iterable[Verifier]) -> bytes:
    """The text of a note that a trusted key signed; IntegrityFailed otherwise, also where a trusted key's signature is wrong."""
    keys = {(key.name, key.id): key for key in trusted}
    text, signatures = _parse_note(data)
    known = [(keys[name, made[:_ID_BYTES]], made[_ID_BYTES:]) for name, made in signatures if (name, made[:_ID_BYTES]) in keys]
    if not known:
        raise IntegrityFailed("the checkpoint is signed by nobody known", hint="the authors' keys are in vitrify.keys")
    for key, signature in known:
        if not key.signed(text, signature):
            raise IntegrityFailed(f"the checkpoint's signature by {key.name} is wrong")
    return text


def open_checkpoint(data: bytes, *, origin: str, trusted: Iterable[Verifier]) -> Checkpoint:
    """The checkpoint in a note that a trusted key signed for this ledger; IntegrityFailed otherwise."""
    lines = open_note(data, trusted).decode().split("\n")
    if len(lines) != 4 or not _SIZE.fullmatch(lines[1]):
        raise IntegrityFailed("the checkpoint is not origin, size and root")
    if lines[0] != origin:
        raise IntegrityFailed(f"the checkpoint is of the ledger {lines[0]}, not of {origin}")
    root = decoded(lines[2])
    if root is None or len(root) != HASH:
        raise IntegrityFailed("the checkpoint's root is not a SHA-256 in base64")
    return Checkpoint(origin, int(lines[1]), root)


def note_text(data: bytes) -> bytes:
    """The text that the signatures of a note are over, unproved; IntegrityFailed where it is no note."""
    return _parse_note(data)[0]


def signature_lines(data: bytes) -> Sequence[tuple[str, bytes]]:
    """Name and bytes (key id first) of each of these signature lines, unproved; IntegrityFailed where they are none."""
    return _parse_note(b"\n\n" + data)[1]


def claimed_size(data: bytes) -> int:
    """The size that a note says, unproved; 0 where it says none."""
    lines = data.split(b"\n", 2)
    said = lines[1].decode("ascii", "replace") if len(lines) > 1 else ""
    return int(said) if _SIZE.fullmatch(said) else 0


def _parse_note(data: bytes) -> tuple[bytes, Sequence[tuple[str, bytes]]]:
    try:
        note = data.decode()
    except UnicodeDecodeError:
        raise IntegrityFailed("the checkpoint is not UTF-8") from None
    text, blank, block = note.rpartition("\n\n")
    if not blank or not block.endswith("\n") or any(letter < " " and letter != "\n" for letter in note):
        raise IntegrityFailed("the checkpoint is not a signed note")
    return f"{text}\n".encode(), [_parse_signature(line) for line in block[:-1].split("\n")]


def _parse_signature(line: str) -> tuple[str, bytes]:
    name, space, encoded = line.removeprefix(_SIGNATURE).partition(" ")
    signature = decoded(encoded)
    if not line.startswith(_SIGNATURE) or not name or not space or signature is None or len(signature) <= _ID_BYTES:
        raise IntegrityFailed("the checkpoint has a line among its signatures that is none")
    return name, signature


def _parts(text: str, what: str) -> tuple[str, str, str]:
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise UsageInvalid(f"{text!r} is not {what}", why="the form is name+id+base64")
    return parts[0], parts[1], parts[2]


def _key_bytes(encoded: str, text: str) -> bytes:
    found = decoded(encoded)
    if found is None or len(found) != 1 + _KEY_BYTES or found[0] != ED25519:
        raise UsageInvalid(f"{text!r} is no Ed25519 key")
    return found[1:]


def decoded(encoded: str) -> bytes | None:
    """Strict base64: None unless these are the very characters that encoding gives."""
    try:
        found = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if base64.b64encode(found).decode() == encoded else None
