"""The keys on this machine: the author's, which signs the ledger, and the digest key, with which secrets are compared."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from vitrify.core.diagnostic import Denied, VitrifyError
from vitrify.ledger import keys
from vitrify.ledger.checkpoint import Signer
from vitrify.onhost.record import sync_folder

_SIZE = 32
_NEXT = "author.next"
_FORMER = "former"


def author_key(folder: Path, *, name: str) -> Signer:
    """The author's key, made at the first use and kept 0600."""
    path = folder / "author"
    if not path.exists() and (folder / _NEXT).exists():
        promote(folder)  # a rotation that was cut short between its last two steps
    if not path.exists():
        try:
            return keys.create(path, name=name)
        except VitrifyError:
            if not path.exists():
                raise
    return keys.load(path)


def next_key(folder: Path, *, name: str) -> Signer:
    """The key that is about to take the place of the author's, made where there is none yet."""
    path = folder / _NEXT
    return keys.load(path) if path.exists() else keys.create(path, name=name)


def promote(folder: Path) -> None:
    """Let the next key be the author's, and keep the one before among the former ones. Cut short, the same call goes on."""
    current, former = folder / "author", folder / _FORMER
    if not (folder / _NEXT).exists():
        return
    if current.exists():
        former.mkdir(mode=0o700, exist_ok=True)
        kept = former / keys.load(current).verifier.id.hex()
        if not kept.exists():
            os.link(current, kept)
            sync_folder(str(former))
    (folder / _NEXT).replace(current)
    sync_folder(str(folder))


def former_keys(folder: Path) -> tuple[Signer, ...]:
    """The author's keys before this one, which other projects may still know as theirs."""
    place = folder / _FORMER
    return tuple(keys.load(path) for path in sorted(place.iterdir())) if place.is_dir() else ()


def known_digest_key(folder: Path) -> bytes:
    """The digest key where there is one, else a fresh one that nothing was written of: `digest_key` may keep it."""
    return _read(folder / "digest") if (folder / "digest").exists() else secrets.token_bytes(_SIZE)


def digest_key(folder: Path, *, fresh: bytes = b"") -> bytes:
    """32 random bytes (or `fresh`), made at the first use and kept 0600; whoever has them could test guesses of a secret."""
    path = folder / "digest"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = folder / f".digest.{os.getpid()}"
    if not path.exists():
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(fresh or secrets.token_bytes(_SIZE))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(new, path)  # fails where another process was first: its key counts
        except FileExistsError:
            pass
        finally:
            new.unlink()
    return _read(path)


def _read(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise Denied(f"others could read the digest key {path}", hint=f"chmod 600 {path}")
    key = path.read_bytes()
    if len(key) != _SIZE:
        raise VitrifyError(
            f"the digest key {path} is damaged", hint="restore it from a backup, or remove it: secrets then count as changed once"
        )
    return key
