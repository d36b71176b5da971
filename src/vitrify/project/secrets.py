"""Where secrets come from, and the only place that reads them. A value is never part of a message or of a repr."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vitrify.core.diagnostic import VitrifyError
from vitrify.core.schema import near

_REFERENCE = re.compile(r"secret:([A-Za-z][A-Za-z0-9_-]*)")


def reference(value: object) -> str | None:
    """The NAME of a value that is wholly `secret:NAME`; None for any other value."""
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) and value.startswith("secret:") else None
    return match[1] if match else None


@dataclass(frozen=True)
class Source:
    """Where one secret comes from: an environment variable, or a file."""

    env: str = ""
    file: str = ""


@dataclass(frozen=True)
class DeclaredSecrets:
    """The `secrets` of a declaration. Fulfils `vitrify.ports.Secrets`; each value is read at most once."""

    sources: Mapping[str, Source]
    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    _read: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    def resolve(self, name: str) -> str:
        """The value; a VitrifyError that names the secret and never its value, where it cannot be had."""
        if name not in self._read:
            self._read[name] = self._resolve(name)
        return self._read[name]

    def _resolve(self, name: str) -> str:
        source = self.sources.get(name)
        if source is None:
            known = (
                f"secrets here: {', '.join(sorted(self.sources))}"
                if self.sources
                else f"declare it: `secrets: {{{name}: {{env: VARIABLE}}}}`"
            )
            raise VitrifyError(f"there is no secret `{name}`", hint=near(name, self.sources) or known)
        value = self._from_environment(name, source.env) if source.env else self._from_file(name, source.file)
        if "\0" in value or any("\ud800" <= sign <= "\udfff" for sign in value):
            raise VitrifyError(f"the secret `{name}` is not text", why="it holds a NUL, or bytes that are not UTF-8")
        return value

    def _from_environment(self, name: str, variable: str) -> str:
        value = self.environ.get(variable)
        if value is None:
            raise VitrifyError(f"the secret `{name}` cannot be had", why=f"the environment variable {variable} is not set")
        return value

    def _from_file(self, name: str, path: str) -> str:
        """The content, without the newline that editors put at the end."""
        try:
            return (self.folder / path).read_bytes().decode().removesuffix("\n")
        except OSError as error:
            reason = error.strerror or type(error).__name__
        except ValueError:  # not UTF-8, or a NUL in the path; the message of the error would quote the content
            reason = "its path or its content is not text"
        raise VitrifyError(f"the secret `{name}` cannot be had", why=f"{path}: {reason}")
