"""The kind `locale`: the language and the customs that programs speak in."""

from __future__ import annotations

import re
from typing import Callable, Dict, List, Mapping, Optional, Tuple

from vitrify.core import dropin, place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Attributes, Command, System

DEBIANS, SYSTEMDS = "/etc/default/locale", "/etc/locale.conf"
LIST = "/etc/locale.gen"
ARCHIVE = "/usr/lib/locale/locale-archive"
GENERATOR = "/usr/sbin/locale-gen"
AS_WISHED = "as wished"
LARGEST_ARCHIVE = 32 * 1024 * 1024
"""An archive beyond this has all locales in it: nobody generates as many one by one."""
_LOCALE = re.compile(r"[A-Za-z_]+(\.[A-Za-z0-9-]+)?(@[a-z]+)?")
_VARIABLE = re.compile(r"LC_[A-Z]+|LANGUAGE")


def _rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = (
        [] if _LOCALE.fullmatch(str(values["lang"])) else [Problem(("lang",), f"{values['lang']!r} is not a locale", "as in de_DE.UTF-8")]
    )
    variables = values.get("variables")
    for name, value in variables.items() if isinstance(variables, dict) else ():
        if not _VARIABLE.fullmatch(name):
            found.append(Problem(("variables", name), f"{name!r} is no variable of locales", "LC_TIME, LC_NUMERIC, …"))
        elif not (_LOCALE.fullmatch(str(value)) or (name == "LANGUAGE" and re.fullmatch(r"[A-Za-z_:]+", str(value)))):
            found.append(Problem(("variables", name), f"{value!r} is not a locale", "as in de_DE.UTF-8"))
    return found


class Locale(Kind):
    """The file that says which locale programs use, and the locales that it names, generated.

    The file is `/etc/default/locale` on Debian and its kin, elsewhere `/etc/locale.conf`; it says this and nothing else. Where a
    target has `/etc/locale.gen`, the locales named are taken up in there, and `locale-gen` makes what is not made yet.
    """

    name = "locale"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={
            "lang": Field(Type.TEXT, "the locale, as in de_DE.UTF-8", required=True),
            "variables": Field(Type.MAP, "what differs from that, as in {LC_TIME: en_GB.UTF-8}"),
        },
        rules=(_rules,),
        removable=False,
    )
    short = "lang"

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """A machine has one."""
        return "system"

    def desired(self, resource: Resource) -> Properties:
        """The file, and that its locales are there."""
        if resource.absent:
            return MISSING
        return {**dropin.wished(locale_text(resource), mode="0644"), "generated": AS_WISHED}

    def observe(self, resource: Resource, system: System) -> Observation:
        """The file, and which of its locales are not there."""
        path = _path(system)
        stat = system.stat(path)
        lacking: List[JSON] = [name for name in _needed(resource) if not _generated(name, system)]
        found: Dict[str, JSON] = {**dropin.seen(path, system), "path": path, "generated": lacking or AS_WISHED}
        if lacking and system.stat(LIST) is None:
            found["generator"] = "missing"
        return Observation(resource.address, found, place.body(path, stat, system) if stat is not None else None)

    def enact(self, change: Change, system: System) -> None:
        """Generate what is not there, then write the file: it never names a locale that is missing."""
        path = _path(system)
        if change.action is Action.REMOVE:
            system.remove(path)
            return
        lacking = [name for name in _needed(change.resource) if not _generated(name, system)]
        if lacking:
            _generate(lacking, system)
        dropin.write(path, locale_text(change.resource), mode="0644", system=system)

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The file; and what generating changes, where something has to be."""
        path = str(change.before.get("path", DEBIANS))
        made = (LIST, "/usr/lib/locale", ARCHIVE) if change.before.get("generated") != AS_WISHED else ()
        return (*place.ancestors(path), path, *made)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the package that brings the generator."""
        return tuple(found for found in (Address("package", "locales"),) if found in others)

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """Rests on that package where it is not there yet."""
        brings = Address("package", "locales")
        return f"{brings} generates it" if change.before.get("generator") == "missing" and brings in earlier else ""

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a locale."""
        lacking = change.before.get("generated")
        names = ", ".join(map(str, lacking)) if isinstance(lacking, list) else ""
        words = {"content differs": "the file says something else", "generated differs": f"not generated: {names}"}
        told = tuple(dropin.because(change.because, words))
        if change.before.get("generator") == "missing" and change.action is not Action.REMOVE:
            return (*told, f"there is no {LIST}: {names} will fail unless there is one by then")
        return told

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """The file."""
        return "" if resource.absent else locale_text(resource)


def locale_text(resource: Resource) -> str:
    """The file."""
    variables = resource.fields.get("variables")
    told = {"LANG": resource.fields["lang"], **(variables if isinstance(variables, dict) else {})}
    return "".join(f"{name}={value}\n" for name, value in sorted(told.items(), key=lambda row: (row[0] != "LANG", row[0])))


def _path(system: System) -> str:
    """Debian's file, unless it only leads to the other one."""
    stat = system.stat(DEBIANS)
    if stat is not None:
        return SYSTEMDS if stat.type == "link" else DEBIANS
    return DEBIANS if system.stat("/etc/debian_version") is not None and system.stat(SYSTEMDS) is None else SYSTEMDS


