"""Brings in an inventory: read in its own form, settled, written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.report import Imported
from vitrify.project.inventory.gathered import Gathered
from vitrify.project.inventory.settle import settle
from vitrify.project.inventory.write import written


def bring_in(path: str, form: str, *, environ: Mapping[str, str]) -> Imported:
    """The inventory, with its text; UsageInvalid where it cannot be had, DeclarationInvalid where it is not YAML."""
    found = settle(_gathered(path, form, environ))
    return replace(found, text=written(found))


def _gathered(path: str, form: str, environ: Mapping[str, str]) -> Gathered:
    from vitrify.project.inventory import ini, nested, script, ssh

    if form == "script":
        return script.read(path, environ=environ)
    try:
        content = Path(path).read_bytes()
        text = "" if form == "ansible-yaml" else content.decode()
    except UnicodeDecodeError:
        raise UsageInvalid(f"{path} is not UTF-8") from None
    except OSError as error:
        raise UsageInvalid(f"{path} cannot be read", why=error.strerror or "") from None
    if form == "ansible-yaml":
        return nested.read(content, file=path)
    return ini.read(text, file=path) if form == "ansible-ini" else ssh.read(text, file=path)
