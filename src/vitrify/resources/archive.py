"""The kind `archive`: what a tar or zip archive holds, put in place."""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import contextmanager
from dataclasses import replace
from typing import IO, Dict, Iterator, List, Mapping, Optional, Tuple

from vitrify.core import archived, pinned, place
from vitrify.core.archived import Member
from vitrify.core.diagnostic import IntegrityFailed, TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON, JSONObject, digest_of
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Attributes, System

LIST = ".vitrify-archive"
"""The file in the folder that says what was unpacked: with it a plan can tell what differs, and what to take away."""
AS_WISHED, SHOWN = "as wished", 3
TAKE_BACK = "take back"
Entry = Dict[str, JSON]


def _archive_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = pinned.problems(values)
    if "checksum" not in values and ("url" in values or "file" in values):
        found.append(Problem((), "the field `checksum` is missing", "what is unpacked must be known before: sha256:…"))
    found += [
        Problem((name,), f"`{name}` cannot be below {least}")
        for name, least in (("strip_components", 0), ("largest", 1))
        if isinstance(values.get(name), int) and int(str(values[name])) < least
    ]
    return found


class Archive(Kind):
    """What an archive holds: tar (plain, gzip, bzip2, xz) or zip.

    All of it is checked before anything is put in place. Refused as a whole is an archive with absolute paths, `..`, links that lead
    out, devices, anything twice, or more bytes than `largest`. Set-id bits are left out, and nobody but the owner may write. What was
    unpacked is noted in the folder, in `.vitrify-archive`: what differs from it is put back, what a new archive has no more is taken
    away, what is foreign stays. A different file of somebody else in the way is a failure.
    """

    name = "archive"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={
            "path": Field(Type.PATH, "the folder that it is unpacked to", required=True),
            "name": Field(Type.NAME, "tells this archive from others in the same folder"),
            "source": Field(Type.TEXT, "an archive in the project", control=True),
            "content": Field(Type.TEXT, "digest of the archive from the project", secret=True, resolved=True),
            "file": Field(Type.PATH, "an archive on the target"),
            **pinned.FIELDS,
            "strip_components": Field(Type.INTEGER, "so many folders at the beginning of each path are left out"),
            "largest": Field(Type.INTEGER, f"bytes that it may unpack to; {archived.LARGEST} where not given"),
            "owner": place.OWNER,
            "group": place.GROUP,
            "parents": place.PARENTS,
        },
        one_of=(("source", "content", "file", "url"),),
        needs_one_of=(("source", "content", "file", "url"),),
        rules=(_archive_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The folder, and the name where there is one."""
        return f"{fields['path']}#{fields['name']}" if "name" in fields else str(fields["path"])

    def desired(self, resource: Resource) -> Properties:
        """Which archive, and that all of it is in place."""
        return MISSING if resource.absent else {"type": "archive", "archive": _wished(resource), "entries": AS_WISHED}

    def observe(self, resource: Resource, system: System) -> Observation:
        """What was unpacked there, and what differs from that."""
        listed = _read_list(resource, system)
        if listed is None:
            return Observation(resource.address, MISSING)
        entries = _entries(listed)
        top = str(resource.fields["path"])
        differing: List[JSON] = [name for name, entry in entries.items() if _look(f"{top}/{name}", entry, system) != entry]
        found: Dict[str, JSON] = {"type": "archive", "archive": listed.get("archive"), "entries": "differ" if differing else AS_WISHED}
        found.update({"differing": differing} if differing else {})
        if resource.absent or listed.get("archive") != _wished(resource):
            found["held"] = list(entries)
        return Observation(resource.address, found)

    def enact(self, change: Change, system: System) -> None:
        """Unpack what differs, take away what is outdated, and note what is there now."""
        resource = change.resource
        if TAKE_BACK in change.after:
            _take_back(resource, change.after[TAKE_BACK], system)
        elif change.action is Action.REMOVE:
            _remove(resource, _read_list(resource, system), system)
        else:
            with _opened(resource, system) as stream:
                _Unpacking(resource, stream, system).go()

    def inverse(self, change: Change) -> Optional[Change]:
        """After the files of before were put back: take away what is new, and note what was noted before."""
        before, after = change.before, change.after
        if change.action is Action.REMOVE or before.get("archive") == after.get("archive") or TAKE_BACK in after:
            return None
        resource = replace(change.resource, absent=False)
        back: Dict[str, JSON] = {"type": before["type"], TAKE_BACK: before.get("archive")}
        return Change(resource, Action.UPDATE, before=after, after=back)

    def affected(self, change: Change) -> Tuple[str, ...]:
        """What an earlier archive put there, or what differs; on a removal also the folder and the note."""
        top = str(change.resource.fields["path"])
        told = change.before.get("held", change.before.get("differing"))
        names = [f"{top}/{name}" for name in told] if isinstance(told, list) else []
        if change.action is Action.REMOVE:
            return (top, *names, _list_path(change.resource))
        same = change.before.get("archive") == change.after.get("archive")  # else `inverse` writes the note
        return (top, *names, *((_list_path(change.resource),) if same else ())) if names else ()

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The folder and the note in it; what else is in it is not known before it is unpacked."""
        return (str(resource.fields["path"]), _list_path(resource))

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the folders that hold it, its own, and the archive where that is put there too."""
        path = str(resource.fields["path"])
        kinds = (
            *(Address(kind, path) for kind in place.FOLDERS),
            *(Address(kind, str(resource.fields.get("file"))) for kind in ("file", "download")),
        )
        found = [address for address in kinds if address in others and not resource.absent]
        return (*place.after_folders(resource, path, others), *found)

    def because(self, change: Change) -> Tuple[str, ...]:
        """Names the first few entries that differ."""
        reasons = ["another archive is there" if reason.startswith("archive ") else reason for reason in change.because]
        differing = change.before.get("differing")
        if not isinstance(differing, list):
            return tuple(reasons)
        shown = ", ".join(str(name) for name in differing[:SHOWN]) + (", …" if len(differing) > SHOWN else "")
        counted = f"{len(differing)} {'entry differs' if len(differing) == 1 else 'entries differ'}: {shown}"
        return (*(reason for reason in reasons if not reason.startswith("entries ")), counted)


def _wished(resource: Resource) -> str:
    """The identity of what shall be there: the archive and how it is unpacked."""
    fields = resource.fields
    ways: Dict[str, JSON] = {name: fields[name] for name in ("content", "checksum", "strip_components", "owner", "group") if name in fields}
    return digest_of(ways)


def _list_path(resource: Resource) -> str:
    name = f"{LIST}-{resource.fields['name']}" if "name" in resource.fields else LIST
    return f"{str(resource.fields['path']).rstrip('/')}/{name}"


def _read_list(resource: Resource, system: System) -> Optional[JSONObject]:
    path = _list_path(resource)
    stat = system.stat(path)
    if stat is None or stat.type != "file":
        return None
    try:
        listed = json.loads(system.read(path).decode())
    except ValueError:
        return None
    return listed if isinstance(listed, dict) and isinstance(listed.get("entries"), dict) else None


def _entries(listed: Optional[JSONObject]) -> Dict[str, Entry]:
    entries = listed["entries"] if listed else {}
    plain = entries.items() if isinstance(entries, dict) else ()
    return {name: entry for name, entry in plain if isinstance(entry, dict) and not name.startswith("/") and ".." not in name.split("/")}


def _look(path: str, entry: Entry, system: System) -> Entry:
    stat = system.stat(path)
    found = place.seen(stat)
    if stat is not None and stat.type == "file" and entry["type"] == "file":
        found["content"] = system.digest(path, keyed=False)
    return {name: value for name, value in found.items() if name in entry}


@contextmanager
def _opened(resource: Resource, system: System) -> Iterator[IO[bytes]]:
    fields = resource.fields
    if "content" in fields:
        yield io.BytesIO(system.blob(str(fields["content"])))
    elif "url" in fields:
        with pinned.had(fields, system) as stream:
            yield stream
    else:
        with system.open(str(fields["file"])) as stream:
            pinned.refuse_other(stream, str(fields["checksum"]), called=str(fields["file"]))
            yield stream


class _Hashed:
    """A stream that knows the digest of what was read of it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._running = stream, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Some more of it."""
        data = self._stream.read(size)
        self._running.update(data)
        return data

    @property
    def digest(self) -> str:
        """Of all that was read."""
        return f"sha256:{self._running.hexdigest()}"


class _Unpacking:
    """One archive on its way into its folder."""

    def __init__(self, resource: Resource, stream: IO[bytes], system: System) -> None:
        fields = resource.fields
        self._resource, self._stream, self._system = resource, stream, system
        self._top = str(fields["path"]).rstrip("/")
        self._limits = {"strip": int(str(fields.get("strip_components", 0))), "largest": int(str(fields.get("largest", archived.LARGEST)))}
        self._ownership: Dict[str, JSON] = {name: fields[name] for name in ("owner", "group") if name in fields}
        self._before = _read_list(resource, system)
        self._ours = _entries(self._before)
        self._there: Dict[str, Entry] = {}

    def go(self) -> None:
        """Check all of it, put it in place, note what is there."""
        whole = archived.checked(self._stream, **self._limits)
        if any(name.split("/")[0].startswith(LIST) for name in whole):
            raise TargetFailed("the archive holds a file of the name of our own note", why=LIST)
        made = self._make_folder()
        for name, member in whole.items():
            if member.type != "file":
                self._put(name, member)
        for member, opened in archived.members(self._stream, **self._limits):
            if member.type == "file":
                with archived.told():
                    self._put_file(member, opened() if opened else None)
        outdated = [name for name in self._ours if name not in self._there]
        _clear(self._top, outdated, self._system)
        self._note(made=made)

    def _make_folder(self) -> bool:
        stat = self._system.stat(self._top)
        if stat is not None and stat.type == "directory":
            return bool(self._before and self._before.get("made") is True)
        if stat is not None:
            raise TargetFailed(f"{self._top} is not a folder", why=f"it is a {stat.type}", hint="move it away, or unpack elsewhere")
        place.provide_parent(self._resource.fields, self._top, self._system)
        self._system.make_directory(self._top, attributes=place.attributes(self._ownership))
        return True

    def _make_way(self, name: str, sort: str) -> None:
        """What stands there is ours, or of the same sort: a foreign file or link is never replaced."""
        path = f"{self._top}/{name}"
        stat = self._system.stat(path)
        if stat is None or stat.type == sort:
            return
        if name not in self._ours and (stat.type != "directory" or self._system.names(path)):
            raise self._foreign(path, stat.type)
        if stat.type == "directory":
            _clear(self._top, [one for one in self._ours if one == name or place.inside(one, name)], self._system)
        else:
            self._system.remove(path)

    def _foreign(self, path: str, sort: str) -> TargetFailed:
        return TargetFailed(
            f"a {sort} that is not ours is in the way: {path}", why="the archive has something else there", hint="move it away"
        )

    def _put(self, name: str, member: Member) -> None:
        path = f"{self._top}/{name}"
        self._make_way(name, member.type)
        stat = self._system.stat(path)
        if member.type == "link":
            if stat is not None and stat.link != member.link and name not in self._ours:
                raise self._foreign(path, "link")
            if stat is None or stat.link != member.link:
                self._system.make_link(path, to=member.link)
            self._there[name] = {"type": "link", "to": member.link}
            return
        entry: Entry = {"type": "directory", "mode": member.mode, **self._ownership}
        if stat is None:
            self._system.make_directory(path, attributes=place.attributes(entry))
        elif name in self._ours:
            self._system.set_attributes(path, place.attributes(entry))
        else:
            entry = {"type": "directory"}  # a folder of somebody else, which keeps its mode and owner
        self._there[name] = entry

    def _put_file(self, member: Member, stream: Optional[IO[bytes]]) -> None:
        path = f"{self._top}/{member.name}"
        self._make_way(member.name, "file")
        attributes = place.attributes({"mode": member.mode, **self._ownership})
        if stream is None:
            with self._system.open(f"{self._top}/{'/'.join(member.same_as)}") as first:
                digest = self._write(path, first, attributes)
        else:
            with stream:
                digest = self._write(path, stream, attributes)
        self._there[member.name] = {"type": "file", "mode": member.mode, "content": digest, **self._ownership}

    def _write(self, path: str, stream: IO[bytes], attributes: Attributes) -> str:
        hashed = _Hashed(stream)
        name = path[len(self._top) + 1 :]
        there = self._system.stat(path)
        if there is not None and name not in self._ours:
            content = stream.read()
            if self._system.read(path) != content:
                raise self._foreign(path, "file")
            self._system.set_attributes(path, attributes)
            return f"sha256:{hashlib.sha256(content).hexdigest()}"
        self._system.write(path, hashed, attributes=attributes)  # type: ignore[arg-type]  # it is only read
        return hashed.digest

    def _note(self, *, made: bool) -> None:
        wished = _wished(self._resource)
        before = self._before
        if before is not None and before.get("archive") == wished:
            previous = before.get("previous")
        else:
            previous = {name: value for name, value in before.items() if name != "previous"} if before is not None else None
        listed: JSONObject = {"archive": wished, "made": made, "entries": dict(self._there), "previous": previous}
        _write_list(self._resource, listed, self._system)


def _write_list(resource: Resource, listed: JSONObject, system: System) -> None:
    text = json.dumps(listed, sort_keys=True, indent=1) + "\n"
    system.write(_list_path(resource), text.encode(), attributes=Attributes(mode="0644"))


def _clear(top: str, names: List[str], system: System) -> None:
    """Take these away, innermost first; a folder that holds something foreign stays."""
    for name in sorted(names, key=lambda one: one.split("/"), reverse=True):
        path = f"{top}/{name}"
        stat = system.stat(path)
        if stat is not None and (stat.type != "directory" or not system.names(path)):
            system.remove(path)


def _remove(resource: Resource, listed: Optional[JSONObject], system: System) -> None:
    top = str(resource.fields["path"]).rstrip("/")
    _clear(top, list(_entries(listed)), system)
    system.remove(_list_path(resource))
    stat = system.stat(top)
    if listed is not None and listed.get("made") is True and stat is not None and stat.type == "directory" and not system.names(top):
        system.remove(top)


def _take_back(resource: Resource, archive: JSON, system: System) -> None:
    listed = _read_list(resource, system)
    if listed is None or (archive is not None and listed.get("archive") == archive):
        return
    previous = listed.get("previous")
    if archive is None:
        _remove(resource, listed, system)
    elif isinstance(previous, dict) and previous.get("archive") == archive:
        kept = _entries(previous)
        _clear(str(resource.fields["path"]).rstrip("/"), [name for name in _entries(listed) if name not in kept], system)
        _write_list(resource, {**previous, "previous": None}, system)
    else:
        raise IntegrityFailed(
            f"what {resource.address} was before is not known any more", why="another archive was there", hint="declare the earlier one"
        )
