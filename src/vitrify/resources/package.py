"""The kind `package`: something that the distribution's package manager installs, holds or removes."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from vitrify.core.debian import Apt
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.packaging import INSTALLED, LATEST, Due, Effect, Foreseen, Manager, Options, Package, Wanted, nobody
from vitrify.core.resource import MISSING, Address, Kind, Observation, OnLeave, Phase, Properties, Resource, Sureness
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import System

MANAGERS: Tuple[Manager, ...] = (Apt(),)
"""The first that is there is asked."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*(:[a-z0-9]+)?")
_VERSION = re.compile(r"[A-Za-z0-9.+:~*?_^-]+")
_AGE = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = []
    if not _NAME.fullmatch(str(values["name"])):
        found.append(Problem(("name",), f"{values['name']!r} is not the name of a package", "a version stands in `version`"))
    if "version" in values and not _VERSION.fullmatch(str(values["version"])):
        found.append(Problem(("version",), f"{values['version']!r} is not a version", "as in 1.18.0-6, 1.18.* or latest"))
    if "update_cache" in values and not _AGE.fullmatch(str(values["update_cache"])):
        found.append(Problem(("update_cache",), f"{values['update_cache']!r} is not an age", "a whole number and s, m, h or d, as in 1h"))
    if ("source" in values or "content" in values) and values.get("version", LATEST) == LATEST:
        found.append(Problem((), "a package file needs the `version` that is in it", "`dpkg-deb --field FILE Version` tells it"))
    return found


