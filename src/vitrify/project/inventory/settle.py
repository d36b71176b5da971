"""Turns what was gathered into groups of a declaration: addresses made, names that do not fit changed, the rest remarked upon."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vitrify.core.digest import JSON
from vitrify.core.report import Imported, ImportedGroup
from vitrify.project.inventory.gathered import ALL, UNGROUPED, Gathered

_REACHED = {
    "ansible_host": "host", "ansible_ssh_host": "host",
    "ansible_port": "port", "ansible_ssh_port": "port",
    "ansible_user": "user", "ansible_ssh_user": "user",
    "ansible_connection": "connection",
}  # fmt: skip
"""Variables that become part of an address."""

_BY_SSH = frozenset({"ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh"})
_LOCAL = frozenset({"local", "ansible.builtin.local"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_INSTEAD: Mapping[str, str] = {
    "ansible_ssh_private_key_file": "`IdentityFile` in your OpenSSH configuration says it",
    "ansible_ssh_common_args": "your OpenSSH configuration says it",
    "ansible_ssh_extra_args": "your OpenSSH configuration says it",
    "ansible_python_interpreter": "vitrify finds a Python by itself",
    "ansible_become": "who to become is no variable here",
}


def settle(found: Gathered) -> Imported:
    """The inventory as groups, variables and remarks."""
    return _Settling(found).imported()


@dataclass(frozen=True)
class _Settling:
    """One pass over an inventory."""

    found: Gathered

    def imported(self) -> Imported:
        """All of it."""
        names = self._names()
        hosts = {host: self._host(host, told) for host, told in self.found.told().items()}
        groups = tuple(self._group(name, called, names, hosts) for name, called in names.items())
        variables = self._kept(self.found.groups[ALL].variables, f"group {ALL}") if ALL in self.found.groups else {}
        return Imported(variables, groups, tuple(self.found.remarks))

    def _names(self) -> dict[str, str]:
        """Group -> what it is called in a declaration; `all` is the whole, and needs no group unless hosts are in it alone."""
        names: dict[str, str] = {}
        inner = {host for name, group in self.found.groups.items() if name not in (ALL, UNGROUPED) for host in group.hosts}
        for name, group in self.found.groups.items():
            lone = name in (ALL, UNGROUPED) and set(group.hosts) <= inner
            if lone:
                if name == UNGROUPED and group.variables:
                    self.found.remark("the variables of the group 'ungrouped', which is empty, are left out")
                continue
            called = name if _NAME.fullmatch(name) and name != "local" else self._called(name, names)
            names[name] = called
        return names

    def _called(self, name: str, taken: Mapping[str, str]) -> str:
        bare = re.sub(r"[^A-Za-z0-9_-]", "-", name)[:60]
        called = bare if _NAME.fullmatch(bare) and bare != "local" else f"g-{bare}"
        while called in taken.values() or called in self.found.groups:
            called += "-"
        self.found.remark(f"the group {name!r} is called `{called}` here: that is how names are written")
        return called

    def _group(self, name: str, called: str, names: Mapping[str, str], hosts: Mapping[str, tuple[str, JSON] | None]) -> ImportedGroup:
        group = self.found.groups[name]
        elsewhere = {host for other, found in self.found.groups.items() if other not in (ALL, UNGROUPED) for host in found.hosts}
        own = [one for one in group.hosts if name != UNGROUPED or one not in elsewhere]
        listed = tuple(host for host in (hosts[one] for one in own) if host is not None)
        inner = tuple(names[child] for child in group.children if child in names)
        for child in group.children:
            if child not in names:
                self.found.remark(f"the group {name!r} holds {child!r}, which has no place within another; that is left out")
        variables = {} if name == ALL else self._kept(group.variables, f"group {name}")
        return ImportedGroup(called, inner, tuple(self._once(listed)), variables)

    def _once(self, listed: tuple[tuple[str, JSON], ...]) -> Iterator[tuple[str, Mapping[str, JSON]]]:
        """Two names for one address are one host."""
        seen: dict[str, dict[str, JSON]] = {}
        for at, variables in listed:
            if at in seen:
                self.found.remark(f"two hosts are reached at {at}; their variables are put together")
            seen.setdefault(at, {}).update(variables if isinstance(variables, dict) else {})
        yield from seen.items()

    def _host(self, host: str, told: Mapping[str, JSON]) -> tuple[str, JSON] | None:
        """Its address and its own variables; None where it cannot be reached from here."""
        reached = {part: told[name] for name, part in _REACHED.items() if name in told}
        for part, value in reached.items():
            if "{{" in str(value):
                self.found.remark(f"the {part} of {host} is made of other variables ({value}); it is left out")
        reached = {part: value for part, value in reached.items() if "{{" not in str(value)}
        connection = str(reached.get("connection", "ssh"))
        if connection not in _BY_SSH | _LOCAL:
            self.found.remark(f"the host {host} is reached by {connection!r}, which vitrify cannot; it is left out")
            return None
        variables = self._kept(self.found.hosts.get(host, {}), f"host {host}")
        name = str(reached.get("host", host))
        at = "local" if connection in _LOCAL else _address(name, reached)
        return at, variables | ({"inventory_hostname": host} if name != host or at == "local" else {})

    def _kept(self, variables: Mapping[str, JSON], owner: str) -> dict[str, JSON]:
        """The variables that a declaration can hold."""
        found: dict[str, JSON] = {}
        for name, value in variables.items():
            refused = _refusal(name, value)
            if refused:
                self.found.remark(f"`{name}` of {owner} {refused}")
            elif name not in _REACHED:
                if any("{{" in text for text in _texts(value)):
                    self.found.remark(f"`{name}` of {owner} is a template to Ansible, and text here")
                found[name] = self._exact(value, f"`{name}` of {owner}")
        return found

    def _exact(self, value: JSON, what: str) -> JSON:
        """The value without numbers that have no one spelling."""
        if isinstance(value, list):
            return [self._exact(item, what) for item in value]
        if isinstance(value, dict):
            return {key: self._exact(item, what) for key, item in value.items()}
        if isinstance(value, float) or (isinstance(value, int) and len(str(value)) > 18):
            self.found.remark(f"{what} holds the number {value}, which is text here")
            return str(value)
        return value


def _refusal(name: str, value: JSON) -> str:
    """Why a variable has no place in a declaration; nothing where it has one, or is part of an address."""
    if name in _REACHED:
        return ""
    if name.startswith("ansible_"):
        become = _INSTEAD["ansible_become"] if name.startswith("ansible_become") else "it steers Ansible alone"
        return f"has no place in a declaration: {_INSTEAD.get(name, become)}"
    texts = list(_texts(value))
    if any(text.startswith("$ANSIBLE_VAULT;") for text in texts):
        return f"is closed by ansible-vault and is left out; declare a secret: `secrets: {{{name}: {{ansible_vault: {{…}}}}}}`"
    return "holds `${`, which a variable cannot; it is left out" if any("${" in text for text in texts) else ""


def _address(name: str, reached: Mapping[str, JSON]) -> str:
    host = f"[{name}]" if ":" in name else name
    user = f"{reached['user']}@" if reached.get("user") else ""
    port = f":{reached['port']}" if reached.get("port") else ""
    return f"ssh://{user}{host}{port}"


def _texts(value: JSON) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
