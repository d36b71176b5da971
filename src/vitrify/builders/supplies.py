"""Keeps the files that bakes install, by their digest: what is here can be installed when nobody else has it any more."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vitrify.core.diagnostic import IntegrityFailed, VitrifyError
from vitrify.core.digest import PLAIN
from vitrify.core.locked import Deb, Inputs, Wheel
from vitrify.project.subordinate import removed


class Supplies:
    """A folder: `files/` by the hex digits of their sha256, `roots/` by what they are made of. Any number of processes may use it."""

    def __init__(self, folder: Path) -> None:
        self.files = folder / "files"
        self._roots = folder / "roots"

    def lacking(self, inputs: Inputs) -> tuple[Deb | Wheel, ...]:
        """What is not here."""
        wanted: Sequence[Deb | Wheel] = (*inputs.debs, *inputs.wheels)
        return tuple(one for one in wanted if not self._is_here(one))

    def _is_here(self, one: Deb | Wheel) -> bool:
        try:
            return (self.files / one.sha256).stat().st_size == one.size
        except FileNotFoundError:
            return False

    def take(self, file: Path, *, sha256: str) -> None:
        """Keep a copy of this file, whole or not at all. IntegrityFailed where it is another one.

        It is not made durable: what a power cut takes is fetched again, and every use holds it against its digest.
        """
        if (self.files / sha256).exists():
            return
        with told("the store of packages cannot be written"):
            self.files.mkdir(parents=True, exist_ok=True)
            descriptor, part = tempfile.mkstemp(dir=self.files, prefix=".part-")
            os.close(descriptor)
            try:
                shutil.copyfile(file, part)
                with Path(part).open("rb") as copied:
                    if hashlib.file_digest(copied, "sha256").hexdigest() != sha256:
                        raise IntegrityFailed(f"{file.name} is not what it was a moment ago", hint="run the same command again")
                Path(part).chmod(0o644)
                Path(part).replace(self.files / sha256)
            finally:
                Path(part).unlink(missing_ok=True)

    def root(self, key: str) -> Path | None:
        """The root that was made of these, if it is here."""
        place = self._roots / key.removeprefix(PLAIN)
        return place if place.is_dir() else None

    def owners(self, key: str) -> Path:
        """Where it says whose the files of `root(key)` are, if whoever made it could not leave that on disk."""
        return self._roots / f"{key.removeprefix(PLAIN)}.owners.json"

    @contextmanager
    def making(self, key: str) -> Iterator[Path]:
        """A folder to make `root` in, and `owners.json` if need be; kept at the end of the block, unless somebody else was faster."""
        with told("the store of packages cannot be written"):
            self._roots.mkdir(parents=True, exist_ok=True)
            place = Path(tempfile.mkdtemp(dir=self._roots, prefix=".making-"))
        try:
            place.chmod(0o755)
            yield place
            if (place / "owners.json").exists():
                (place / "owners.json").rename(self.owners(key))
            (place / "root").rename(self._roots / key.removeprefix(PLAIN))
        except OSError as error:
            if self.root(key) is None:
                raise VitrifyError("the store of packages cannot be written", why=str(error), hint="make room there") from error
        finally:
            removed(str(place))


@contextmanager
def told(what: str) -> Iterator[None]:
    """Say in words that the disk refused."""
    try:
        yield
    except OSError as error:
        raise VitrifyError(what, why=str(error), hint="make room there, or make it writable") from error
