"""A project in a temporary folder, loaded by one call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from vitrify.core.declaration import Declaration
from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic
from vitrify.project.load import load
from vitrify.resources.registry import all_kinds

KEY = bytes(range(32))


class Project:
    """A folder with a declaration in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, name: str, text: str | bytes = "") -> Path:
        """Write one file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def load(
        self,
        text: str | bytes,
        *,
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, str] | None = None,
        environment: str = "",
    ) -> Declaration:
        """Write this declaration and load it."""
        self.file("vitrify.yaml", text)
        return self.reload(environ=environ, overrides=overrides, environment=environment)

    def reload(
        self, *, environ: Mapping[str, str] | None = None, overrides: Mapping[str, str] | None = None, environment: str = ""
    ) -> Declaration:
        """Load the declaration that is there."""
        found = {"environ": environ or {}, "overrides": overrides or {}}
        return load(str(self.folder), **found, kinds=all_kinds(), key=KEY, environment=environment)

    def problems(self, text: str | bytes, *, environ: Mapping[str, str] | None = None) -> tuple[Diagnostic, ...]:
        """Everything that is wrong with this declaration."""
        with pytest.raises(DeclarationInvalid) as error:
            self.load(text, environ=environ)
        return error.value.diagnostics

    def problem(self, text: str | bytes, *, environ: Mapping[str, str] | None = None) -> tuple[str, str]:
        """The only thing that is wrong with this declaration: `line:column summary`, and all the rest of it."""
        (only,) = self.problems(text, environ=environ)
        assert only.where
        assert only.where.file == str(self.folder / "vitrify.yaml")
        return f"{only.where.line}:{only.where.column} {only.summary}", f"{only.why} | {only.hint}"

    def server(self, *resources: str, head: str = "vars: {}", keys: str = "") -> str:
        """A declaration whose server `web` has these resources. `head` is line 3; without `keys` the resources begin in line 9."""
        body = "".join(f"      {line}\n" for line in resources)
        return (
            f"version: 1\nproject: shop\n{head}\nservers:\n  web:\n    lifecycle: mutable\n    hosts: [local]\n{keys}    resources:\n{body}"
        )
