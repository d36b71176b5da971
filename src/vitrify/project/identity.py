"""Who a project is and who may write its ledger: the committed file `vitrify.keys`."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic, Location, UsageInvalid

NAME = "vitrify.keys"

_ID = re.compile(r"[0-9a-f]{16}")
_VERIFIER = re.compile(r"[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+=*")
_HEAD = """\
# Who this project is, and whose signatures its ledger may bear. Commit this file.
"""


@dataclass(frozen=True)
class Identity:
    """The project's id (16 hex digits) and the verifier keys of its authors, as they stand in the file."""

    project_id: str
    authors: tuple[str, ...] = ()


def read(folder: str) -> Identity | None:
    """The identity of the project in this folder; None where it has none yet, DeclarationInvalid where it cannot be read."""
    path = Path(folder) / NAME
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageInvalid(f"{path} cannot be read", why=error.strerror or "") from error
    except UnicodeDecodeError:
        raise _damaged(path, 1, "this is not text") from None
    return _parsed(path, text)


def _parsed(path: Path, text: str) -> Identity:
    project, authors = "", dict[str, None]()
    for number, line in enumerate(text.splitlines(), start=1):
        word, _, value = line.strip().partition(" ")
        value = value.strip()
        if not word or word.startswith("#"):
            continue
        if word == "project" and _ID.fullmatch(value) and not project:
            project = value
        elif word == "author" and _VERIFIER.fullmatch(value):
            authors[value] = None
        else:
            raise _damaged(path, number, "a line is `project` and 16 hex digits, once, or `author` and a verifier key")
    if not project:
        raise _damaged(path, 1, "the line `project ID` is missing")
    return Identity(project, tuple(authors))


def _damaged(path: Path, line: int, why: str) -> DeclarationInvalid:
    hint = "take the file from your version control: a new id would begin another ledger"
    return DeclarationInvalid([Diagnostic(f"{NAME} cannot be read", Location(str(path), line, 1), why, hint)])


def create(folder: str, *, project_id: str, authors: tuple[str, ...] = ()) -> Identity:
    """Write the file; UsageInvalid where the project has an identity already."""
    if (Path(folder) / NAME).exists():
        raise UsageInvalid(f"{Path(folder) / NAME} exists already", hint="a project keeps its identity")
    return _write(folder, Identity(project_id, authors))


def add_author(folder: str, author: str) -> Identity:
    """The identity with this author's key in it, and in the file; repeating it is harmless."""
    known = read(folder)
    if known is None:
        raise UsageInvalid(f"there is no {NAME} in {folder}", hint="the first plan or apply writes one")
    if author in known.authors:
        return known
    return _write(folder, replace(known, authors=(*known.authors, author)))


def ensure(folder: str, *, author: str, new_id: Callable[[], str] = lambda: secrets.token_hex(8)) -> Identity:
    """The project's identity with this author in it, made where there is none."""
    if read(folder) is None:
        return create(folder, project_id=new_id(), authors=(author,))
    return add_author(folder, author)


def _write(folder: str, identity: Identity) -> Identity:
    """Put the whole file in place in one rename, so that a crash leaves the old one or the new one."""
    wrong = [author for author in identity.authors if not _VERIFIER.fullmatch(author)]
    if wrong or not _ID.fullmatch(identity.project_id):
        raise UsageInvalid(f"{wrong[0] if wrong else identity.project_id!r} cannot stand in {NAME}")
    lines = [f"project {identity.project_id}", *(f"author {author}" for author in identity.authors)]
    path = Path(folder) / NAME
    try:
        with tempfile.NamedTemporaryFile("w", dir=folder, prefix=f".{NAME}.", delete=False, encoding="utf-8") as file:
            file.write(_HEAD + "".join(f"{line}\n" for line in lines))
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(file.name).replace(path)
    except OSError as error:
        hint = "make its folder writable: the project's identity is written into it once, to be committed"
        raise UsageInvalid(f"{path.absolute()} cannot be written", why=error.strerror or "", hint=hint) from error
    return identity
