"""The kind `npm`: a package of Node.js, in a project's folder or for the whole host."""

from __future__ import annotations

import json
import re
from typing import List, Mapping, Optional, Tuple

from vitrify.core import due, place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Command, System

GLOBAL = "/usr/local"
"""Where packages for the whole host go: below its `lib/node_modules`, programs into its `bin`."""
INSTALLING = 1800.0
_NAME = re.compile(r"(@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*")
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?")


def _npm_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = []
    if not _NAME.fullmatch(str(values["package"])):
        found.append(Problem(("package",), f"{values['package']!r} is not the name of a package"))
    if "version" in values and not _VERSION.fullmatch(str(values["version"])):
        found.append(
            Problem(("version",), f"{values['version']!r} is not one version", "as in 1.22.0: a range would be another one tomorrow")
        )
    if values.get("global") is False:
        found.append(Problem(("global",), "`global: false` says nothing", "declare `path`"))
    registry = str(values.get("registry", "https://x"))
    if "@" in registry or not registry.startswith(("https://", "http://")):
        found.append(
            Problem(("registry",), f"{registry!r} is not an address that is understood", "a password belongs into the user's .npmrc")
        )
    return found


class Npm(Kind):
    """A package of Node.js.

    What is installed is read from its own package.json: a plan asks nobody. Without a version, whichever is there is as wished. Scripts
    of packages are run as they are installed, unless `scripts: false`.
    """

    name = "npm"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={
            "package": Field(Type.TEXT, "the package, with its scope where it has one", required=True),
            "version": Field(Type.TEXT, "the one version; whichever is there or is the newest where not given"),
            "path": Field(Type.PATH, "the project's folder, which has or gets a package.json"),
            "global": Field(Type.BOOLEAN, f"whether it is for the whole host, in {GLOBAL}"),
            "registry": Field(Type.TEXT, "where packages come from; what the user's .npmrc says where not given"),
            "scripts": Field(Type.BOOLEAN, "whether scripts of packages are run; true where not given"),
            "user": Field(Type.NAME, "the user that npm runs as; root where not given"),
        },
        one_of=(("path", "global"),),
        needs_one_of=(("path", "global"),),
        rules=(_npm_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The package, and the folder."""
        return f"{fields['package']}@{fields.get('path', 'global')}"

    def desired(self, resource: Resource) -> Properties:
        """That it is there, in its version."""
        if resource.absent:
            return MISSING
        return {"type": "package", **({"version": resource.fields["version"]} if "version" in resource.fields else {})}

    def observe(self, resource: Resource, system: System) -> Observation:
        """The version that its own package.json tells."""
        path = f"{_modules(resource.fields)}/{resource.fields['package']}/package.json"
        stat = system.stat(path)
        if stat is None or stat.type != "file":
            return Observation(resource.address, MISSING)
        try:
            told = json.loads(system.read(path).decode())
        except ValueError:
            told = None
        return Observation(
            resource.address, {"type": "package", "version": str(told.get("version")) if isinstance(told, dict) else "broken"}
        )

    def enact(self, change: Change, system: System) -> None:
        """Let npm install or uninstall it."""
        fields, package = change.resource.fields, str(change.resource.fields["package"])
        seen = self.observe(change.resource, system).properties
        if all(seen.get(name) == value for name, value in change.after.items()):
            return
        if change.action is Action.REMOVE:
            _npm(fields, system, "uninstall", package)
            return
        version = f"@{change.after['version']}" if "version" in change.after else ""
        _npm(fields, system, "install", f"{package}{version}")

    def inverse(self, change: Change) -> Optional[Change]:
        """The version of before, or none."""
        if change.before.get("type") == MISSING["type"]:
            return Change(change.resource, Action.REMOVE, before=change.after, after=MISSING)
        after = {name: change.before[name] for name in ("type", "version")}
        return Change(change.resource, Action.CREATE if change.action is Action.REMOVE else Action.UPDATE, before=change.after, after=after)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the folder, its user, and npm itself where that is declared."""
        path = str(resource.fields.get("path", GLOBAL))
        wanted = [*(Address(kind, path) for kind in place.FOLDERS), *(Address("package", name) for name in ("npm", "nodejs"))]
        found = [address for address in wanted if address in others and not resource.absent]
        return (*place.after_folders(resource, path, others), *place.after_user(resource, others), *found)

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """What brings npm may be about to be installed."""
        found = next((Address("package", name) for name in ("npm", "nodejs") if Address("package", name) in earlier), None)
        return f"{found} provides npm" if found else ""


def _modules(fields: Mapping[str, JSON]) -> str:
    return f"{fields['path']}/node_modules" if "path" in fields else f"{GLOBAL}/lib/node_modules"


def _npm(fields: Mapping[str, JSON], system: System, verb: str, package: str) -> None:
    words = [f"--prefix={fields['path']}"] if "path" in fields else ["--global", f"--prefix={GLOBAL}"]
    words += ["--no-audit", "--no-fund", "--no-update-notifier", "--save-exact", "--loglevel=error"]
    words += ["--ignore-scripts"] if fields.get("scripts") is False else []
    words += [f"--registry={fields['registry']}"] if "registry" in fields else []
    cwd = str(fields.get("path", "/"))
    ended = system.run(Command(("npm", verb, *words, "--", package), cwd=cwd, user=str(fields.get("user", "")), timeout=INSTALLING))
    if ended.code != 0:
        raise TargetFailed(f"npm {verb} {package} ended with {ended.code}", why=due.last_lines(ended))
