"""Where what is written in an instance can be heard: its upper folders on the host, and the overlay that its own processes see."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

from vitrify.core.digest import JSON
from vitrify.onhost import keeping, secluding
from vitrify.onhost import podman as engine
from vitrify.onhost.altered import Layer, layer
from vitrify.onhost.launching import PODMAN, folders, instances, labels_of
from vitrify.onhost.record import read_record


@dataclass(frozen=True)
class Inside:
    """One overlay of a running instance. `device` is the file system that its processes see, as the kernel spells it in a record."""

    instance: str
    at: str
    upper: str
    device: str


class Insides:
    """The instances of one home that carry these labels, as they are now."""

    def __init__(self, home: str, labels: Mapping[str, str]) -> None:
        self._home, self._labels = home, labels
        self._layers: Dict[str, Tuple[Layer, ...]] = {}

    def mark(self) -> Tuple[JSON, ...]:
        """What is another one as soon as an instance comes, goes, or starts again. Costs a look at each folder."""
        with suppress(OSError):
            found = sorted(Path(instances(self._home)).iterdir())
            return tuple(part for folder in found for part in (folder.name, _stamp(folder / "state.json")))
        return ()

    def now(self) -> List[Inside]:
        """Each overlay of each that runs."""
        return [one for folder in folders(self._home) for one in self._of(folder)]

    def _of(self, folder: str) -> List[Inside]:
        spec, found = read_record(f"{folder}/spec.json") or {}, keeping.state(folder)
        if not (found.kept and self._labels.items() <= labels_of(spec.get("labels")).items()) or secluding.secluded(folder):
            return []
        first = _first(folder, found) if spec.get("runtime") == PODMAN else (found.application or found.child)
        pid = first if isinstance(first, int) or first is None else first.pid
        if folder not in self._layers:
            self._layers[folder] = self._read(folder, spec)
        return [Inside(Path(folder).name, one.at, one.upper, _device(pid, one.at)) for one in self._layers[folder]]

    def _read(self, folder: str, spec: Mapping[str, JSON]) -> Tuple[Layer, ...]:
        if spec.get("runtime") != PODMAN:
            kept = spec.get("layers")
            return tuple(layer(one) for one in kept) if isinstance(kept, list) else ()
        podman = engine.known(self._home)
        if podman is None:
            return ()
        from vitrify.onhost import containers

        found = containers.layer_of(folder, podman)
        return (found,) if found else ()


def _stamp(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_mtime_ns
    return 0


def _first(folder: str, found: keeping.State) -> Optional[int]:
    with suppress(OSError, ValueError):
        return int(Path(folder, "pid").read_text(encoding="ascii"))
    return found.child.pid if found.child else None


def _device(pid: Optional[int], at: str) -> str:
    with suppress(OSError):
        found = Path(f"/proc/{pid}/root{at}").stat().st_dev
        return f"{os.major(found):02x}:{os.minor(found):02x}"
    return ""
