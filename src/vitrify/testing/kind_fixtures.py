"""Runs a fixture of a kind on any system: arrange a tree, plan a wish, carry it out, look again.

A fixture is a TOML file whose name is a sentence:

    kind = "file"                     # absent = true, secret = true, left = true (owned, but not declared any more) as needed
    needs = ["programs"]              # what the system must have beside files: programs, services, acl; a host: accounts
    [fields]                          # the wish; contents in clear
    [previous]                        # fields of the version applied before, where there is one
    [before."/etc/motd"]              # the tree: content or bytes (hex) of a file, `to` of a link, neither for a folder
    [change]                          # what the plan must say; left out where nothing is to be done
    [after."/etc/motd"]               # the tree afterwards, complete below its top folders; or
    [failure]                         # how carrying it out fails: error, the summary

Folders above a path that is named need not be named.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vitrify.core import place
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.difference import Change
from vitrify.core.digest import JSON, JSONObject, digest_bytes, keyed_digest
from vitrify.core.plan import HostChanges, Owned, Seen, plan_host
from vitrify.core.resource import Address, Kind, Kinds, Resource
from vitrify.core.schema import Field, Type
from vitrify.core.system import Attributes, System, Target

KEY = b"the key of all fixtures"
"""The digest key that a system under test must use."""

OWN = "/run/vitrify"
"""What vitrify notes for itself is no part of any resource."""

MakeSystem = Callable[[Mapping[str, bytes]], System]
"""Makes an empty system that can be asked for these contents by digest, and uses `KEY`."""

Tree = dict[str, dict[str, str]]


class FixtureFailed(AssertionError):
    """A kind did something else than its fixture says."""


@dataclass(frozen=True)
class Fixture:
    """One file, read."""

    name: str
    kind: str
    needs: frozenset[str]
    wish: Resource
    left: bool
    previous: Resource | None
    before: Tree
    change: Mapping[str, object] | None
    after: Tree
    failure: str | None
    again: bool
    contents: Mapping[str, bytes]


def read_fixture(path: Path, kinds: Kinds) -> Fixture:
    """Read one fixture; anything that is not understood is a FixtureFailed."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    known = {"kind", "needs", "absent", "secret", "left", "fields", "previous", "before", "change", "after", "failure", "again"}
    _expect(set(data) <= known, f"{path}: unknown keys {sorted(set(data) - known)}")
    contents: dict[str, bytes] = {}
    kind = kinds[data["kind"]]
    resolve = _Resolver(contents, secret=data.get("secret") is True)
    return Fixture(
        name=f"{path.parent.name}/{path.stem}",
        kind=data["kind"],
        needs=frozenset(data.get("needs", ())),
        wish=resolve.resource(kind, data["fields"], absent=data.get("absent") is True),
        left=data.get("left") is True,
        previous=resolve.resource(kind, data["previous"]) if "previous" in data else None,
        before=data.get("before", {}),
        change=data.get("change"),
        after=data.get("after", {}),
        failure=data["failure"]["error"] if "failure" in data else None,
        again=data.get("again") is True,
        contents=contents,
    )


def run_fixture(fixture: Fixture, make_system: MakeSystem, *, kinds: Kinds) -> None:
    """Everything that a fixture says, and what holds for every kind; raises FixtureFailed with the difference."""
    kind = kinds[fixture.kind]
    system = make_system(fixture.contents)
    _arrange(fixture.before, system)
    change = _change(_plan(fixture, system, kinds))
    _compare(f"{fixture.name}: the change", _spoken(fixture.change), _told(change))
    if change is not None:
        _carry_out(fixture, kind, change, system)
    _look_again(fixture, kind, system, kinds)


def _carry_out(fixture: Fixture, kind: Kind, change: Change, system: System) -> None:
    change = Change.from_json(change.to_json())
    start = _tree(fixture, system)
    try:
        kind.enact(change, system)
        kind.enact(change, system)
    except VitrifyError as error:
        _compare(f"{fixture.name}: the failure", fixture.failure, str(error.diagnostics[0].summary))
        return
    _compare(f"{fixture.name}: the failure", fixture.failure, None)
    end = _tree(fixture, system)
    moved = {path for path in {*start, *end} if start.get(path) != end.get(path) and not place.inside(path, OWN)}
    taken_back = not kind.undoable(change) or kind.inverse(change) is not None
    _expect(moved <= {*kind.affected(change)} or taken_back, f"{fixture.name}: wrote more than `affected`: {sorted(moved)}")
    _take_back(fixture, kind, change, system)


def _take_back(fixture: Fixture, kind: Kind, change: Change, system: System) -> None:
    """Where a kind itself undoes what it did, it looks as before then; afterwards the change is made once more."""
    inverse = kind.inverse(change)
    if inverse is None or kind.affected(change) or not kind.undoable(change) or system.target is Target.IMAGE:
        return
    kind.enact(Change.from_json(inverse.to_json()), system)
    seen = kind.observe(change.resource, system).properties
    _compare(f"{fixture.name}: how it looks once undone", dict(change.before), dict(seen))
    kind.enact(change, system)


def _look_again(fixture: Fixture, kind: Kind, system: System, kinds: Kinds) -> None:
    if fixture.failure is not None:
        return
    real = _tree(fixture, system)
    for path, entry in fixture.after.items():
        shown = {name: value for name, value in real.get(path, {"is": "missing"}).items() if name in {*_entry(entry), "is"}}
        _compare(f"{fixture.name}: {path}", _entry(entry), shown)
    folders = {folder for path in fixture.after for folder in place.ancestors(path)} | {*place.ancestors(str(fixture.wish.address.name))}
    foreign = sorted(path for path in real if path not in fixture.after and path not in folders and real[path]["is"] != "folder above")
    _compare(f"{fixture.name}: what should not be there", [], foreign)
    if not fixture.left and not fixture.wish.absent:
        lost = [path for path in kind.owned_paths(fixture.wish) if system.stat(path) is None]
        _compare(f"{fixture.name}: owned paths that are missing", [], lost)
    if not fixture.left:
        settled = plan_host(
            [fixture.wish], Seen({fixture.wish.address: kind.observe(fixture.wish, system)}, ()), kinds=kinds, diff=_no_diff
        )
        _compare(f"{fixture.name}: whether a second run finds something", fixture.again, bool(settled.changes))


