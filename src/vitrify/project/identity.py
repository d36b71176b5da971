"""Who a project is and who may write its ledger: the committed file `vitrify.keys`."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from vitrify.core.diagnostic import DeclarationInvalid, Denied, Diagnostic, Location, UsageInvalid

NAME = "vitrify.keys"

_ID = re.compile(r"[0-9a-f]{16}")
_VERIFIER = r"[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+=*"
_AUTHOR = re.compile(rf"({_VERIFIER})(?: until ([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}))?")
_FORMER = re.compile(rf"({_VERIFIER}) ([0-9]{{1,15}})")
_WITNESS = re.compile(rf"({_VERIFIER}) (https?://[!-~]+)")
_QUORUM = re.compile(r"[0-9]{1,2}")
_HEAD = """\
# Who this project is, and whose signatures its ledger may bear. Commit this file.
"""
_FORMS = """\
a line is `project` and 16 hex digits, once; `author` and a public key, or that and `until` a day; \
`retired` or `revoked`, a public key and a number of entries; `witness`, a public key and a URL; or `quorum` and a number, once"""


@dataclass(frozen=True)
class Identity:
    """Who a project is, and whose word counts, by keys as they stand in the file."""

    project_id: str
    """16 hex digits."""
    authors: tuple[str, ...] = ()
    until: Mapping[str, str] = field(default_factory=dict)
    """Authors' keys that sign nothing new from a day on (`2027-01-31`) -> that day."""
    former: Mapping[str, int] = field(default_factory=dict)
    """Keys that were rotated, lost or stolen -> the size of the largest tree that they may have signed."""
    revoked: frozenset[str] = frozenset()
    """Those of the former ones whose word counts nowhere but in the ledger any more."""
    witnesses: Mapping[str, str] = field(default_factory=dict)
    """Key -> where it answers."""
    quorum: int = 0
    """So many witnesses have to have cosigned."""

    def expired(self, key: str, *, today: str) -> bool:
        """Whether a key signs nothing new any more; `today` as `2027-01-31`."""
        return key in self.until and self.until[key] <= today

    def approving(self, *, today: str) -> tuple[str, ...]:
        """The keys whose signatures under something new count."""
        return tuple(key for key in self.authors if not self.expired(key, today=today))


def name_of(key: str) -> str:
    """Whose key it is."""
    return key.partition("+")[0]


def short(key: str) -> str:
    """The key by its name and id: `anna@laptop+5b3b7a2c`."""
    return "+".join(key.split("+", 2)[:2])


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
    found = Identity("")
    for number, line in enumerate(text.splitlines(), start=1):
        word, _, value = line.strip().partition(" ")
        if word and not word.startswith("#"):
            grown = _with(found, word, value.strip())
            why = _FORMS if grown is None else _wrong_key(word, value.strip().partition(" ")[0])
            if why or grown is None:
                raise _damaged(path, number, why)
            found = grown
    if not found.project_id:
        raise _damaged(path, 1, "the line `project ID` is missing")
    return found


def _with(known: Identity, word: str, value: str) -> Identity | None:
    """What is known once a line was read as well; None where it cannot be."""
    match word:
        case "project" if _ID.fullmatch(value) and not known.project_id:
            return replace(known, project_id=value)
        case "author" if (found := _AUTHOR.fullmatch(value)) and found[1] not in known.former:
            until = {found[1]: found[2]} if found[2] else {}
            return replace(known, authors=tuple(dict.fromkeys((*known.authors, found[1]))), until={**known.until, **until})
        case "retired" | "revoked" if (found := _FORMER.fullmatch(value)) and found[1] not in (*known.authors, *known.former):
            gone = frozenset({found[1]}) if word == "revoked" else frozenset[str]()
            return replace(known, former={**known.former, found[1]: int(found[2])}, revoked=known.revoked | gone)
        case "witness" if (found := _WITNESS.fullmatch(value)) and found[1] not in known.witnesses:
            return replace(known, witnesses={**known.witnesses, found[1]: found[2]})
        case "quorum" if _QUORUM.fullmatch(value) and not known.quorum:
            return replace(known, quorum=int(value))
    return None


def _wrong_key(word: str, key: str) -> str:
    """Why this is no key of a witness or an author, though it looks like one; "" where it is."""
    from vitrify.ledger.checkpoint import Verifier
    from vitrify.ledger.cosignature import WitnessKey

    parse = {"witness": WitnessKey.parse, "author": Verifier.parse}.get(word)
    try:
        if parse:
            parse(key)
    except UsageInvalid as error:
        first = error.diagnostics[0]
        return f"{first.summary}{f': {first.why}' if first.why else ''}"
    return ""


def _damaged(path: Path, line: int, why: str) -> DeclarationInvalid:
    hint = "take the file from your version control: a new id would begin another ledger"
    return DeclarationInvalid([Diagnostic(f"{NAME} cannot be read", Location(str(path), line, 1), why, hint)])


def create(folder: str, *, project_id: str, authors: tuple[str, ...] = ()) -> Identity:
    """Write the file; UsageInvalid where the project has an identity already."""
    if (Path(folder) / NAME).exists():
        raise UsageInvalid(f"{Path(folder) / NAME} exists already", hint="a project keeps its identity")
    return write(folder, Identity(project_id, authors))


def add_author(folder: str, author: str) -> Identity:
    """The identity with this author's key in it, and in the file; repeating it is harmless."""
    known = read(folder)
    if known is None:
        raise UsageInvalid(f"there is no {NAME} in {folder}", hint="the first plan or apply writes one")
    if author in known.authors:
        return known
    if author in known.former:
        hint = "`vitrify key rotate` makes a new one, or finishes making it"
        raise Denied(f"the key {short(author)} counts no more in this project", why=f"{NAME} says so", hint=hint)
    return write(folder, replace(known, authors=(*known.authors, author)))


def ensure(folder: str, *, author: str, new_id: Callable[[], str] = lambda: secrets.token_hex(8)) -> Identity:
    """The project's identity with this author in it, made where there is none."""
    if read(folder) is None:
        return create(folder, project_id=new_id(), authors=(author,))
    return add_author(folder, author)


def refuse_expired(known: Identity, author: str, *, today: str) -> None:
    """Denied where this author's key signs nothing new any more."""
    if known.expired(author, today=today):
        why = f"{NAME} says `until {known.until[author]}`"
        raise Denied(f"the key {short(author)} has expired", why=why, hint="`vitrify key rotate` makes a new one")


def _lines(known: Identity) -> list[str]:
    authors = [f"author {key}{f' until {known.until[key]}' if key in known.until else ''}" for key in known.authors]
    former = [f"{'revoked' if key in known.revoked else 'retired'} {key} {size}" for key, size in known.former.items()]
    witnesses = [f"witness {key} {url}" for key, url in known.witnesses.items()]
    return [f"project {known.project_id}", *authors, *former, *witnesses, *([f"quorum {known.quorum}"] if known.quorum else [])]


def write(folder: str, identity: Identity) -> Identity:
    """Put the whole file in place in one rename, so that a crash leaves the old one or the new one."""
    path, lines = Path(folder) / NAME, _lines(identity)
    said: Identity | None = Identity("")
    for line in lines:
        word, _, value = line.partition(" ")
        said = _with(said, word, value) if said else None
        if said is None:
            raise UsageInvalid(f"{value!r} cannot stand in {NAME}")
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
