"""The secrets of a declaration, and the only way to their values. A value is never part of a message or of a repr."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vitrify.core.diagnostic import VitrifyError
from vitrify.core.schema import near
from vitrify.project.sources import Means, Source

_REFERENCE = re.compile(r"secret:([A-Za-z][A-Za-z0-9_-]*)")


def reference(value: object) -> str | None:
    """The NAME of a value that is wholly `secret:NAME`; None for any other value."""
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) and value.startswith("secret:") else None
    return match[1] if match else None


@dataclass(frozen=True)
class DeclaredSecrets:
    """The `secrets` of a declaration. Fulfils `vitrify.ports.Secrets`; each value is read at most once."""

    sources: Mapping[str, Source]
    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    _read: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    def resolve(self, name: str) -> str:
        """The value; a VitrifyError that names the secret and never its value, where it cannot be had."""
        return self._value(name, ())

    def _value(self, name: str, asking: tuple[str, ...]) -> str:
        if name in asking:
            circle = " -> ".join(f"`{one}`" for one in (*asking[asking.index(name) :], name))
            raise VitrifyError(f"these secrets open each other in a circle: {circle}")
        if name not in self._read:
            self._read[name] = self._resolve(name, (*asking, name))
        return self._read[name]

    def _resolve(self, name: str, asking: tuple[str, ...]) -> str:
        source = self.sources.get(name)
        if source is None:
            known = (
                f"secrets here: {', '.join(sorted(self.sources))}"
                if self.sources
                else f"declare it: `secrets: {{{name}: {{env: VARIABLE}}}}`"
            )
            raise VitrifyError(f"there is no secret `{name}`", hint=near(name, self.sources) or known)
        try:
            value = source.read(Means(self.folder, self.environ, lambda other: self._value(other, asking)))
        except VitrifyError as error:
            first = error.diagnostics[0]
            failed = VitrifyError(
                f"the secret `{name}` cannot be had", why=" ".join(filter(None, (first.summary, first.why))), hint=first.hint
            )
        else:
            if "\0" not in value and not any("\ud800" <= sign <= "\udfff" for sign in value):
                return value
            failed = VitrifyError(f"the secret `{name}` is not text", why="it holds a NUL, or bytes that are not UTF-8")
        # Raised out here, so that no foreign error, which may quote a value, is chained to it.
        raise failed
