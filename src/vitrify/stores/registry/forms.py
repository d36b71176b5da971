"""The compressed forms of layers: made once, kept beside the store, remembered with the repositories that have them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vitrify.core.digest import JSON, PLAIN, JSONObject
from vitrify.onhost.layout import LAYER, Descriptor
from vitrify.stores.layout import LayoutStore
from vitrify.stores.registry.squeezed import squeeze

_TOPIC: Final = "forms"
_MOST_PLACES: Final = 64


@dataclass(frozen=True)
class Form:
    """One form of a layer, and where it was seen: `registry/repository`."""

    blob: Descriptor
    places: tuple[str, ...] = ()

    def sources(self, registry: str, *, but: str) -> tuple[str, ...]:
        """The other repositories of this registry that had it, the latest first."""
        prefix = f"{registry}/"
        found = [place.removeprefix(prefix) for place in reversed(self.places) if place.startswith(prefix)]
        return tuple(repository for repository in found if repository != but)


class Forms:
    """What is known of the forms of layers. All of it may be deleted at any time: then a form is made again, perhaps as other bytes."""

    def __init__(self, store: LayoutStore, folder: Path) -> None:
        self._store, self._folder = store, folder

    def of(self, layer: str) -> tuple[Form, ...]:
        """The known forms of a layer."""
        rows = (self._store.recall(_TOPIC, layer) or {}).get("forms")
        return tuple(form for row in rows if (form := _read(row))) if isinstance(rows, list) else ()

    def note(self, layer: str, blob: Descriptor, *, place: str = "") -> None:
        """Remember a form, and that this repository has it."""
        known = {form.blob: form.places for form in self.of(layer)}
        places = [*(one for one in known.get(blob, ()) if one != place), *([place] if place else [])]
        self._write(layer, {**known, blob: tuple(places[-_MOST_PLACES:])})

    def forget(self, layer: str, blob: Descriptor) -> None:
        """Forget a form that turned out not to be what it should be."""
        self._file(blob.digest).unlink(missing_ok=True)
        self._write(layer, {form.blob: form.places for form in self.of(layer) if form.blob != blob})

    def _write(self, layer: str, forms: dict[Descriptor, tuple[str, ...]]) -> None:
        rows: list[JSON] = [{**blob.to_json(), "places": list(places)} for blob, places in forms.items()]
        self._store.remember(_TOPIC, layer, {"forms": rows})

    def file(self, form: Form) -> Path | None:
        """The bytes of a form, where they are kept."""
        path = self._file(form.blob.digest)
        try:
            return path if path.stat().st_size == form.blob.size else None
        except FileNotFoundError:
            return None

    def made(self, layer: str, *, compression: str, saw: Callable[[int], None]) -> tuple[Form, Path]:
        """This form of a layer, made now."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._store.work() as work:
            part = work / "form"
            measured = squeeze(self._store.blob(layer), part, form=compression, saw=saw)
            path = self._file(measured.digest)
            part.replace(path)
        blob = Descriptor(f"{LAYER}+{compression}", measured.digest, measured.size)
        self.note(layer, blob)
        return Form(blob), path

    def _file(self, digest: str) -> Path:
        return self._folder / digest.removeprefix(PLAIN)


def _read(row: JSON) -> Form | None:
    found: JSONObject = row if isinstance(row, dict) else {}
    kind, digest, size, places = (found.get(name) for name in ("mediaType", "digest", "size", "places"))
    if not isinstance(kind, str) or not isinstance(digest, str) or not isinstance(size, int) or not isinstance(places, list):
        return None
    return Form(Descriptor(kind, digest, size), tuple(str(place) for place in places))
