"""The kind `authorized_key`: a public key that lets somebody log in over SSH."""

from __future__ import annotations

from dataclasses import dataclass
from typing import AbstractSet, Dict, List, Mapping, Optional, Sequence, Tuple

from vitrify.core import openssh, passwd, place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.openssh import Key
from vitrify.core.passwd import Accounts
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Attributes, Command, System, Target

AS_WISHED, OTHER = "as wished", "other"


def _rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = openssh.problems("key", str(values["key"]))
    keys = openssh.keys(str(values["key"]))
    if any(key.options for key in keys):
        found.append(Problem(("key",), "what stands before a key are its options", "write them as `options: [...]`"))
    options = values.get("options")
    for option in options if isinstance(options, list) else ():
        if not str(option).strip() or openssh.word(str(option))[1] or "\n" in str(option):
            found.append(Problem(("options",), f"{option!r} is not an option", 'one a piece, as in no-pty or from="10.0.0.1"'))
    if "comment" in values and (len(keys) != 1 or "\n" in str(values["comment"])):
        found.append(Problem(("comment",), "a comment is one line beside one key"))
    return found


class AuthorizedKey(Kind):
    """A public key in a user's `~/.ssh/authorized_keys`; the folder is made 0700, the file 0600, both the user's own.

    `key` is one key, or several, one a line. Keys of others in the file stay, unless it is `exclusive`. Options and comment of a key
    that is there already stay as they are where none are declared. A link in place of the folder or the file is a failure: its
    owner could let it lead anywhere.
    """

    name = "authorized_key"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    shares = True
    schema = Schema(
        fields={
            "user": Field(Type.NAME, "who logs in with it", required=True),
            "key": Field(Type.TEXT, "the public key, as in a .pub file; or several, one a line", required=True),
            "options": Field(Type.TEXTS, 'what it may be used for, as in no-pty or from="10.0.0.1"'),
            "comment": Field(Type.TEXT, "what stands behind it, instead of what stands there in `key`"),
            "exclusive": Field(Type.BOOLEAN, "whether every other key goes"),
        },
        rules=(_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The user and the key's fingerprint; several keys together go by the user alone."""
        keys = openssh.keys(str(fields["key"]))
        return f"{fields['user']}#{keys[0].fingerprint}" if len(keys) == 1 else str(fields["user"])

    def desired(self, resource: Resource) -> Properties:
        """The keys as wished, in a file that is its owner's alone."""
        if resource.absent:
            return MISSING
        found: Dict[str, JSON] = {"type": "authorized_key", "keys": AS_WISHED, "mode": "0600", "folder_mode": "0700", "owner": "its user"}
        return {**found, "others": 0} if resource.fields.get("exclusive") is True else found

    def observe(self, resource: Resource, system: System) -> Observation:
        """The lines of these keys, and how the file is kept."""
        return self.observe_all([resource], system)[0]

    def observe_all(self, resources: Sequence[Resource], system: System) -> Tuple[Observation, ...]:
        """All of them, with one look at the accounts."""
        accounts = passwd.read(system, looking=True)
        return tuple(Observation(resource.address, _seen(resource, accounts, system)) for resource in resources)

    def enact(self, change: Change, system: System) -> None:
        """Write the file with the keys in it, or without."""
        user = str(change.resource.fields["user"])
        home = _home(user, passwd.read(system, looking=True), system)
        if home is None and change.action is Action.REMOVE:
            return
        if home is None:
            raise TargetFailed(f"there is no user {user!r} on this target", hint=f"declare it before: `user: {user}`")
        _refuse_links(home, system)
        before = system.read(home.file) if system.stat(home.file) is not None else b""
        after = edited(before, change.resource, dropped=_listed(change, "leftover"), spared=_listed(change, "spared"))
        if change.action is Action.REMOVE:
            _write_remaining(before, after, home, system)
            return
        own = Attributes(mode="0700", owner=user, group=home.gid)
        place.need_parent(home.folder, system)
        if system.stat(home.folder) is None:
            system.make_directory(home.folder, attributes=own)
        else:
            system.set_attributes(home.folder, own)
        system.write(home.file, after, attributes=Attributes(mode="0600", owner=user, group=home.gid))

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The folder and the file, where the user's home is known and no link stands in the way."""
        path, found = change.before.get("path"), change.before.get("type")
        return (place.parent(str(path)), str(path)) if path is not None and found in ("missing", "authorized_key") else ()

    def inverse(self, change: Change) -> Optional[Change]:
        """Only where the home was not known yet."""
        if "path" in change.before or change.action is not Action.CREATE:
            return None
        return Change(change.resource.gone(), Action.REMOVE, before=change.after, after=MISSING)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After its user; the keys of a user that goes, before that."""
        user = Address("user", str(resource.fields["user"]))
        return (user,) if user in others and not others[user].absent else ()

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """Rests on the user, where the plan makes it."""
        user = Address("user", str(change.resource.fields["user"]))
        return f"{user} is made before" if change.before.get("user") == "missing" and user in earlier else ""

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a key."""
        before = change.before
        if before.get("user") == "missing" and change.action is not Action.REMOVE:
            return ("is missing", f"there is no user {change.resource.fields['user']}: this will fail unless there is one by then")
        words = {
            f"keys {OTHER} -> {AS_WISHED}": "what stands around the key differs",
            f"keys lacking -> {AS_WISHED}": "some of its keys are missing",
            "others differs": f"{before.get('others')} other keys are there",
            f"owner {OTHER} -> its user": "belongs to somebody else",
        }
        told = tuple(words.get(reason, reason) for reason in change.because)
        leftover = before.get("leftover")
        if isinstance(leftover, list):
            told += (f"it has {len(leftover)} keys no more that it had",)
        spared = before.get("spared")
        if isinstance(spared, list):
            told += (f"{len(spared)} of its keys stay: another resource names them",)
        return (*told, "it is a link, which is never followed: this will fail") if before.get("type") == "link" else told

    def parts(self, resource: Resource) -> Tuple[str, ...]:
        """Each key of its user: one that another wish for this user names as well is not this one's to take away."""
        return tuple(_part(resource, key) for key in _wished(resource))

    def leftover(self, resource: Resource, previous: Resource, claimed: AbstractSet[str]) -> Properties:
        """Keys that it had before and has no more; where it goes as a whole, those that another wish names by now and that stay."""
        had = _wished(previous)
        others: List[JSON] = [key.fingerprint for key in had if _part(previous, key) in claimed]
        if resource.absent:
            return {"spared": others} if others else {}
        now = {key.same for key in _wished(resource)}
        gone: List[JSON] = [key.fingerprint for key in had if key.same not in now and key.fingerprint not in others]
        return {"leftover": gone} if gone else {}


@dataclass(frozen=True)
class _Home:
    folder: str
    file: str
    uid: str
    gid: str


def _home(user: str, accounts: Accounts, system: System) -> Optional[_Home]:
    row = accounts.passwd.find(user)
    if row is None and system.target is Target.HOST:
        # Somebody whom a directory service knows.
        answer = system.run(Command(("getent", "passwd", "--", user)))
        row = tuple(answer.stdout.strip().split(":")) if answer.code == 0 else None
    if row is None or len(row) < 7:
        return None
    folder = f"{row[5].rstrip('/')}/.ssh"
    return _Home(folder, f"{folder}/authorized_keys", row[2], row[3])


def _refuse_links(home: _Home, system: System) -> None:
    for path in (home.folder, home.file):
        stat = system.stat(path)
        if stat is not None and stat.type != ("directory" if path == home.folder else "file"):
            raise TargetFailed(f"{path} is not used", why=f"it is a {stat.type}", hint="take it away, and look who put it there")


def _seen(resource: Resource, accounts: Accounts, system: System) -> Dict[str, JSON]:
    user = str(resource.fields["user"])
    home = _home(user, accounts, system)
    if home is None:
        return {**MISSING, "user": "missing"}
    folder, stat = system.stat(home.folder), None
    if folder is not None and folder.type == "directory":
        stat = system.stat(home.file)
    wrong = next((one.type for one, fine in ((folder, "directory"), (stat, "file")) if one is not None and one.type != fine), None)
    if wrong is not None:
        return {"type": wrong, "path": home.file}
    content = system.read(home.file) if stat is not None else b""
    present = {key.same for key in openssh.keys(_text(content))}
    wished = _wished(resource)
    if stat is None or folder is None or not any(key.same in present for key in wished):
        return {**MISSING, "path": home.file}
    lacking = any(key.same not in present for key in wished)
    same = edited(content, resource, dropped=[], alone=False).splitlines() == content.splitlines()
    owners = {stat.owner, folder.owner} <= {user, home.uid}
    return {
        "type": "authorized_key",
        "keys": "lacking" if lacking else AS_WISHED if same or resource.absent else OTHER,
        "mode": stat.mode,
        "folder_mode": folder.mode,
        "owner": "its user" if owners else OTHER,
        "path": home.file,
        **({"others": _others(content, wished)} if resource.fields.get("exclusive") is True else {}),
    }


def _wished(resource: Resource) -> Tuple[Key, ...]:
    return openssh.keys(str(resource.fields["key"]))


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _others(content: bytes, wished: Sequence[Key]) -> int:
    mine = {key.same for key in wished}
    return len([key for key in openssh.keys(_text(content)) if key.same not in mine])


def _part(resource: Resource, key: Key) -> str:
    return f"{resource.fields['user']}#{key.fingerprint}"


def _listed(change: Change, name: str) -> List[str]:
    found = change.before.get(name)
    return [str(one) for one in found] if isinstance(found, list) else []


def edited(
    content: bytes, resource: Resource, *, dropped: Sequence[str], spared: Sequence[str] = (), alone: Optional[bool] = None
) -> bytes:
    """The file with the wish fulfilled: each key once, in its place where it has one, else at the end. Spared keys stay as they are."""
    wished = {key.same: key for key in _wished(resource) if key.fingerprint not in spared}
    exclusive = (resource.fields.get("exclusive") is True if alone is None else alone) and not resource.absent
    lines: List[str] = []
    done: Dict[Tuple[str, str], bool] = {}
    for line in _text(content).splitlines():
        key = openssh.parse(line)
        if key is None:
            lines += [] if exclusive else [line]
        elif key.same not in wished:
            lines += [] if exclusive or key.fingerprint in dropped else [line]
        elif not resource.absent and key.same not in done:
            done[key.same] = True
            lines.append(_line(wished[key.same], resource.fields, before=key, written=line))
    if not resource.absent:
        lines += [_line(key, resource.fields, before=None, written="") for same, key in wished.items() if same not in done]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def _line(key: Key, fields: Mapping[str, JSON], *, before: Optional[Key], written: str) -> str:
    declared = fields.get("options")
    options = ",".join(str(option) for option in declared) if isinstance(declared, list) else before.options if before else ""
    comment = str(fields.get("comment", key.comment or (before.comment if before else "")))
    if before is not None and (before.options, before.comment) == (options, comment):
        return written
    return Key(key.type, key.data, options, comment).line()


def _write_remaining(before: bytes, after: bytes, home: _Home, system: System) -> None:
    """A file with nothing left in it goes, and its folder after it if that is empty."""
    if system.stat(home.file) is None:
        return
    if after.strip():
        if after != before:
            system.write(home.file, after, attributes=Attributes())
        return
    system.remove(home.file)
    if not system.names(home.folder):
        system.remove(home.folder)