class PackageKind(Kind):
    """A package of the distribution.

    Where it is missing, or its version is not the declared one, it is installed together with all others of its neighbourhood
    in one transaction. The plan names what comes and goes with it, as the package manager's own simulation says; a transaction
    that would do more is refused. A name that another installed package provides counts as there. Into an image come the package files that
    `vitrify.lock` pins, and no others.
    """

    name = "package"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    together = True
    chooses = True
    schema = Schema(
        fields={
            "name": Field(
                Type.TEXT, "its name, `NAME:ARCHITECTURE` where it is of another one; a list is one resource for each", required=True
            ),
            "version": Field(Type.TEXT, "exactly this version, one that fits a pattern (`1.18.*`), or `latest`; any where not given"),
            "hold": Field(Type.BOOLEAN, "whether it is kept from being upgraded by others; left as it is where not given"),
            "purge": Field(Type.BOOLEAN, "whether its configuration goes with it once it is to be absent"),
            "install_recommends": Field(Type.BOOLEAN, "whether what it recommends comes along; as the target is set up where not given"),
            "default_release": Field(Type.TEXT, "the release that versions are preferably taken from, as in bookworm-backports"),
            "update_cache": Field(Type.TEXT, "how old the lists of packages may be before something is installed, as in 1h"),
            "autoremove": Field(Type.BOOLEAN, "whether dependencies that nobody needs any more go in the same transaction"),
            "lock_timeout": Field(
                Type.INTEGER, "how many seconds to wait while somebody else uses the package manager; 60 where not given"
            ),
            "source": Field(Type.TEXT, "a package file in the project to install; `version` says which one is in it", control=True),
            "content": Field(Type.TEXT, "digest of the package file", resolved=True, secret=True),
        },
        rules=(_rules,),
    )
    short = "name"

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """Its name."""
        return str(fields["name"])

    def desired(self, resource: Resource) -> Properties:
        """Installed for its own sake, with the version and the hold that were declared."""
        if resource.absent:
            return {**MISSING, "configuration": "none"} if _wanted(resource).purge else MISSING
        found: Dict[str, JSON] = {"type": "package", "state": INSTALLED, "automatic": False}
        return {**found, **{name: resource.fields[name] for name in ("version", "hold") if name in resource.fields}}

    def observe(self, resource: Resource, system: System) -> Observation:
        """See `observe_all`."""
        return self.observe_all([resource], system)[0]

    def observe_all(self, resources: Sequence[Resource], system: System) -> Tuple[Observation, ...]:
        """One look at the database for all; where something is to be done, what the package manager says would happen."""
        manager = _manager(system)
        if manager is None:
            missing: Properties = {**MISSING, "problem": nobody(system).diagnostics[0].summary}
            return tuple(Observation(one.address, self.desired(one) if one.absent else missing) for one in resources)
        wishes = [_wanted(resource) for resource in resources]
        seen = manager.look([wish.name for wish in wishes], system)
        asked = [(wish, seen[wish.name]) for wish in wishes if wish.acts(seen[wish.name]) or _may_be_newer(wish, seen[wish.name])]
        foreseen = manager.foresee([(wish, one) for wish, one in asked if one.state == INSTALLED], system)
        properties = [_properties(wish, seen[wish.name], foreseen.get(wish.name)) for wish in wishes]
        return tuple(Observation(resource.address, properties[number]) for number, resource in enumerate(resources))

    def enact(self, change: Change, system: System) -> None:
        """See `enact_all`."""
        self.enact_all([change], system)

    def enact_all(self, changes: Sequence[Change], system: System) -> None:
        """One transaction for all of them, and what is to be held."""
        manager = _manager(system)
        if manager is None:
            raise nobody(system)
        for change in [change for change in changes if "back" in change.before]:
            effects, allowed = _effects(change.before, "back"), _texts(change.before, "allowed")
            manager.back(effects, system, allowed=allowed, orphans=change.before.get("orphans") is True)
        due = [_due(change, one) for change, one in _looked(manager, changes, system) if "back" not in change.before]
        removed = [one for one in due if one.wanted.absent and one.wanted.acts(one.seen)]
        installed = [one for one in due if not one.wanted.absent and (one.wanted.acts(one.seen) or _may_be_newer(one.wanted, one.seen))]
        if removed:
            manager.remove(removed, system)
        if installed:
            manager.install(installed, system)
        for change, one in _looked(manager, changes, system):
            _mark(manager, change, one, system)

    def undoable(self, change: Change) -> bool:
        """Not where an old version cannot be had again, nor what a purge takes away."""
        replaced = "content" in change.resource.fields and change.before.get("type") == "package"
        purged = change.action is Action.REMOVE and _wanted(change.resource).purge
        return not (change.before.get("lost") is True or replaced or purged)

    def inverse(self, change: Change) -> Optional[Change]:
        """What came goes, what went comes back, each in the version that it had."""
        before, name = change.before, str(change.resource.fields["name"])
        old = str(before.get("installed", ""))
        there = before.get("type") == "package"
        if before.get("provided_by"):
            return None
        own = [Effect("install", name, new=old)] if there else [Effect("remove", name)]
        back = [*own, *(_turned(effect) for effect in _effects(before, "also"))]
        told: List[JSON] = [str(effect) for effect in back]
        seen: Dict[str, JSON] = {"type": change.after.get("type"), "back": told, "allowed": [*_texts(before, "needed_by")]}
        # Nobody could say beforehand what would come with it.
        seen["orphans"] = not there and Sureness.ASSUMED in (change.sureness, self.sureness(change))
        if not there:
            return Change(change.resource.gone(), Action.REMOVE, before=seen, after=MISSING)
        after: Dict[str, JSON] = {"type": "package", "hold": before.get("hold"), "automatic": before.get("automatic")}
        return Change(change.resource, Action.UPDATE, before=seen, after=after)

    def sureness(self, change: Change) -> Sureness:
        """Assumed where the package manager could not say yet what will happen."""
        unsure = any(name in change.before for name in ("stale", "problem")) or "content" in change.resource.fields
        return Sureness.ASSUMED if unsure and change.action is not Action.REMOVE else Sureness.CERTAIN

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """Where an earlier change moves what can be had."""
        moving = [str(address) for address in earlier if address.kind == "repository"] if change.action is not Action.REMOVE else []
        told = f"{', '.join(moving)} changes first: which version can be had and what comes with it is known only then"
        return told if moving else ""

    def around(self, system: System) -> Mapping[str, str]:
        """All that is installed."""
        manager = _manager(system)
        return manager.versions(system) if manager else {}

    def besides(self, changes: Sequence[Change], before: Mapping[str, str], after: Mapping[str, str]) -> Tuple[str, ...]:
        """What came, changed and went with the packages that were planned, and was not told of."""
        own = {str(change.resource.fields["name"]) for change in changes}
        told = {effect.name for change in changes for effect in _effects(change.before, "also")}
        moved = [name for name in sorted({*before, *after} - own - told) if before.get(name) != after.get(name)]
        return tuple(_effect(name, before.get(name, ""), after.get(name, "")).told() for name in moved)

    def because(self, change: Change) -> Tuple[str, ...]:
        """What differs, and all that comes and goes with it."""
        before = change.before
        reasons = [_reason(name, change) for name in ("type", "version", "state", "hold", "automatic", "configuration")]
        found = [reason for reason in reasons if reason] or list(change.because)
        found += [effect.told() for effect in _effects(before, "also")]
        if before.get("lost") is True:
            found.append("a version that goes cannot be had again")
        if change.action is Action.REMOVE and before.get("foreseen") != "removal" and before.get("type") == "package":
            found.append("stays as a dependency where another installed package needs it")
        if "problem" in before and not change.resource.absent:
            found.append(f"{before['problem']}: this will fail unless something mends that before")
        if "stale" in before:
            found.append("the lists of packages are renewed first: versions may be newer than told here")
        return tuple(found)

    def notices(self, resource: Resource, seen: Observation) -> Tuple[str, ...]:
        """That a name is only provided by another package."""
        provider = seen.properties.get("provided_by")
        if not provider or resource.absent:
            return ()
        return (f"{resource.address} is a name that the installed package {provider} provides: it counts as there",)


def _manager(system: System) -> Optional[Manager]:
    return next((manager for manager in MANAGERS if manager.present(system)), None)


