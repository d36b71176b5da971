"""Public keys as OpenSSH writes them, in `authorized_keys` and in `known_hosts`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import List, Optional, Tuple

from vitrify.core.schema import Problem

TYPE = re.compile(r"(ssh-(ed25519|rsa|dss)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)")
_CERTIFICATE = re.compile(r"[a-z0-9-]+-cert-v01@openssh\.com")
HASHED = "|1|"


@dataclass(frozen=True)
class Key:
    """One public key. `options` and `comment` are what stands around it."""

    type: str
    data: str
    options: str = ""
    comment: str = ""

    @property
    def same(self) -> Tuple[str, str]:
        """What makes it this key, whatever stands around it."""
        return self.type, self.data

    @property
    def fingerprint(self) -> str:
        """Its fingerprint as `ssh-keygen -l` prints it."""
        digest = hashlib.sha256(base64.b64decode(self.data)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def line(self) -> str:
        """The line."""
        return " ".join(part for part in (self.options, self.type, self.data, self.comment) if part)


def parse(line: str) -> Optional[Key]:
    """The key of a line; None for a line that holds none."""
    text = line.strip()
    first, rest = word(text)
    if not TYPE.fullmatch(first) and not _CERTIFICATE.fullmatch(first):
        options, (first, rest) = first, word(rest)
    else:
        options = ""
    data, comment = word(rest)
    if text.startswith("#") or not (TYPE.fullmatch(first) or _CERTIFICATE.fullmatch(first)) or not _holds(data, first):
        return None
    return Key(first, data, options, comment.strip())


def word(text: str) -> Tuple[str, str]:
    """The first word and what follows it; blanks in double quotes part nothing."""
    quoted, place = False, 0
    while place < len(text) and (quoted or text[place] not in " \t"):
        if text[place] == "\\" and text[place + 1 : place + 2] == '"':
            place += 1
        elif text[place] == '"':
            quoted = not quoted
        place += 1
    return text[:place], text[place:].lstrip(" \t")


def _holds(data: str, kind: str) -> bool:
    """Whether this is base64 of a key that says itself to be of this type."""
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return False
    length = int.from_bytes(raw[:4], "big")
    return raw[4 : 4 + length] == kind.encode() and len(raw) > 4 + length


def keys(text: str) -> Tuple[Key, ...]:
    """The keys of all lines that hold one."""
    return tuple(key for key in map(parse, text.splitlines()) if key is not None)


def problems(field: str, text: str) -> List[Problem]:
    """What stands against a field that holds public keys, one a line."""
    lines = [line for line in text.splitlines() if line.strip()]
    found = [Problem((field,), "there is no key in it", _HINT)] if not lines else []
    if "PRIVATE KEY" in text:
        return [Problem((field,), "this is a private key", "give the public one: the file whose name ends in .pub")]
    return found + [Problem((field,), f"{line[:40]!r} is not a public key", _HINT) for line in lines if parse(line) is None]


_HINT = "write it as it stands in a .pub file: ssh-ed25519 AAAA… comment"


def host_matches(pattern: str, name: str) -> bool:
    """Whether the first field of a line of `known_hosts` names this host: in clear, or hashed."""
    if not pattern.startswith(HASHED):
        return name in pattern.split(",")
    _, _, salt, told = (*pattern.split("|"), "", "", "")[:4]
    return hashed(name, salt) == pattern if salt and told else False


def hashed(name: str, salt: str) -> str:
    """A host's name as `HashKnownHosts` writes it; `salt` is base64."""
    try:
        digest = hmac.new(base64.b64decode(salt), name.encode(), hashlib.sha1).digest()
    except (binascii.Error, ValueError):
        return ""
    return f"{HASHED}{salt}|{base64.b64encode(digest).decode()}"
