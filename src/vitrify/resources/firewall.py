"""The kind `firewall`: a table of nftables, checked as a whole, put in place as a whole, and there again at every start."""

from __future__ import annotations

import re
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from vitrify.core import install, place, programs, systemctl, unit, written
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON, digest_bytes
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Attributes, Command, System

FOLDER = "/etc/nftables.d"
NOTES = "/var/lib/vitrify/firewall"
"""What the kernel told of each table when it was put in place: by this a later look knows whether somebody changed it."""
_TRIAL = "/run/vitrify/firewall"
_FAMILIES = ("inet", "ip", "ip6", "arp", "bridge", "netdev")
NFT = "/usr/sbin/nft"
AS_WISHED, OTHER, NONE = "as wished", "other", "none"
_SET = re.compile(r"\t(?:set|map) (\S+) \{")
_CHANGING = re.compile(r"\t\tflags .*\b(?:dynamic|timeout)\b.*")
_ELEMENTS, _MORE = "\t\telements = {", "\t\t\t"


def _firewall_rules(values: Mapping[str, JSON]) -> List[Problem]:
    name = str(values["name"])
    found = written.template_problems(values)
    if not name.replace("_", "").replace("-", "").isalnum() or not name[0].isalpha():
        found.append(
            Problem(
                ("name",), f"{name!r} cannot name a table", "letters, digits, `_` and `-`, a letter first; the project's name is a good one"
            )
        )
    return found


