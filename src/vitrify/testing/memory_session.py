"""A session without a payload: answers `bake` by writing plain resources as the payload would, for tests of builders."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vitrify.core.declaration import Content
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Emit, silence
from vitrify.core.resource import Resource
from vitrify.resources.process import UNITS, WANTS, unit_text

Part = tuple[str, JSONObject]
"""A path, and what is wished there: type, mode, content (a digest), to."""


def as_given(parts: Sequence[Part]) -> Iterable[Part]:
    """The order in which they were declared."""
    return parts


@dataclass
class MemorySession:
    """Bakes files, folders, links, trees and processes, and remembers which calls were made.

    `order` shuffles what is written, `owners` maps names to numbers; modes and owners go to the table, never to the disk.
    """

    order: Callable[[Sequence[Part]], Iterable[Part]] = as_given
    owners: Mapping[str, int] = field(default_factory=lambda: {"root": 0})
    calls: list[str] = field(default_factory=list)

    async def call(
        self, name: str, arguments: JSONObject, *, contents: Mapping[str, Content] | None = None, emit: Emit = silence
    ) -> JSONObject:
        """Answer `bake`; anything else is an error."""
        self.calls.append(name)
        scope, resources = arguments["scope"], arguments["resources"]
        if name != "bake" or not isinstance(scope, dict) or not isinstance(resources, list):
            raise VitrifyError(f"this session cannot {name}")
        wishes = [Resource.from_json(resource) for resource in resources if isinstance(resource, dict)]
        baked = _Baking(Path(str(scope["root"])), contents or {}, self.owners, _known(scope))
        for path, part in self.order([part for wish in wishes for part in _parts(wish)]):
            baked.put(path, part)
        results: list[JSON] = [{"address": str(wish.address), "outcome": "done", "error": ""} for wish in wishes]
        return {"results": results, "attributes": baked.attributes, "table": baked.table()}

    async def close(self) -> None:
        """Nothing is open."""


class _Baking:
    """One layer being filled; `known` is the table of the layers beneath."""

    def __init__(self, root: Path, contents: Mapping[str, Content], owners: Mapping[str, int], known: JSONObject) -> None:
        self._root, self._contents, self._owners, self._known = root, contents, owners, known
        self.attributes: JSONObject = {}

    def table(self) -> JSONObject:
        """The table for a layer above: what is wished, and what is on disk."""
        own: JSONObject = {}
        for path, row in self.attributes.items():
            status = (self._root / path.lstrip("/")).lstat()
            disk: JSON = [f"{stat.S_IMODE(status.st_mode):04o}", status.st_uid, status.st_gid]
            own[path] = {**(row if isinstance(row, dict) else {}), "disk": disk}
        return {**self._known, **own}

    def put(self, path: str, part: JSONObject) -> None:
        """Write one part and the folders above it."""
        above = [str(folder) for folder in Path(path).parents if str(folder) != "/"]
        for folder in reversed(above):
            if folder not in self.attributes:
                self._make_folder(folder, {})
        if part["type"] == "directory":
            self._make_folder(path, part)
            return
        place = self._root / path.lstrip("/")
        if part["type"] == "gone":
            os.mknod(place, 0o020000, 0)
        elif part["type"] == "link":
            place.symlink_to(str(part["to"]))
        else:
            place.write_bytes(_bytes(self._contents, part))
            self._note(path, part, mode="0644")

    def _make_folder(self, path: str, part: JSONObject) -> None:
        (self._root / path.lstrip("/")).mkdir(exist_ok=True)
        self._note(path, part, mode="0755")

    def _note(self, path: str, part: JSONObject, *, mode: str) -> None:
        below = self._known.get(path)
        if isinstance(below, dict) and not part:
            self.attributes[path] = {name: below[name] for name in ("mode", "uid", "gid")}
            return
        uid, gid = (self._owners[str(part.get(whose) or "root")] for whose in ("owner", "group"))
        self.attributes[path] = {"mode": str(part.get("mode") or mode).zfill(4), "uid": uid, "gid": gid}


def _known(scope: JSONObject) -> JSONObject:
    """The table of the layers beneath."""
    table = scope.get("table")
    return dict(json.loads(Path(str(table)).read_bytes())) if table else {}


def _bytes(contents: Mapping[str, Content], part: JSONObject) -> bytes:
    text = part.get("text")
    if text is not None:
        return str(text).encode()
    content = contents[str(part["content"])]
    return content.data if content.data is not None else Path(content.path or "").read_bytes()


def _parts(wish: Resource) -> list[Part]:
    fields, kind = dict(wish.fields), wish.address.kind
    if kind == "process":
        unit = f"{fields['name']}.service"
        parts: list[Part] = [(f"{UNITS}/{unit}", {"type": "file", "text": unit_text(wish)})]
        return [*parts, (f"{WANTS}/{unit}", {"type": "link", "to": f"{UNITS}/{unit}"})]
    if kind == "tree":
        top = str(fields["to"])
        entries = fields["entries"]
        inner = entries.items() if isinstance(entries, dict) else ()
        below: list[Part] = [(f"{top}/{name}", {**part}) for name, part in inner if isinstance(part, dict)]
        return [(top, {"type": "directory"}), *below]
    return [(str(fields["path"]), {**fields, "type": "gone" if wish.absent else kind})]
