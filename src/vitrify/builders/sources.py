"""Where a base's packages come from: what is declared, else this machine's own apt sources, as they lead to the wanted suite."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vitrify.core.declaration import Mirror
from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic, UsageInvalid

FOLDER = Path("/etc/apt")
_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>(?:\s+[^#\s]+)*)\s*(?:#.*)?")
_SIGNED = re.compile(r"signed-by=(\S+)", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """One suite of one archive; `keyring` is the path of what signs it, empty where apt trusts it anyway."""

    uri: str
    suite: str
    components: tuple[str, ...]
    keyring: str = ""

    def __str__(self) -> str:
        options = f" [signed-by={self.keyring}]" if self.keyring else ""
        return " ".join((f"deb{options}", self.uri, self.suite, *self.components))


def sources_for(suite: str, mirror: Mirror | None, *, folder: Path = FOLDER, own: str | None = None) -> tuple[Source, ...]:
    """The sources of this suite; DeclarationInvalid, with what to declare, where this machine knows none."""
    if mirror is not None:
        suites = mirror.suites or (suite,)
        return tuple(Source(uri, name, mirror.components, mirror.keyring) for uri in mirror.uris for name in suites)
    codename = _codename() if own is None else own
    found = tuple(dict.fromkeys(told for one in machine_sources(folder) for told in (_led(one, suite, codename),) if told))
    if not found:
        hint = "say where its packages come from: `mirror: {uris: [http://…/debian], keyring: FILE}`"
        told = Diagnostic(f"this machine has no apt sources that lead to {suite}", why=f"looked in {folder}", hint=hint)
        raise DeclarationInvalid([told])
    return found


def _codename() -> str:
    try:
        return platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    except OSError:
        return ""


def _led(source: Source, suite: str, own: str) -> Source | None:
    """The source as it is for the wanted suite: its own release's, or the same place of another one; None for any other archive."""
    for name in (suite, own):
        rest = source.suite[len(name) :] if name and source.suite.startswith(name) else None
        if rest is not None and rest[:1] in ("", "-", "/"):
            return Source(source.uri, suite + rest, source.components, source.keyring)
    return None


def machine_sources(folder: Path) -> Iterator[Source]:
    """Every binary source that this machine's apt uses, in its order."""
    for path in (folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))):
        if path.suffix not in (".list", ".sources"):
            continue
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        yield from _stanzas(text) if path.suffix == ".sources" else _lines(text)


def _lines(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.strip())
        if match:
            signed = _SIGNED.search(match["options"] or "")
            yield Source(match["uri"], match["suite"], tuple(match["components"].split()), signed.group(1) if signed else "")


def _stanzas(text: str) -> Iterator[Source]:
    for part in re.split(r"\n\s*\n", text):
        fields = _fields(part)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false"):
            continue
        # A key that stands in the file itself has no path: what it signs is trusted as far as apt's own keyrings go.
        keyring = fields.get("signed-by", "")
        keyring = keyring if keyring.startswith("/") and len(keyring.split()) == 1 else ""
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(uri, suite, tuple(fields.get("components", "").split()), keyring)


def _fields(part: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    name = ""
    for line in part.splitlines():
        if line.startswith("#"):
            continue
        if line[:1] in (" ", "\t"):
            found[name] = f"{found.get(name, '')} {line.strip()}"
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            found[name] = value.strip()
    return found


def trusted(source: Source) -> bytes:
    """The keys that sign a source; UsageInvalid where its keyring cannot be read."""
    try:
        return Path(source.keyring).read_bytes() if source.keyring else b""
    except OSError as error:
        hint = "install the keyring's package, or name another file: `mirror: {keyring: FILE}`"
        raise UsageInvalid(f"the keyring {source.keyring} cannot be read", why=os.strerror(error.errno or 0), hint=hint) from error
