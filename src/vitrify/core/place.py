"""What all kinds that live at a path have in common: paths as text, declared ownership, and what a stat says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Mapping, Optional, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON
from vitrify.core.resource import Address, Resource
from vitrify.core.schema import Field, Type
from vitrify.core.system import Attributes, Stat, System

if TYPE_CHECKING:
    from vitrify.core.difference import Change

OWNER = Field(Type.NAME, "who owns it; left as it is where not given")
GROUP = Field(Type.NAME, "the group it belongs to; left as it is where not given")

PARENTS = Field(Type.BOOLEAN, "whether missing folders above it are created, 0755; they stay when it leaves")

LARGEST_BODY = 64 * 1024
"""No text beyond this many bytes is shown in a diff."""

FOLDERS = ("directory", "tree", "link")
"""The kinds that can put a folder in place, so that what lies below comes after them."""


def parent(path: str) -> str:
    """The folder that holds this path."""
    return path.rpartition("/")[0] or "/"


def ancestors(path: str) -> Tuple[str, ...]:
    """Every folder above this path but `/`, outermost first."""
    parts = path.strip("/").split("/")[:-1]
    return tuple("/" + "/".join(parts[: count + 1]) for count in range(len(parts)))


def inside(path: str, folder: str) -> bool:
    """Whether a path lies below a folder; a folder is not inside itself."""
    return path != folder and path.startswith(folder.rstrip("/") + "/")


def wished(fields: Mapping[str, JSON]) -> Dict[str, JSON]:
    """The declared ones of mode, owner and group, a mode always with four digits."""
    found: Dict[str, JSON] = {name: str(fields[name]) for name in ("owner", "group") if name in fields}
    if "mode" in fields:
        found["mode"] = str(fields["mode"]).zfill(4)
    return found


def attributes(properties: Mapping[str, JSON]) -> Attributes:
    """What to set so that these wished properties hold."""
    mode, owner, group = (properties.get(name) for name in ("mode", "owner", "group"))
    return Attributes(
        mode=str(mode) if mode is not None else None,
        owner=str(owner) if owner is not None else None,
        group=str(group) if group is not None else None,
    )


def seen(stat: Optional[Stat]) -> Dict[str, JSON]:
    """The properties that an entry shows without being opened."""
    if stat is None:
        return {"type": "missing"}
    if stat.type == "link":
        return {"type": "link", "to": stat.link}
    return {"type": stat.type, "mode": stat.mode, "owner": stat.owner, "group": stat.group}


def need_parent(path: str, system: System) -> None:
    """Raise TargetFailed where the folder that would hold `path` is not there."""
    folder = parent(path)
    found = system.stat(folder) if folder != "/" else None
    if folder != "/" and (found is None or found.type not in ("directory", "link")):
        raise TargetFailed(
            f"{path} cannot be created",
            why=f"the folder {folder} does not exist" if found is None else f"{folder} is not a folder",
            hint=f"declare it before: `directory: {folder}`",
        )


def make_folders(path: str, system: System) -> None:
    """Create every folder above `path` that is missing, for all to enter."""
    for folder in ancestors(path):
        if system.stat(folder) is None:
            system.make_directory(folder, attributes=Attributes())


def provide_parent(fields: Mapping[str, JSON], path: str, system: System) -> None:
    """Make the folders above `path` where the resource says so with `parents`, else raise TargetFailed where one is missing."""
    for folder in ancestors(path) if fields.get("parents") is True else ():
        if system.stat(folder) is None:
            system.make_directory(folder, attributes=Attributes())
    need_parent(path, system)


def written(fields: Mapping[str, JSON], path: str) -> Tuple[str, ...]:
    """The path, after the folders that `parents` may have to make."""
    return (*ancestors(path), path) if fields.get("parents") is True else (path,)


def body(path: str, stat: Stat, system: System) -> Optional[str]:
    """The text of a file for a diff; None where it is large, is not text, or is not for everybody to read."""
    if stat.type != "file" or stat.size > LARGEST_BODY or not _everybody_reads(path, stat, system):
        return None
    return as_text(system.read(path))


def as_text(content: bytes) -> Optional[str]:
    """These bytes as text that a diff can show, or None."""
    if len(content) > LARGEST_BODY or b"\0" in content:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _everybody_reads(path: str, stat: Stat, system: System) -> bool:
    if not public(stat.mode):
        return False
    above = [system.stat(folder) for folder in ancestors(path)]
    return all(folder is not None and (folder.type == "link" or int(folder.mode, 8) & 0o001) for folder in above)


def public(mode: JSON) -> bool:
    """Whether this mode lets everybody read."""
    return isinstance(mode, str) and bool(int(mode, 8) & 0o004)


def after_folders(resource: Resource, path: str, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
    """The others that put folders in place above `path`, and whoever owns it; for an absent folder, all that lies in it."""
    if resource.absent:
        return tuple(address for address in others if inside(address.name, path)) if resource.address.kind in FOLDERS else ()
    above = (Address(kind, folder) for folder in ancestors(path) for kind in FOLDERS)
    return tuple(address for address in (*above, *owners(resource)) if address in others and not others[address].absent)


def owners(resource: Resource) -> Tuple[Address, ...]:
    """The accounts that must be there before this is theirs; a group may also come with the user of its name."""
    owner, group = resource.fields.get("owner"), resource.fields.get("group")
    users = tuple(Address("user", str(name)) for name in (owner, group) if name is not None)
    return (*users, Address("group", str(group))) if group is not None else users


def after_user(resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
    """The account that this runs as, where that is declared."""
    user = Address("user", str(resource.fields.get("user", "root")))
    return (user,) if user in others and not (others[user].absent or resource.absent) else ()


def owned_by_earlier(change: Change, earlier: Mapping[Address, Change]) -> str:
    """Which earlier changes of the plan make the accounts that this one gives something to, in words; "" where none does."""
    made = [str(address) for address in owners(change.resource) if address in earlier and _makes(earlier[address])]
    return f"{' and '.join(made)} {'owns' if len(made) == 1 else 'own'} it, made before" if made and _makes_theirs(change) else ""


def _makes(change: Change) -> bool:
    return change.before.get("type") == "missing" and change.after.get("type") != "missing"


def _makes_theirs(change: Change) -> bool:
    return any(name in change.after and change.after[name] != change.before.get(name) for name in ("owner", "group"))
