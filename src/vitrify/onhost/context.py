"""What a call of the payload is given: everything from outside comes in here, so that calls are plain functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator, Optional, Sequence, Tuple, Union

from vitrify.core.diagnostic import VitrifyError
from vitrify.core.event import Emit
from vitrify.core.resource import Kinds
from vitrify.core.step import Reached


@dataclass(frozen=True)
class Context:
    """The surroundings of one call."""

    emit: Emit
    blob: Callable[[str], bytes]
    """Asks the control machine for the content of this digest; raises what it answers where it has none."""
    reached: Reached
    kinds: Kinds
    clock: Callable[[], float]
    """Seconds since the epoch, UTC."""
    blobs: Optional[Callable[[Sequence[str]], Iterator[Tuple[str, Union[bytes, VitrifyError]]]]] = None
    """Asks for many contents at once; each comes with its digest, or the error that stands for it."""
    channel: int = -1
    """The descriptor that can be read once the other side has gone or says something: for a call that lasts until then. -1: none."""