def _plan(fixture: Fixture, system: System, kinds: Kinds) -> HostChanges:
    wish = fixture.wish
    observation = kinds[fixture.kind].observe(wish, system)
    owned = [Owned(fixture.previous, created=True, applied={}, run="")] if fixture.previous else []
    return plan_host([] if fixture.left else [wish], Seen({wish.address: observation}, owned), kinds=kinds, diff=_no_diff)


def _no_diff(_wish: object, _seen: object) -> str:
    return ""


def _change(planned: HostChanges) -> Change | None:
    return planned.changes[0] if planned.changes else None


def _told(change: Change | None) -> JSONObject | None:
    if change is None:
        return None
    because: list[JSON] = list(change.because)
    return {"action": change.action.value, "because": because, "sureness": change.sureness.value, "undoable": change.undoable}


def _spoken(expected: Mapping[str, object] | None) -> Mapping[str, object] | None:
    return None if expected is None else {"sureness": "certain", "undoable": True, **expected}


def _may_be_secret(field: Field) -> bool:
    return field.type is Type.TEXT and field.secret and not field.control


@dataclass(frozen=True)
class _Resolver:
    """Turns a wish as a fixture writes it into the form that travels, as a project does."""

    contents: dict[str, bytes]
    secret: bool

    def resource(self, kind: Kind, declared: Mapping[str, JSON], *, absent: bool = False) -> Resource:
        fields = dict(declared)
        for name, known in kind.schema.fields.items():
            if name == "environment_file" and name in fields:
                fields[name] = self._digest(str(fields[name]), secret=True)
            elif name in fields and (_may_be_secret(known) or (name == "content" and "source" in kind.schema.fields)):
                fields[name] = self._digest(str(fields[name]), secret=self.secret)
        entries = fields.get("entries")
        if isinstance(entries, dict):
            fields["entries"] = {name: self._entry(entry) for name, entry in entries.items() if isinstance(entry, dict)}
        problems = kind.schema.problems(fields, absent=absent, resolved=True)
        _expect(not problems, f"the wish is not valid: {problems}")
        return Resource(Address(kind.name, kind.identity(fields)), fields, absent=absent, secret=self.secret)

    def _entry(self, entry: JSONObject) -> JSONObject:
        return {**entry, "content": self._digest(str(entry["content"]), secret=False)} if "content" in entry else entry

    def _digest(self, text: str, *, secret: bool) -> str:
        content = text.encode()
        digest = keyed_digest(content, key=KEY) if secret else digest_bytes(content)
        self.contents[digest] = content
        return digest


def _arrange(tree: Tree, system: System) -> None:
    """Files and links first, with open folders above them; then the attributes that might shut those."""
    for path, entry in sorted(tree.items()):
        for folder in (*place.ancestors(path), *((path,) if _is_folder(entry) else ())):
            if system.stat(folder) is None:
                system.make_directory(folder, attributes=Attributes())
        if "to" in entry:
            system.make_link(path, to=entry["to"])
        elif not _is_folder(entry):
            system.write(path, _content(entry), attributes=Attributes(mode="0644"))
    for path, entry in sorted(tree.items(), reverse=True):
        if "to" not in entry:
            # Whoever runs this, what a fixture does not say of an owner is what a system has by itself.
            system.set_attributes(path, place.attributes({"owner": "root", "group": "root", **entry}))


def _is_folder(entry: Mapping[str, str]) -> bool:
    return not {"content", "bytes", "to"} & set(entry)


def _content(entry: Mapping[str, str]) -> bytes:
    return bytes.fromhex(entry["bytes"]) if "bytes" in entry else entry["content"].encode()


def _entry(entry: Mapping[str, str]) -> dict[str, str]:
    """What a fixture says of an entry, in the words of `_tree`."""
    told = {name: value for name, value in entry.items() if name in ("mode", "owner", "group")}
    if "to" in entry:
        return {"is": "link", "to": entry["to"]}
    return {"is": "directory", **told} if _is_folder(entry) else {"is": "file", "holds": repr(_content(entry)), **told}


def _tree(fixture: Fixture, system: System) -> Tree:
    """What there is below every top folder that the fixture names."""
    named = {*fixture.before, *fixture.after}
    tops = {f"/{path.split('/')[1]}" for path in named}
    stack, found = sorted(tops), Tree()
    while stack:
        path = stack.pop()
        stat = system.stat(path)
        if stat is None:
            continue
        found[path] = {"is": stat.type, "mode": stat.mode, "owner": stat.owner, "group": stat.group}
        if stat.type == "link":
            found[path] = {"is": "link", "to": stat.link}
        elif stat.type == "file":
            found[path]["holds"] = repr(system.read(path))
        else:
            stack += [f"{path}/{name}" for name in system.names(path)]
            if path not in named and any(place.inside(one, path) for one in named):
                found[path]["is"] = "folder above"
    return found


def _expect(holds: bool, message: str) -> None:  # noqa: FBT001  reads as a sentence
    if not holds:
        raise FixtureFailed(message)


def _compare(what: str, expected: object, found: object) -> None:
    _expect(expected == found, f"{what}:\n  expected {expected}\n  found    {found}")
