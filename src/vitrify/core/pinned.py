"""Contents that are known before they are had: a checksum, where to have them from, and the refusal of anything else."""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from typing import IO, Dict, Iterator, List, Mapping
from urllib.parse import unquote, urlsplit

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.core.digest import JSON
from vitrify.core.schema import Field, Problem, Type
from vitrify.core.system import Fetch, System

CHUNK = 1 << 20
CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_WRITTEN = re.compile(r"[\x21-\x7e]+")

FIELDS: Mapping[str, Field] = {
    "url": Field(Type.TEXT, "where it is had from: http, https or file (a path on the target)"),
    "checksum": Field(Type.TEXT, "what it must be: `sha256:…` or `sha512:…`, in lower case"),
    "headers": Field(Type.MAP, "headers of the request; they are in every plan"),
    "token": Field(Type.TEXT, "a secret that is sent along, as the whole value of a header", secret=True),
    "token_header": Field(Type.TEXT, "the header that holds the token; Authorization where not given"),
    "timeout": Field(Type.INTEGER, "seconds without a byte after which a connection is given up; 60 where not given"),
}


def problems(values: Mapping[str, JSON]) -> List[Problem]:
    """What is wrong with these fields that one alone cannot tell."""
    found = []
    if "checksum" in values and not CHECKSUM.fullmatch(str(values["checksum"])):
        found.append(Problem(("checksum",), "this is no checksum", "write sha256: and 64 hex digits, or sha512: and 128, in lower case"))
    if "url" in values:
        found += _url_problems(str(values["url"]))
    headers = values.get("headers")
    named = {**(headers if isinstance(headers, dict) else {}), str(values.get("token_header", "x")): ""}
    wrong = [name for name, value in named.items() if not _HEADER.fullmatch(name) or any(sign in str(value) for sign in "\r\n")]
    found += [Problem(("headers", name), f"{name!r} cannot be a header") for name in wrong]
    timeout = values.get("timeout")
    if isinstance(timeout, int) and timeout < 1:
        found.append(Problem(("timeout",), f"{timeout} seconds is no time at all"))
    return found


def _url_problems(url: str) -> List[Problem]:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        return [Problem(("url",), f"{url!r} is not an address", str(error))]
    if parts.scheme not in ("http", "https", "file") or not _WRITTEN.fullmatch(url):
        return [Problem(("url",), f"{url!r} is not an address that is understood", "https://…, http://… or file:///…")]
    if "@" in parts.netloc:
        return [Problem(("url",), "a password in the address would be in every plan", "give it as `token`")]
    if parts.scheme == "file" and (parts.netloc or not parts.path.startswith("/") or ".." in parts.path.split("/")):
        return [Problem(("url",), f"{url!r} names no path of the target", "file:///…")]
    return [] if parts.scheme == "file" or parts.hostname else [Problem(("url",), f"{url!r} names no host")]


def checksum_of(stream: IO[bytes], *, like: str) -> str:
    """The checksum of what is left of a stream, of the same sort as another one; the stream stands at its end then."""
    running = hashlib.new("sha512" if like.startswith("sha512:") else "sha256")
    while True:
        chunk = stream.read(CHUNK)
        if not chunk:
            return f"{running.name}:{running.hexdigest()}"
        running.update(chunk)


@contextmanager
def had(fields: Mapping[str, JSON], system: System) -> Iterator[IO[bytes]]:
    """What the URL leads to, checked; it stands at its beginning. IntegrityFailed where it is something else."""
    url, checksum = str(fields["url"]), str(fields["checksum"])
    local = urlsplit(url).scheme == "file"
    with system.open(unquote(urlsplit(url).path)) if local else system.fetch(_request(url, fields, system)) as stream:
        refuse_other(stream, checksum, called=url)
        yield stream


def refuse_other(stream: IO[bytes], checksum: str, *, called: str) -> None:
    """Raise IntegrityFailed where this is not what the checksum says; else the stream stands at its beginning again."""
    found = checksum_of(stream, like=checksum)
    if found != checksum:
        raise IntegrityFailed(f"{called} is not what its checksum says", why=f"it has {found}", hint="nothing was put in place")
    stream.seek(0)


def _request(url: str, fields: Mapping[str, JSON], system: System) -> Fetch:
    declared = fields.get("headers")
    headers: Dict[str, str] = {name: str(value) for name, value in declared.items()} if isinstance(declared, dict) else {}
    if "token" in fields:
        token = system.blob(str(fields["token"])).decode("utf-8", "replace").strip()
        if not token.isprintable():
            raise IntegrityFailed("the token cannot be sent", why="it holds control characters")
        headers[str(fields.get("token_header", "Authorization"))] = token
    timeout = fields.get("timeout")
    return Fetch(url, headers, float(timeout) if isinstance(timeout, int) else 60.0)
