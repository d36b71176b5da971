"""The kind `logrotate`: how the logs of one program are rotated, as one file in `/etc/logrotate.d`."""

from __future__ import annotations

from typing import Callable, List, Mapping, Optional, Tuple

from vitrify.core import dropin, place
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import System

FOLDER = "/etc/logrotate.d"


def _rules(values: Mapping[str, JSON]) -> List[Problem]:
    """What the fields' types alone cannot tell."""
    paths, keep = values.get("paths"), values.get("keep", 7)
    wrong = [path for path in (paths if isinstance(paths, list) else []) if not _is_path(str(path))]
    found = [Problem(("paths",), f"{path!r} is not an absolute path", "as in /var/log/shop/*.log") for path in wrong]
    if isinstance(keep, int) and keep < 0:
        found.append(Problem(("keep",), "less than nothing cannot be kept"))
    return found


def _is_path(text: str) -> bool:
    return text.startswith("/") and not any(sign in text for sign in '"\n{}')


class Logrotate(Kind):
    """One file in `/etc/logrotate.d`, read by the next run of logrotate."""

    name = "logrotate"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={
            "name": Field(Type.NAME, "the name of the file", required=True),
            "paths": Field(Type.TEXTS, "the logs, with * where there are many"),
            "every": Field(Type.TEXT, "how often; `daily` where not given", choices=("daily", "weekly", "monthly")),
            "keep": Field(Type.INTEGER, "how many old ones stay; 7 where not given"),
            "compress": Field(Type.BOOLEAN, "whether old ones are compressed, all but the newest"),
        },
        needs_one_of=(("paths",),),
        rules=(_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The name of the file."""
        return str(fields["name"])

    def desired(self, resource: Resource) -> Properties:
        """The file as it should be."""
        return MISSING if resource.absent else dropin.wished(_text(resource), mode="0644")

    def observe(self, resource: Resource, system: System) -> Observation:
        """The file as it is."""
        path = _path(resource)
        stat = system.stat(path)
        return Observation(resource.address, dropin.seen(path, system), place.body(path, stat, system) if stat else None)

    def enact(self, change: Change, system: System) -> None:
        """Write the file, or remove it."""
        if change.action is Action.REMOVE:
            system.remove(_path(change.resource))
        else:
            dropin.write(_path(change.resource), _text(change.resource), mode="0644", system=system)

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The file and the folders above it: their before-images are what an undo puts back."""
        path = _path(change.resource)
        return (*place.ancestors(path), path)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The file."""
        return (_path(resource),)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the package that makes the folder, and after folders that are declared."""
        package = Address("package", "logrotate")
        return (*place.after_folders(resource, _path(resource), others), *((package,) if package in others else ()))

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """The file, for the diff in a plan."""
        return "" if resource.absent else _text(resource)


def _text(resource: Resource) -> str:
    fields = resource.fields
    paths = fields["paths"]
    words = [f'"{path}"' for path in (paths if isinstance(paths, list) else [])]
    rows = [str(fields.get("every", "daily")), f"rotate {fields.get('keep', 7)}", "missingok", "notifempty"]
    rows += ["compress", "delaycompress"] if fields.get("compress") is True else []
    return "{}\n{{\n{}}}\n".format("\n".join(words), "".join(f"    {row}\n" for row in rows))


def _path(resource: Resource) -> str:
    return f"{FOLDER}/{resource.fields['name']}"
