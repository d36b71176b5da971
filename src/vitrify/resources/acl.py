"""The kind `acl`: who else may use a file or a folder, beside its owner and its group."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from vitrify.core import place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Command, System

_ENTRY = re.compile(r"(default:)?(user|group):([A-Za-z0-9_][A-Za-z0-9_.@-]*):([r-][w-][x-])")


def _rules(values: Mapping[str, JSON]) -> List[Problem]:
    entries = [str(entry) for entry in _list(values.get("entries"))]
    wrong = [(index, entry) for index, entry in enumerate(entries) if not _ENTRY.fullmatch(entry)]
    found = [Problem(("entries", str(index)), f"{entry!r} is not an entry", _HINT) for index, entry in wrong]
    whose = [entry.rpartition(":")[0] for entry in entries]
    return found or [Problem(("entries",), f"`{one}` is told twice") for one in sorted({one for one in whose if whose.count(one) > 1})]


_HINT = "as in user:ada:rwx, group:ops:r-x, or default:user:ada:rwx for what will be made in a folder"


class Acl(Kind):
    """Entries of a POSIX access list, beside those that are there.

    The path is there before: this gives rights to more people, `file` and `directory` to its owner. Absent, the rights of those
    named are taken away. The group's part of the mode becomes the most that anybody named may do: where the path's `mode` is declared,
    declare it so. It acts on hosts and in folders, through `setfacl`; an image does not carry access lists.
    """

    name = "acl"
    phases = frozenset({Phase.LIVE})
    shares = True
    schema = Schema(
        fields={
            "path": Field(Type.PATH, "the file or folder", required=True),
            "entries": Field(Type.TEXTS, "who may do what, as in user:ada:rwx or default:group:ops:r-x", required=True),
        },
        rules=(_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The path, and of whom it speaks."""
        whose = sorted(str(entry).rpartition(":")[0] for entry in _list(fields["entries"]))
        return f"{fields['path']}#{','.join(whose)}"

    def desired(self, resource: Resource) -> Properties:
        """The entries."""
        if resource.absent:
            return MISSING
        return {"type": "acl", "entries": _list(resource.fields["entries"])}

    def observe(self, resource: Resource, system: System) -> Observation:
        """What those named may do now."""
        return self.observe_all([resource], system)[0]

    def observe_all(self, resources: Sequence[Resource], system: System) -> Tuple[Observation, ...]:
        """All of them, asked for at once."""
        paths = sorted({str(resource.fields["path"]) for resource in resources})
        stats = {path: system.stat(path) for path in paths}
        there = [path for path, stat in stats.items() if stat is not None and stat.type in ("file", "directory")]
        told = _getfacl(there, system) if there else {}
        return tuple(Observation(one.address, _seen(one, told, there=str(one.fields["path"]) in there)) for one in resources)

    def enact(self, change: Change, system: System) -> None:
        """Set the entries, or take them away."""
        path = str(change.resource.fields["path"])
        stat = system.stat(path)
        if change.action is Action.REMOVE:
            if stat is not None and change.before.get("type") == "acl":
                whose = [str(entry).rpartition(":")[0] for entry in _list(change.before.get("entries"))]
                _setfacl(["--remove", ",".join(whose), "--", path], system)
                if not (_getfacl([path], system) or {}).get(path):
                    # The mask goes as well, so that the mode says again what the group may do.
                    _setfacl(["--remove-all", "--", path], system)
            return
        if stat is None or stat.type not in ("file", "directory"):
            raise TargetFailed(
                f"{path} has no access list",
                why="it does not exist" if stat is None else f"it is a {stat.type}",
                hint="declare the file or the folder before",
            )
        wished = [str(entry) for entry in _list(change.after.get("entries"))]
        gone = [str(entry).rpartition(":")[0] for entry in _list(change.before.get("entries"))]
        gone = [whose for whose in gone if whose not in {entry.rpartition(":")[0] for entry in wished}]
        words = [*(["--remove", ",".join(gone)] if gone else []), "--modify", ",".join(wished)]
        _setfacl([*words, "--", path], system)

    def inverse(self, change: Change) -> Optional[Change]:
        """What those named were allowed before."""
        resource, before = change.resource, change.before
        if before.get("type") != "acl":
            return Change(resource.gone(), Action.REMOVE, before={**change.after, "type": "acl"}, after=MISSING)
        return Change(resource, Action.UPDATE, before=change.after, after={"type": "acl", "entries": before["entries"]})

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the path itself, the folders above it, whoever is named, and the package that brings the programs."""
        if resource.absent:
            return ()
        path = str(resource.fields["path"])
        named = [_ENTRY.fullmatch(str(entry)) for entry in _list(resource.fields["entries"])]
        people = [Address(match.group(2), match.group(3)) for match in named if match is not None]
        itself = [Address(kind, path) for kind in ("file", "directory", "tree")]
        found = (*itself, *people, Address("package", "acl"))
        return (*place.after_folders(resource, path, others), *(one for one in found if one in others and not others[one].absent))

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """Rests on the path, the people or the programs, where the plan makes them."""
        made = [str(one) for one in self.implied(change.resource, {address: step.resource for address, step in earlier.items()})]
        return f"{', '.join(made)} {'is' if len(made) == 1 else 'are'} made before" if made else ""

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit an access list."""
        before = change.before
        if before.get("path") == "missing":
            return ("the path does not exist: this will fail unless it does by then",)
        if before.get("programs") == "missing":
            return ("there is no getfacl on the target: this will fail unless there is by then (package acl)",)
        now = ", ".join(map(str, _list(before.get("entries"))))
        return tuple(f"entries are {now}" if reason == "entries differs" else reason for reason in change.because)


def _list(value: JSON) -> List[JSON]:
    """Entries, sorted: their order has no meaning."""
    return [*sorted(str(entry) for entry in value)] if isinstance(value, list) else []


def _getfacl(paths: Sequence[str], system: System) -> Optional[Dict[str, List[str]]]:
    """Path -> its entries; None where the target has no `getfacl`, or cannot run it."""
    try:
        ended = system.run(Command(("getfacl", "--absolute-names", "--no-effective", "--", *paths)))
    except TargetFailed:
        return None
    found: Dict[str, List[str]] = {}
    path = ""
    for line in ended.stdout.splitlines():
        if line.startswith("# file: "):
            path = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal.group(1), 8)), line[len("# file: ") :])
        elif _ENTRY.fullmatch(line):
            found.setdefault(path, []).append(line)
    return found


def _seen(resource: Resource, told: Optional[Dict[str, List[str]]], *, there: bool) -> Dict[str, JSON]:
    if not there:
        return {**MISSING, "path": "missing"}
    if told is None:
        return {**MISSING, "programs": "missing"}
    whose = {str(entry).rpartition(":")[0] for entry in _list(resource.fields["entries"])}
    entries: List[JSON] = [*sorted(entry for entry in told.get(str(resource.fields["path"]), ()) if entry.rpartition(":")[0] in whose)]
    return {"type": "acl", "entries": entries} if entries else dict(MISSING)


def _setfacl(words: Sequence[str], system: System) -> None:
    ended = system.run(Command(("setfacl", *words)))
    if ended.code != 0:
        raise TargetFailed(f"the access list of {words[-1]} cannot be set", why=ended.stderr.strip(), hint="some filesystems have none")
