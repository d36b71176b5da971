"""How much of its contents a host asked for: a change costs what is sent for it, and the ledger says how much that was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from vitrify.core.declaration import Content


class Sent(Mapping[str, Content]):
    """The contents of an act, which notes what is taken from it. Looking whether something is there takes nothing."""

    def __init__(self, contents: Mapping[str, Content]) -> None:
        self._contents = contents
        self._taken: dict[str, int] = {}

    @property
    def bytes(self) -> int:
        """Of all that was taken, each content once."""
        return sum(self._taken.values())

    def __getitem__(self, digest: str) -> Content:
        content = self._contents[digest]
        self._taken[digest] = _size(content)
        return content

    def __contains__(self, digest: object) -> bool:
        return digest in self._contents

    def __iter__(self) -> Iterator[str]:
        return iter(self._contents)

    def __len__(self) -> int:
        return len(self._contents)


def _size(content: Content) -> int:
    if content.size is not None or content.path is None:
        return content.size if content.size is not None else len(content.data or b"")
    with suppress(OSError):  # whoever reads it says what is wrong with it
        return max(Path(content.path).stat().st_size - content.start, 0)
    return 0