def _wanted(resource: Resource) -> Wanted:
    fields = resource.fields
    age = _AGE.fullmatch(str(fields.get("update_cache", "")))
    recommends, timeout, hold = (fields.get(name) for name in ("install_recommends", "lock_timeout", "hold"))
    purge = fields.get("purge") is True or resource.on_leave is OnLeave.PURGE
    return Wanted(
        name=str(fields["name"]),
        version=str(fields.get("version", "")),
        hold=hold if isinstance(hold, bool) else None,
        absent=resource.absent,
        purge=resource.absent and purge,
        content=str(fields.get("content", "")),
        oldest_lists=int(age.group(1)) * _SECONDS[age.group(2)] if age else None,
        options=Options(
            recommends=recommends if isinstance(recommends, bool) else None,
            release=str(fields.get("default_release", "")),
            autoremove=fields.get("autoremove") is True,
            lock_timeout=timeout if isinstance(timeout, int) else 60,
        ),
    )


def _may_be_newer(wish: Wanted, seen: Package) -> bool:
    return wish.version == LATEST and not wish.absent and bool(seen.version)


def _properties(wish: Wanted, seen: Package, foreseen: Optional[Foreseen]) -> Properties:
    told = _told(foreseen, wish) if foreseen else {}
    newest = _may_be_newer(wish, seen) and foreseen is not None and not (foreseen.candidate or foreseen.stale)
    if newest:
        told = {}
    if seen.version:
        fits = wish.version != LATEST and wish.version and wish.fits(seen.version)
        version = wish.version if fits or newest else seen.version
        found: Dict[str, JSON] = {"type": "package", "version": version, "installed": seen.version, "state": seen.state}
        return {**found, "hold": seen.held, "automatic": seen.automatic, **told}
    if seen.provided_by and not wish.version and not wish.absent:
        return {"type": "package", "provided_by": seen.provided_by, "state": INSTALLED, "hold": seen.held, "automatic": False}
    return {**MISSING, **({"configuration": "left" if seen.remains else "none"} if wish.purge else {}), **told}


def _told(foreseen: Foreseen, wish: Wanted) -> Dict[str, JSON]:
    found: Dict[str, JSON] = {"foreseen": "removal" if wish.absent else "change"}
    if foreseen.candidate:
        found["candidate"] = foreseen.candidate
    if foreseen.also:
        found["also"] = [str(effect) for effect in foreseen.also]
    if foreseen.needed_by:
        found["needed_by"] = list(foreseen.needed_by)
    if foreseen.problem:
        found["problem"] = foreseen.problem
    return {**found, **({"lost": True} if foreseen.lost else {}), **({"stale": True} if foreseen.stale else {})}


def _looked(manager: Manager, changes: Sequence[Change], system: System) -> List[Tuple[Change, Package]]:
    seen = manager.look([str(change.resource.fields["name"]) for change in changes], system)
    return [(change, seen[str(change.resource.fields["name"])]) for change in changes]


def _due(change: Change, seen: Package) -> Due:
    before = change.before
    foreseen = Foreseen(
        candidate=str(before.get("candidate", "")),
        also=tuple(_effects(before, "also")),
        problem=str(before.get("problem", "")),
        stale=before.get("stale") is True,
    )
    wanted = _wanted(change.resource)
    planned = before.get("foreseen") == ("removal" if wanted.absent else "change")
    return Due(wanted, seen, foreseen, planned=planned, assumed=change.sureness is Sureness.ASSUMED)


def _mark(manager: Manager, change: Change, seen: Package, system: System) -> None:
    """Set what differs, of a package that is there by its own name."""
    hold, automatic = (change.after.get(name) for name in ("hold", "automatic"))
    held = hold if isinstance(hold, bool) and hold is not seen.held else None
    marked = automatic if isinstance(automatic, bool) and automatic is not seen.automatic else None
    if seen.version and (held is not None or marked is not None):
        manager.mark(change.resource.address.name, held=held, automatic=marked, system=system)


def _effects(properties: Properties, name: str) -> List[Effect]:
    return [Effect.parse(text) for text in _texts(properties, name)]


def _texts(properties: Properties, name: str) -> List[str]:
    found = properties.get(name)
    return [str(text) for text in found] if isinstance(found, list) else []


def _effect(name: str, old: str, new: str) -> Effect:
    return Effect("change" if old and new else "install" if new else "remove", name, old=old, new=new)


def _turned(effect: Effect) -> Effect:
    return Effect("remove", effect.name) if effect.action == "install" else Effect("install", effect.name, new=effect.old)


def _reason(name: str, change: Change) -> str:
    """One difference in words; "" where there is none."""
    before, after = change.before, change.after
    if name not in after or before.get(name) == after[name]:
        return ""
    candidate = str(before.get("candidate", ""))
    if name == "type":
        if change.action is Action.REMOVE:
            return "is to be absent"
        return f"is missing: {candidate} would be installed" if candidate else "is missing"
    if before.get("type") != after.get("type"):
        return ""
    words = {
        "version": f"version {before.get('version')} -> {candidate or after.get('version')}",
        "state": f"is {before.get('state')}: its package manager was stopped, or could not set it up",
        "hold": "is to be held" if after.get("hold") else "is held, and is not to be",
        "automatic": "is there only because others need it: is wanted for itself",
        "configuration": "its configuration is still there",
    }
    return words[name]
