"""Opens the ledger of a project, which tells those who are declared to be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vitrify.lifecycle.notices import Telling, Ways
from vitrify.lifecycle.world import Desk

if TYPE_CHECKING:
    from vitrify.core.declaration import Declaration
    from vitrify.core.event import Emit
    from vitrify.core.notice import Notice
    from vitrify.lifecycle.world import Ledger, World

INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TMPDIR", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME")
"""What a hook or a notice's command of this machine finds of our own environment, and nothing else."""


def desk(folder: Path, environ: Mapping[str, str]) -> Desk:
    """Where commands of this machine run."""
    return Desk(str(folder.absolute()), {name: environ[name] for name in INHERITED if name in environ})


def telling(log: Ledger, at: Desk, declaration: Callable[[], Declaration], *, emit: Emit) -> Telling:
    """This ledger, which tells whoever the declaration names."""
    from vitrify.app.sending import Sender

    def receivers() -> tuple[Notice, ...]:
        return declaration().notices if _may_name_somebody(Path(at.folder)) else ()

    return Telling(log, receivers, project=lambda: declaration().project, ways=Ways(Sender(at.folder, at.environ), emit))


def prepare(world: World) -> None:
    """Look up who is told, for a process that goes on for long: each entry is told at once then."""
    if isinstance(world.ledger, Telling):
        world.ledger.prepare()


def see_told(world: World) -> None:
    """Wait a little for notices that are still on their way, and tell what was not delivered."""
    if isinstance(world.ledger, Telling):
        world.ledger.settle()


def _may_name_somebody(folder: Path) -> bool:
    """Whether the declaration has to be read to know: a rollback reads it for nothing else, and is in a hurry."""
    from vitrify.project.find import NAME

    try:
        return b"notices" in (folder / NAME).read_bytes()
    except OSError:
        return True  # a declaration in Python may have it from anywhere
