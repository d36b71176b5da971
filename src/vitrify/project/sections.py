"""Reads the top-level sections of a declaration: secrets, profiles, routers, variables."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from vitrify.core.declaration import Router, Ssh
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.resource import Kinds
from vitrify.core.schema import near
from vitrify.project.compile import COMMON
from vitrify.project.envelope import ParameterPart, ProfilePart, SecretPart, SshPart
from vitrify.project.expand import Parameter, Profile
from vitrify.project.node import Entry, Node, spoken, walk
from vitrify.project.part import read
from vitrify.project.problems import Problems
from vitrify.project.secrets import DeclaredSecrets, reference
from vitrify.project.serving import RouterPart
from vitrify.project.settings import router
from vitrify.project.sources import Age, Environment, File, Program, Sops, Source, Vault
from vitrify.project.variables import Scope, fill

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")


def named(section: Node | None, what: str, problems: Problems) -> Iterator[tuple[str, Entry]]:
    """The entries of a section whose keys are names; a key that is none is noted."""
    for name, entry in (section.entries if section else {}).items():
        if _NAME.fullmatch(name):
            yield name, entry
        else:
            hint = "letters, digits, `_` and `-`, beginning with a letter"
            problems.add(f"{name!r} cannot be the name of a {what}", entry.at, hint=hint)


def secrets(root: Node, problems: Problems) -> Mapping[str, Source]:
    """Where each secret comes from."""
    found: dict[str, Source] = {}
    for name, (at, node) in named(root.get("secrets"), "secret", problems):
        part = read(SecretPart, node, owner=at, problems=problems)
        if part:
            found[name] = _source(part)
    return found


def _source(part: SecretPart) -> Source:
    if part.exec:
        return Program(tuple(part.exec))
    if part.age:
        return Age(part.age.file, part.age.identity or "", part.age.passphrase or "")
    if part.sops:
        return Sops(part.sops.file, part.sops.key or "")
    if part.ansible_vault:
        return Vault(part.ansible_vault.file, part.ansible_vault.password, part.ansible_vault.key or "")
    return Environment(part.env) if part.env else File(part.file or "")


def ssh(root: Node, scope: Scope, secrets: DeclaredSecrets, problems: Problems) -> Ssh:
    """How hosts are reached by SSH; a configuration that is not there, or a secret that cannot be had, is noted."""
    entry = root.entries.get("ssh")
    if entry is None:
        return Ssh()
    node = fill(entry.node, scope, problems)
    part = read(SshPart, node, owner=entry.at, problems=problems)
    if part is None:
        return Ssh()
    config = os.path.normpath(secrets.folder / Path(part.config).expanduser()) if part.config else ""
    if config and not Path(config).is_file():
        problems.add(
            f"there is no file `{part.config}`", walk(node, ("config",)), hint="a path beside this declaration, or an absolute one"
        )
    password = ""
    if part.sudo_password:
        try:
            password = secrets.resolve(reference(part.sudo_password) or "")
        except VitrifyError as error:
            first = error.diagnostics[0]
            problems.add(first.summary, walk(node, ("sudo_password",)), why=first.why, hint=first.hint)
    return Ssh(config, password)


def routers(root: Node, scope: Scope, folder: Path, problems: Problems) -> Mapping[str, Router | None]:
    """The routers by name; None for one that something is wrong with."""
    found: dict[str, Router | None] = {}
    listening: dict[str, str] = {}
    for name, (at, node) in named(root.get("routers"), "router", problems):
        part = read(RouterPart, fill(node, scope, problems), owner=at, problems=problems)
        found[name] = router(name, part, node, folder, problems) if part else None
        if part and listening.setdefault(part.listen, name) != name:
            hint = f"the router `{listening[part.listen]}` does"
            problems.add(f"another router listens on {part.listen} already", node.entries["listen"].node.at, hint=hint)
    return found


def profiles(root: Node, kinds: Kinds, problems: Problems) -> Mapping[str, Profile]:
    """The profiles by name, used or not; what can be checked without their parameters is."""
    found: dict[str, Profile] = {}
    for name, (at, node) in named(root.get("profiles"), "profile", problems):
        part = read(ProfilePart, node, owner=at, problems=problems)
        resources = node.get("resources") or Node((), node.at)
        _outline(resources, kinds, problems)
        parameters = _parameters(node.get("parameters"), problems)
        found[name] = Profile(at, parameters if part else None, resources)
    return found


def _parameters(section: Node | None, problems: Problems) -> Mapping[str, Parameter] | None:
    found: dict[str, Parameter | None] = {}
    for name, (at, node) in named(section, "parameter", problems):
        found[name] = _parameter(name, Entry(at, node), problems)
    sound = {name: parameter for name, parameter in found.items() if parameter}
    return sound if len(sound) == len(section.entries if section else {}) else None


def _parameter(name: str, entry: Entry, problems: Problems) -> Parameter | None:
    part = read(ParameterPart, entry.node, owner=entry.at, problems=problems)
    if part is None:
        return None
    default, choices = entry.node.get("default"), entry.node.get("choices")
    parameter = Parameter(part.type, default, required=part.required is not False, choices=choices.items if choices else ())
    wrong = [choice for choice in parameter.choices if not parameter.fits(choice)]
    for choice in wrong:
        problems.add(f"a choice of `{name}` is {parameter.expected}, not {spoken(choice)}", choice.at)
    if default and not parameter.fits(default):
        problems.add(f"the default of `{name}` is {parameter.expected}, not {spoken(default)}", default.at)
        return None
    if default and not wrong and not parameter.allows(default):
        problems.add(f"the default of `{name}` is not one of {parameter.offered}", default.at)
        return None
    return None if wrong else parameter


def _outline(resources: Node, kinds: Kinds, problems: Problems) -> None:
    """Note unknown kinds and fields, so that a profile that no server uses is not wrong in silence."""
    for item in resources.items:
        for name, (at, node) in item.entries.items():
            if name not in kinds and name != "use":
                known = [*kinds.names(), "use"]
                problems.add(f"there is no kind `{name}`", at, hint=near(name, known) or f"kinds: {', '.join(known)}")
            elif name in kinds:
                _fields(node, [*kinds[name].schema.fields, *COMMON], problems)


def _fields(node: Node, known: list[str], problems: Problems) -> None:
    for name, entry in node.entries.items():
        if name not in known:
            hint = near(name, known) or f"fields: {', '.join(sorted(known))}"
            problems.add(f"there is no field `{name}`", entry.at, hint=hint)
