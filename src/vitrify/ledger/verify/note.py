"""Signed notes and the checkpoints in them, read as strictly as they are specified."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vitrify.ledger.verify.policy import Policy
from vitrify.ledger.verify.problems import Problems, shown

_LARGEST_NOTE = 1 << 20
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_DASH = "— "


@dataclass(frozen=True)
class Key:
    """A public key: an author's, or that of a witness, which signs the time as well. `last`: the largest tree it may sign, if any is."""

    name: str
    id: bytes
    public: bytes
    witness: bool = False
    last: int | None = None

    def made(self, signature: bytes, text: bytes) -> bool:
        """Whether this key made the signature over the text."""
        if not self.witness:
            return _ed25519(self.public, signature, text)
        stamp = int.from_bytes(signature[:8], "big")
        return len(signature) == 72 and _ed25519(self.public, signature[8:], b"cosignature/v1\ntime %d\n" % stamp + text)


@dataclass(frozen=True)
class Head:
    """What a checkpoint says, and which of the given keys signed it."""

    origin: str
    size: int
    root: bytes
    signed_by: tuple[str, ...]
    witnessed_by: tuple[str, ...] = ()


Keys = Mapping[tuple[str, bytes], Key]
"""By name and id."""


def strict_base64(text: str) -> bytes | None:
    """The bytes; None unless the text is exactly what encoding them gives."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == text else None


def trusted_keys(policy: Policy, problems: Problems) -> Keys:
    """All keys that count; a text that is none is a problem."""
    found: dict[tuple[str, bytes], Key] = {}
    for text in (*policy.authors, *policy.bounds):
        _take(found, text, problems, last=policy.bounds.get(text))
    if not found:
        problems.add("no author's key was given: nothing can be believed")
    for text in policy.witnesses:
        _take(found, text, problems, witness=True)
    return found


def _take(found: dict[tuple[str, bytes], Key], text: str, problems: Problems, *, witness: bool = False, last: int | None = None) -> None:
    parts = text.split("+", 2)
    public = strict_base64(parts[2]) if len(parts) == 3 else None
    if public is None or len(public) != 33 or public[0] != (4 if witness else 1):
        problems.add(f"{shown(text)} is not a public key of {'a witness' if witness else 'an author'}")
        return
    identity = hashlib.sha256(parts[0].encode("utf-8", "replace") + b"\n" + public).digest()[:4]
    if identity.hex() == parts[1]:
        found[parts[0], identity] = Key(parts[0], identity, public[1:], witness, last)
    else:
        problems.add(f"the key {shown(text)} does not have the id that it says")


def read_head(data: bytes | None, name: str, trusted: Keys, problems: Problems) -> Head | None:
    """The checkpoint in these bytes; None where there is none to be read. `name` is what problems call it."""
    if data is None:
        problems.add(f"{name} is missing")
        return None
    note = _note(data)
    if isinstance(note, str):
        problems.add(f"{name} {note}")
        return None
    text, signatures = note
    signers = _signers(name, text, (trusted, signatures), problems)
    lines = text.split("\n")
    root = strict_base64(lines[2]) if len(lines) == 4 else None
    if root is None or len(root) != 32 or not lines[0] or not _SIZE.fullmatch(lines[1]):
        problems.add(f"{name} is not three lines of origin, size and root")
        return None
    size = int(lines[1])
    signed_by = _within_bounds(name, size, [key for key in signers if not key.witness], problems)
    return Head(lines[0], size, root, signed_by, tuple(shown(key.name) for key in signers if key.witness))


def _within_bounds(name: str, size: int, signers: Sequence[Key], problems: Problems) -> tuple[str, ...]:
    for key in signers:
        if key.last is not None and size > key.last:
            problems.add(f"{name} of {size} entries is signed by {shown(key.name)} with a key that counts up to {key.last} only")
    counting = tuple(shown(key.name) for key in signers if key.last is None or size <= key.last)
    if not counting:
        problems.add(f"{name} is signed by none of the given keys")
    return counting


def _note(data: bytes) -> tuple[str, list[tuple[str, bytes]]] | str:
    """The text of a signed note and its signatures; what is wrong with it otherwise."""
    if len(data) > _LARGEST_NOTE:
        return "is larger than a signed note may be"
    try:
        note = data.decode("utf-8")
    except UnicodeDecodeError:
        return "is not UTF-8"
    if any(letter < " " for letter in note if letter != "\n"):
        return "holds control characters"
    cut = note.rfind("\n\n")
    if cut < 0 or not note.endswith("\n") or len(note) < cut + 3:
        return "is not a signed note"
    signatures = [_signature(line) for line in note[cut + 2 : -1].split("\n")]
    whole = [signature for signature in signatures if signature]
    return (note[: cut + 1], whole) if len(whole) == len(signatures) else "has a malformed signature line"


def _signature(line: str) -> tuple[str, bytes] | None:
    parts = line[len(_DASH) :].split(" ")
    if not line.startswith(_DASH) or len(parts) != 2 or not parts[0] or "+" in parts[0] or any(map(str.isspace, parts[0])):
        return None
    data = strict_base64(parts[1])
    return (parts[0], data) if data is not None and len(data) > 4 else None


_Signatures = tuple[Keys, list[tuple[str, bytes]]]


def _signers(name: str, text: str, keys_and_signatures: _Signatures, problems: Problems) -> list[Key]:
    trusted, signatures = keys_and_signatures
    signers: list[Key] = []
    seen: set[tuple[str, bytes]] = set()
    for signer, data in signatures:
        key = trusted.get((signer, data[:4]))
        if key is None:
            continue
        if (signer, data[:4]) in seen:
            problems.add(f"{name} is signed twice by {shown(signer)}")
        elif key.made(data[4:], text.encode()):
            signers.append(key)
        else:
            problems.add(f"{name} has a wrong signature by {shown(signer)}")
        seen.add((signer, data[:4]))
    return signers


def _ed25519(public: bytes, signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
