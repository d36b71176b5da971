"""Keeps who wants which image to stay, and why: one file for each image and project, beside the images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.core.digest import PLAIN, JSONObject, canonical
from vitrify.core.retention import Pin
from vitrify.onhost import shelving
from vitrify.onhost.record import sync_folder


class Pins:
    """Pins in a folder, each durable once `put` returns. One that cannot be read stops a collection: it may protect anything."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> tuple[Pin, ...]:
        """Every pin of every project, sorted by image."""
        return tuple(self._read())

    def _read(self) -> Iterator[Pin]:
        for path in sorted(self._folder.glob("*/*.json")):
            with suppress(FileNotFoundError):  # taken back this moment
                try:
                    data = json.loads(path.read_bytes())
                    at, until = data["at_ms"] / 1000, data["until_ms"] / 1000
                    yield Pin(PLAIN + path.parent.name, data["reason"], data["by"], at, until, path.stem)
                except (ValueError, KeyError, TypeError) as error:
                    raise IntegrityFailed(f"the pin {path} cannot be read", why=str(error), hint="pin the image again") from None

    def put(self, pin: Pin) -> None:
        """Have this pin, in place of the one that its project has on the image."""
        data: JSONObject = {"reason": pin.reason, "by": pin.by, "at_ms": round(pin.at * 1000), "until_ms": round(pin.until * 1000)}
        with shelving.locked(self._folder):
            shelving.write(self._place(pin.image, pin.project), canonical(data))

    def drop(self, pin: Pin) -> None:
        """Take a pin away; one that is gone is fine."""
        place = self._place(pin.image, pin.project)
        with shelving.locked(self._folder):
            shelving.remove(place)
            if place.parent.is_dir():
                sync_folder(str(place.parent))

    def _place(self, image: str, project: str) -> Path:
        return self._folder / image.removeprefix(PLAIN) / f"{project}.json"