def _needed(resource: Resource) -> Tuple[str, ...]:
    """The locales that have to be generated: those of the C library itself are always there."""
    variables = resource.fields.get("variables")
    named = {str(value) for name, value in (variables.items() if isinstance(variables, dict) else ()) if name != "LANGUAGE"}
    return tuple(sorted(name for name in {str(resource.fields["lang"]), *named} if name.split(".")[0] not in ("C", "POSIX")))


def _generated(name: str, system: System) -> bool:
    """Whether it is a folder of its own, or in the archive, under the name that the C library gives it."""
    language, charset, variant = _taken_apart(name)
    normal = language + (f".{charset.lower().replace('-', '')}" if charset else "") + variant
    stat = system.stat(ARCHIVE)
    if system.stat(f"/usr/lib/locale/{normal}") is not None:
        return True
    if stat is None or stat.type != "file":
        return False
    return stat.size > LARGEST_ARCHIVE or f"{normal}\0".encode() in system.read(ARCHIVE)


def _taken_apart(name: str) -> Tuple[str, str, str]:
    main, at, variant = name.partition("@")
    language, _, charset = main.partition(".")
    return language, charset, at + variant


def _generate(names: List[str], system: System) -> None:
    if system.stat(LIST) is None or system.stat(GENERATOR) is None:
        raise TargetFailed(
            f"the locale {names[0]} cannot be generated",
            why=f"there is no {LIST if system.stat(LIST) is None else GENERATOR} on this target",
            hint="declare what brings it before: `package: locales`",
        )
    before = system.read(LIST).decode("utf-8", "surrogateescape")
    after = taken_up(before, names)
    if after != before:
        system.write(LIST, after.encode("utf-8", "surrogateescape"), attributes=Attributes())
    ended = system.run(Command((GENERATOR,)))
    missing = [name for name in names if not _generated(name, system)]
    if ended.code != 0 or missing:
        why = (ended.stderr.strip() or ended.stdout.strip()).splitlines()[-1:] or [f"{GENERATOR} made no {', '.join(missing)}"]
        raise TargetFailed(
            f"the locale {(missing or names)[0]} was not generated", why=why[0], hint="`/usr/share/i18n/SUPPORTED` lists those there are"
        )


def taken_up(text: str, names: List[str]) -> str:
    """The list of locales with these in it: a line that was a comment where there is one, else a new one."""
    lines = text.splitlines()
    for name in names:
        places = [place_of for place_of, line in enumerate(lines) if line.lstrip("# \t").split(" ")[:1] == [name]]
        if any(not lines[place_of].lstrip().startswith("#") for place_of in places):
            continue
        if places:
            lines[places[-1]] = lines[places[-1]].lstrip("# \t")
        else:
            lines.append(f"{name} {_taken_apart(name)[1] or 'ISO-8859-1'}")
    return "".join(f"{line}\n" for line in lines)
