"""How this machine reaches what packages are chosen from, for a root that knows nothing of it: names, proxies, keys, indices.

All of it is lent while something is chosen, and is in no image.
"""

from __future__ import annotations

import configparser
import os
import ssl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from vitrify.builders.ground import DEBOOTSTRAP
from vitrify.builders.sources import sources_for, trusted
from vitrify.core import supplies
from vitrify.ports import BakeRequest

_INDEX: Final = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
"""What of pip's settings says how an index is reached; the rest is about this machine."""
_CERTIFICATES: Final = f"{supplies.FOLDER}/certificates.pem"


def reach(request: BakeRequest, *, environ: Mapping[str, str] | None = None, home: Path | None = None) -> dict[str, str]:
    """Path in the root -> content, one character for each byte."""
    environ = os.environ if environ is None else environ
    found = {"/etc/resolv.conf": _read(Path("/etc/resolv.conf")), _CERTIFICATES: _certificates()}
    found[supplies.SETTINGS] = _apt(environ)
    found[supplies.PIP] = _pip(environ, home or Path.home())
    kind, _, suite = request.base.partition(":")
    if kind == DEBOOTSTRAP:
        sources = sources_for(suite, request.mirror)
        found["/etc/apt/sources.list.d/base.list"] = "".join(f"{source}\n" for source in sources)
        found.update({source.keyring: trusted(source).decode("latin-1") for source in sources if source.keyring})
    return {path: content for path, content in found.items() if content}


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_bytes().decode("latin-1")
    return ""


def _certificates() -> str:
    paths = ssl.get_default_verify_paths()
    return next((text for path in (paths.cafile, "/etc/ssl/certs/ca-certificates.crt") if path for text in [_read(Path(path))] if text), "")


def _apt(environ: Mapping[str, str]) -> str:
    lines = ['Acquire::Languages "none";', f'Acquire::https::CaInfo "{_CERTIFICATES}";']
    for name in ("http", "https"):
        proxy = environ.get(f"{name}_proxy", "")
        lines += [f'Acquire::{name}::Proxy "{proxy}";'] if proxy and '"' not in proxy else []
    parts = (Path("/etc/apt/apt.conf"), *sorted(Path("/etc/apt/apt.conf.d").glob("*")))
    # Where this machine's apt has a proxy of its own, it says so in a line of a file.
    lines += [line for path in parts for line in _read(path).splitlines() if "::Proxy" in line and line.strip().endswith(";")]
    return "".join(f"{line}\n" for line in lines)


def _pip(environ: Mapping[str, str], home: Path) -> str:
    """The user's own configuration of pip: environment before files, as pip has it."""
    files = (environ.get("PIP_CONFIG_FILE", ""), str(home / ".config/pip/pip.conf"), str(home / ".pip/pip.conf"), "/etc/pip.conf")
    found: dict[str, str] = {}
    for path in (path for path in files if path and path != os.devnull):
        parser = configparser.RawConfigParser()
        with suppress(OSError, configparser.Error, UnicodeDecodeError):
            parser.read(path)
            found |= {key: value for key, value in (parser["global"].items() if "global" in parser else ()) if key not in found}
    found |= {name: environ[key] for name in _INDEX for key in (f"PIP_{name.upper().replace('-', '_')}",) if key in environ}
    lines = [f"{name} = {' '.join(found[name].split())}\n" for name in _INDEX if name in found]
    return "".join(("[global]\n", f"cert = {_CERTIFICATES}\n", *lines)).encode().decode("latin-1")