class Firewall(Kind):
    """A table of nftables that belongs to this resource alone.

    What is declared is what stands between the braces of `table inet NAME { … }`: chains, sets, rules. On a live host `nft -c` must
    accept it before anything is written; then the kernel replaces the whole table at once, and no other table is touched. A
    unit of its own puts it in place at every start. Sets and maps that are declared with elements are compared with them; those that
    are declared empty, or with the flag `dynamic` or `timeout`, are for programs and rules to fill.
    """

    name = "firewall"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    locks_out = True
    schema = Schema(
        fields={
            "name": Field(Type.NAME, "the table", required=True),
            "family": Field(Type.TEXT, "its family; `inet`, which is IPv4 and IPv6, where not given", choices=_FAMILIES),
            "content": Field(Type.TEXT, "chains, sets and rules as text"),
            "template": Field(Type.TEXT, "a Jinja template in the project that renders them", control=True),
            "vars": Field(Type.ANY, "a map of values for the template", control=True),
            "source": Field(Type.TEXT, "a file in the project that holds them", control=True),
        },
        one_of=(("content", "template", "source"),),
        needs_one_of=(("content", "template", "source"),),
        rules=(_firewall_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The table; one of another family than `inet` is another table."""
        return str(fields["name"]) if fields.get("family", "inet") == "inet" else f"{fields['family']}-{fields['name']}"

    def desired(self, resource: Resource) -> Properties:
        """The rules, what puts them in place at a start, and the kernel's table."""
        if resource.absent:
            return MISSING
        start = digest_bytes("".join(_start(resource)).encode())
        return {"type": "firewall", "rules": resource.fields["content"], "start": start, "enabled": True, "table": AS_WISHED}

    def observe(self, resource: Resource, system: System) -> Observation:
        """The files, and on a live host the kernel's table."""
        rules, *_, link = paths(resource)
        table = _table(resource, system) if systemctl.live(system) else (NONE if resource.absent else AS_WISHED)
        stat = system.stat(rules)
        if not any(system.stat(path) for path in paths(resource)) and table in (NONE, AS_WISHED):
            return Observation(resource.address, dict(MISSING))
        linked = system.stat(link)
        found: Dict[str, JSON] = {"type": "firewall", "rules": written.seen(rules, system)["file"], "start": _start_seen(resource, system)}
        found.update({"enabled": linked is not None and linked.type == "link", "table": table})
        return Observation(resource.address, found, place.body(rules, stat, system) if stat else None)

    def enact(self, change: Change, system: System) -> None:
        """Check, write, and let the kernel replace the table; or take all of it away."""
        resource, live = change.resource, systemctl.live(system)
        rules, script, service, link = paths(resource)
        if change.action is Action.REMOVE:
            for path in (link, service, script, rules, _note(resource)):
                system.remove(path)
            if live:
                _drop(resource, system)
                systemctl.tell(system, "daemon-reload")
            return
        content = system.blob(str(resource.fields["content"]))
        if live:
            _try(resource, content, system)
        written.write(rules, content, system)
        for path, text in zip((script, service), _start(resource)):  # noqa: B905  Python 3.9; two and two
            written.write(path, text.encode(), system)
        place.make_folders(link, system)
        system.make_link(link, to=service)
        if live:
            systemctl.tell(system, "daemon-reload")
            _load(resource, system)

    def settle(self, resource: Resource, system: System) -> None:
        """After an undo: the table that the files say now, or none."""
        if not systemctl.live(system):
            return
        systemctl.tell(system, "daemon-reload")
        if system.stat(paths(resource)[1]) is not None:
            _load(resource, system)
        else:
            _drop(resource, system)
            system.remove(_note(resource))

    def affected(self, change: Change) -> Tuple[str, ...]:
        """Rules, script, unit and link, and the folders above them."""
        return written.with_folders(*paths(change.resource))

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """Rules, script, unit and link."""
        return paths(resource)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the package that brings nft."""
        return tuple(one for one in (Address("package", "nftables"),) if one in others and not resource.absent)

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a table."""
        words = {
            "rules differs": "its rules differ",
            "start differs": "what starts it differs",
            "enabled differs": "is not put in place at a start",
            "table none -> as wished": "the kernel does not have it",
            "table other -> as wished": "the kernel has another one",
        }
        return tuple(words.get(reason, reason) for reason in change.because)

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """The rules; they are for everybody to read."""
        return "" if resource.absent else place.as_text(blob(str(resource.fields["content"])))


def paths(resource: Resource) -> Tuple[str, str, str, str]:
    """Rules, script, unit and link."""
    name = f"vitrify-firewall-{resource.address.name}.service"
    stem = f"{FOLDER}/vitrify-{resource.address.name}"
    return f"{stem}.rules", f"{stem}.nft", f"{install.ADMIN}/{name}", f"{install.ADMIN}/sysinit.target.wants/{name}"


def _called(resource: Resource) -> Tuple[str, str]:
    return str(resource.fields.get("family", "inet")), str(resource.fields["name"])


def _note(resource: Resource) -> str:
    return f"{NOTES}/{resource.address.name}"


def _script(resource: Resource, rules: str) -> str:
    """Replaces the table in one transaction: made where it is missing, so that it can be deleted, and made anew."""
    table = " ".join(_called(resource))
    return f'{unit.HEAD}\ntable {table}\ndelete table {table}\ntable {table} {{\n    include "{rules}"\n}}\n'


def _start(resource: Resource) -> Tuple[str, str]:
    """The script and the unit that runs it before there is a network."""
    rules, script, _, _ = paths(resource)
    sections = {
        "Unit": {
            "Description": f"firewall {resource.address.name}",
            "DefaultDependencies": "no",
            "Wants": "network-pre.target",
            "Before": "network-pre.target shutdown.target",
            "Conflicts": "shutdown.target",
        },
        "Service": {"Type": "oneshot", "RemainAfterExit": True, "ExecStart": f"{NFT} -f {script}"},
        "Install": {"WantedBy": "sysinit.target"},
    }
    return _script(resource, rules), unit.sections_text(sections)


def _start_seen(resource: Resource, system: System) -> str:
    """The digest of script and unit as they are."""
    _, script, service, _ = paths(resource)
    stats = [system.stat(path) for path in (script, service)]
    if not all(stat is not None and stat.type == "file" for stat in stats):
        return "none"
    return digest_bytes(system.read(script) + system.read(service))


def _listed(resource: Resource, system: System) -> Optional[str]:
    """What the kernel tells of the table, without counters; None where there is none."""
    if system.stat(NFT) is None:
        return None
    ended = system.run(Command((NFT, "-s", "list", "table", *_called(resource))))
    return ended.stdout if ended.code == 0 else None


def filled(listed: str) -> Tuple[str, ...]:
    """The sets and maps that hold something and that neither rules nor time change: of a new table, those declared with elements."""
    found: List[str] = []
    name, changing = "", False
    for line in listed.splitlines():
        begun = _SET.fullmatch(line)
        name, changing = (begun.group(1), False) if begun else (name, changing or _CHANGING.fullmatch(line) is not None)
        if line.startswith(_ELEMENTS) and not changing:
            found.append(name)
    return tuple(found)


def digest_with(listed: str, sets: Sequence[str]) -> str:
    """The digest of a listing with the elements of these sets, and without those of others: programs and rules add to them."""
    kept: List[str] = []
    name, inside = "", False
    for line in listed.splitlines():
        begun = _SET.fullmatch(line)
        name = begun.group(1) if begun else name
        inside = line.startswith(_ELEMENTS) or (inside and line.startswith(_MORE))
        if not inside or name in sets:
            kept.append(line + "\n")
    return digest_bytes("".join(kept).encode())


def _table(resource: Resource, system: System) -> str:
    """What the kernel has, against what it told when the rules that are on the disk were put in place."""
    listed = _listed(resource, system)
    if listed is None:
        return NONE
    note = _note(resource)
    told = system.read(note).decode() if system.stat(note) is not None else ""
    return AS_WISHED if told == _noted(resource, listed, told.split()[2:], system) else OTHER


def _noted(resource: Resource, listed: str, sets: Sequence[str], system: System) -> str:
    return " ".join((str(written.seen(paths(resource)[0], system)["file"]), digest_with(listed, sets), *sets)) + "\n"


def _try(resource: Resource, content: bytes, system: System) -> None:
    """Let nft check the whole, as it will be, before anything is written."""
    if system.stat(NFT) is None:
        raise TargetFailed(f"{resource.address} cannot be checked", why=f"there is no {NFT}", hint="declare before it: `package: nftables`")
    rules = f"{_TRIAL}/{resource.address.name}.rules"
    script = f"{_TRIAL}/{resource.address.name}.nft"
    place.make_folders(rules, system)
    for path, text in ((rules, content), (script, _script(resource, rules).encode())):
        system.write(path, text, attributes=Attributes(mode="0600"))
    ended = system.run(Command((NFT, "-c", "-f", script)))
    for path in (rules, script):
        system.remove(path)
    if ended.code != 0:
        lines = ended.stderr.strip().replace(f"{_TRIAL}/", "").splitlines()
        raise TargetFailed(
            f"nft does not accept the rules of {resource.address}", why="; ".join(lines[:3]), hint="the former table is still in place"
        )


def _load(resource: Resource, system: System) -> None:
    programs.run(system, NFT, "-f", paths(resource)[1])
    listed = _listed(resource, system) or ""
    note = _note(resource)
    place.make_folders(note, system)
    system.write(note, _noted(resource, listed, filled(listed), system).encode(), attributes=Attributes(mode="0600"))


def _drop(resource: Resource, system: System) -> None:
    if _listed(resource, system) is not None:
        programs.run(system, NFT, "delete", "table", *_called(resource))
