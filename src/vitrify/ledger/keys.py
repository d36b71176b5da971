"""An author's secret key on this machine: made once, readable by its owner alone."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from vitrify.core.diagnostic import Denied, UsageInvalid, VitrifyError
from vitrify.ledger.checkpoint import Signer

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def generate(name: str) -> Signer:
    """A new key for this author (`user@machine`: no spaces, no plus sign)."""
    return Signer(name, secrets.token_bytes(32))


def create(path: Path, *, name: str) -> Signer:
    """Make a key and keep it here, mode 0600, durably; UsageInvalid where there is one already: it is never overwritten."""
    signer = generate(name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise UsageInvalid(f"there is a key at {path} already", hint="move it away first: entries signed with it need it no more") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(signer.secret_text() + "\n")
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path.parent)
    return signer


def load(path: Path) -> Signer:
    """The key kept here; Denied where others could read it, UsageInvalid where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise UsageInvalid(f"there is no author key at {path}", hint="`vitrify init` makes one") from None
    except OSError as error:
        raise VitrifyError(f"the author key {path} cannot be read", why=error.strerror or "") from None
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
        _refuse_readable_by_others(path, os.fstat(file.fileno()))
        return Signer.parse(file.read().strip())


def _refuse_readable_by_others(path: Path, found: os.stat_result) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if mode & _OTHERS:
        raise Denied(f"others can reach the author key {path}", why=f"its mode is {mode:04o}, not 0600", hint=f"chmod 600 {path}")
    if found.st_uid not in (0, os.geteuid()):
        raise Denied(f"the author key {path} belongs to another user", why=f"its owner is user {found.st_uid}")


def _sync_folder(folder: Path) -> None:
    """Without this a power cut may lose the name of a file whose bytes are on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
