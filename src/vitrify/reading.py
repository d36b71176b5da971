"""What can be told by reading alone: it needs no host, no home and no ledger, and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a shell that completes a word waits for each of these
    from vitrify.core.digest import JSONObject
    from vitrify.core.report import Explained, Imported


def schema() -> JSONObject:
    """The JSON Schema of a declaration."""
    from vitrify.project import editors
    from vitrify.strangers import every_kind

    return editors.schema(every_kind())


def explain(folder: str, variable: str, *, host: str, environment: str, overrides: Mapping[str, str]) -> tuple[Explained, ...]:
    """What a variable is on a host ("" means on every host), and where that comes from."""
    from vitrify.project import explain as story
    from vitrify.project.load import Inputs
    from vitrify.strangers import every_kind

    return story.explain(folder, variable, host=host, inputs=Inputs({}, overrides, every_kind(), b"", environment))


def environments(folder: str) -> list[str]:
    """The names of the environments that a project declares; none where that cannot be read."""
    from vitrify.project import names

    return names.environments(folder)


def pickable(folder: str) -> list[str]:
    """The names that pick a part of a project: servers, groups and hosts; none where that cannot be read."""
    from vitrify.project import names

    return names.pickable(folder)


def import_inventory(path: str, form: str, *, environ: Mapping[str, str]) -> Imported:
    """What an inventory of another tool says, as groups of a declaration; UsageInvalid where it cannot be had."""
    from vitrify.project.inventory import bring_in

    return bring_in.bring_in(path, form, environ=environ)
