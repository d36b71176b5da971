"""What a `vitrify.py` is written with: the keys of a `vitrify.yaml` as functions, and one function for each kind of resource.

A new kind needs no line here. Its types, for editors, stand in the stub beside this file, which `./run fix` writes.
"""

from __future__ import annotations

from collections.abc import Callable

from vitrify.project.pieces import (
    Profile,
    Project,
    Resource,
    Server,
    kind_function,
    param,
    profile,
    project,
    secret,
    server,
    use,
    var,
)

__all__ = ["Profile", "Project", "Resource", "Server", "param", "profile", "project", "secret", "server", "use", "var"]


def __getattr__(name: str) -> Callable[..., Resource]:
    """The function of the kind of this name."""
    from vitrify.strangers import every_kind

    kinds = every_kind()
    if name not in kinds:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return kind_function(name, kinds[name].short)


def __dir__() -> list[str]:
    """Everything that can be imported from here."""
    from vitrify.strangers import every_kind

    return sorted([*__all__, *every_kind().names()])
