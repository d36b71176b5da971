"""The kind `repository`: where apt or dnf takes packages from, and the key that signs them."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from vitrify.core import apt, dnf, place, rpmrepo
from vitrify.core.diagnostic import TargetFailed, VitrifyError
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON, digest_bytes
from vitrify.core.packaging import run
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Attributes, Stat, System

SOURCES = "/etc/apt/sources.list.d"
KEYS = "/etc/apt/keyrings"
OWED = "/run/vitrify/lists"
"""Holds one empty file for each repository whose lists are still those of before."""
ARMOUR = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_DIGEST = re.compile(r"(sha256:)?[0-9a-f]{64}")
_LISTS = (("types", "Types"), ("uris", "URIs"), ("suites", "Suites"), ("components", "Components"), ("architectures", "Architectures"))


def _rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = []
    if not _NAME.fullmatch(str(values["name"])):
        found.append(Problem(("name",), "the name of a repository is that of a file", "letters, digits, and . _ - inside"))
    for name, _ in _LISTS:
        words = values.get(name)
        wrong = [word for word in words if not word or re.search(r"\s", str(word))] if isinstance(words, list) else []
        found += [Problem((name,), f"{word!r} is not one word") for word in wrong]
    exact = all(str(suite).endswith("/") for suite in _words(values, "suites"))
    found += _rpm_rules(values) if rpmrepo.is_rpm(values) or "rpm" in _words(values, "types") else []
    if "types" in values and "suites" not in values and not rpmrepo.is_rpm(values):
        found.append(Problem((), "`suites` is missing", "as in bookworm; only a repository of rpm packages has none"))
    if "suites" in values and "components" not in values and not exact:
        found.append(Problem((), "`components` is missing", "`components: [main]`; only a suite that ends with / has none"))
    if ("key_url" in values) is not ("key_digest" in values):
        found.append(Problem((), "`key_url` and `key_digest` belong together", "`sha256sum` of the key gives its digest"))
    if "key_digest" in values and not _DIGEST.fullmatch(str(values["key_digest"])):
        found.append(Problem(("key_digest",), f"{values['key_digest']!r} is not a SHA-256 digest", "64 hexadecimal digits"))
    if "key" in values and not str(values["key"]).strip().startswith(ARMOUR.decode()):
        found.append(Problem(("key",), "this is no key in ASCII armour", f"it begins with {ARMOUR.decode()}"))
    return found


def _rpm_rules(values: Mapping[str, JSON]) -> List[Problem]:
    if not rpmrepo.is_rpm(values):
        return [Problem(("types",), "a repository holds rpm packages or Debian's, not both", "`types: [rpm]`")]
    wrong = [name for name in ("suites", "components", "architectures") if name in values]
    return [Problem((name,), "a repository of rpm packages has none") for name in wrong]


class Repository(Kind):
    """A repository of packages, written as `/etc/apt/sources.list.d/NAME.sources` with a keyring of its own.

    With `types: [rpm]` it is written as `/etc/yum.repos.d/NAME.repo` for dnf, its key lies in `/etc/pki/rpm-gpg` and is imported into
    rpm, and every package must be signed. rpm knows one keyring alone: such a key is trusted for all repositories, and stays once the
    repository goes.

    What the key in `/etc/apt/keyrings/NAME.asc` signs is trusted for this repository alone. Once something changed, the lists of
    this repository are renewed, once; packages come after it. Without a key it is trusted if a key of the target signs it.
    """

    name = "repository"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={
            "name": Field(Type.TEXT, "its name, and that of its files", required=True),
            "uris": Field(Type.TEXTS, "the addresses that it is had from"),
            "suites": Field(
                Type.TEXTS,
                "the suites, as in bookworm; one that ends with / is a folder, and has no components; of rpm packages there are none",
            ),
            "components": Field(Type.TEXTS, "the components, as in main"),
            "types": Field(Type.TEXTS, "deb, deb-src or both, or rpm; deb where not given"),
            "architectures": Field(Type.TEXTS, "the architectures; those of the target where not given"),
            "key": Field(Type.TEXT, "the public key that signs it, in ASCII armour"),
            "key_source": Field(Type.TEXT, "a file in the project that holds the key, armoured or not", control=True),
            "key_content": Field(Type.TEXT, "digest of the armoured key", resolved=True),
            "key_url": Field(Type.TEXT, "where the target takes the armoured key from"),
            "key_digest": Field(Type.TEXT, "the SHA-256 digest that the key from `key_url` must have"),
            "enabled": Field(Type.BOOLEAN, "whether it is used; it is where not given"),
        },
        one_of=(("key", "key_source", "key_url"),),
        needs_one_of=(("uris",), ("suites", "types")),
        rules=(_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """Its name."""
        return str(fields["name"])

    def desired(self, resource: Resource) -> Properties:
        """Both files as declared, and lists that are of these."""
        if resource.absent:
            return MISSING
        found: Dict[str, JSON] = {"type": "repository", "sources": digest_bytes(sources_text(resource).encode()), "mode": "0644"}
        return {**found, "key": _key_digest(resource), "lists": "current"}

    def observe(self, resource: Resource, system: System) -> Observation:
        """Both files, and whether the lists are still owed."""
        sources, key = _paths(resource)
        stat, at_key = system.stat(sources), system.stat(key)
        if stat is None and at_key is None:
            return Observation(resource.address, MISSING)
        found: Dict[str, JSON] = {"type": "repository", "sources": _digest(sources, stat, system), "key": _digest(key, at_key, system)}
        found["lists"] = "owed" if system.stat(_owed(resource)) is not None else "current"
        found.update({"mode": stat.mode} if stat is not None else {})
        return Observation(resource.address, found, place.body(sources, stat, system) if stat else None)

    def enact(self, change: Change, system: System) -> None:
        """Write key and sources, and renew the lists of this repository; what was begun is owed until that is done."""
        resource = change.resource
        sources, key = _paths(resource)
        if change.action is Action.REMOVE:
            for path in (sources, key, _owed(resource)):
                system.remove(path)
            return
        _owe(resource, system)
        for path in (sources,) if _key_digest(resource) == "none" else (sources, key):
            _make_folders(path, system)
        _write_key(resource, key, system)
        system.write(sources, sources_text(resource).encode(), attributes=Attributes(mode="0644"))
        if resource.fields.get("enabled") is not False:
            _renew(resource, system)
        system.remove(_owed(resource))

    def settle(self, resource: Resource, system: System) -> None:
        """After an undo: the lists of the sources that are there again; where they cannot be had that stays owed."""
        program = dnf.PROGRAM if rpmrepo.is_rpm(resource.fields) else apt.PROGRAM
        if system.stat(_paths(resource)[0]) is None or system.stat(program) is None:
            return
        _owe(resource, system)
        with suppress(TargetFailed):
            _renew(resource, system)
            system.remove(_owed(resource))

    def affected(self, change: Change) -> Tuple[str, ...]:
        """Both files, and the folders that hold them."""
        paths = _paths(change.resource)
        return (*sorted({folder for path in paths for folder in place.ancestors(path)}), *paths)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The file of sources, and that of the key where there is one."""
        sources, key = _paths(resource)
        return (sources, key) if _key_digest(resource) != "none" else (sources,)

    def leads(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """All packages that are to be there: any may come from it."""
        return () if resource.absent else tuple(one for one, other in others.items() if one.kind == "package" and not other.absent)

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a repository."""
        words = {
            "sources differs": "its sources differ",
            "key differs": "its key differs",
            "lists owed -> current": "its lists were not renewed",
        }
        return tuple(words.get(reason, reason) for reason in change.because)

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """The file of sources."""
        return "" if resource.absent else sources_text(resource)


def sources_text(resource: Resource) -> str:
    """The file of sources, in the format deb822; of rpm packages, in that of dnf."""
    if rpmrepo.is_rpm(resource.fields):
        enabled, keyed = resource.fields.get("enabled") is not False, _key_digest(resource) != "none"
        return rpmrepo.text(str(resource.fields["name"]), _words(resource.fields, "uris"), keyed=keyed, enabled=enabled)
    fields: Dict[str, JSON] = {"types": ["deb"], **resource.fields}
    lines = [f"{title}: {' '.join(_words(fields, name))}" for name, title in _LISTS if name in fields]
    if _key_digest(resource) != "none":
        lines.append(f"Signed-By: {_paths(resource)[1]}")
    if fields.get("enabled") is False:
        lines.append("Enabled: no")
    return "\n".join([*lines, ""])


def _words(fields: Mapping[str, JSON], name: str) -> Sequence[str]:
    words = fields.get(name)
    return [str(word) for word in words] if isinstance(words, list) else []


def _renew(resource: Resource, system: System) -> None:
    """Have the package manager that is there read this repository, and trust its key."""
    sources, key = _paths(resource)
    if not rpmrepo.is_rpm(resource.fields):
        if system.stat(apt.PROGRAM) is not None:
            apt.update(system, sources=sources)
    elif rpmrepo.spoken(system):
        if _key_digest(resource) != "none":
            rpmrepo.trust(key, system)
        dnf.update(system, repository=str(resource.fields["name"]))


def _paths(resource: Resource) -> Tuple[str, str]:
    name = resource.fields["name"]
    if rpmrepo.is_rpm(resource.fields):
        return rpmrepo.paths(str(name))
    return f"{SOURCES}/{name}.sources", f"{KEYS}/{name}.asc"


def _owed(resource: Resource) -> str:
    return f"{OWED}/{resource.fields['name']}"


def _owe(resource: Resource, system: System) -> None:
    _make_folders(_owed(resource), system)
    system.write(_owed(resource), b"", attributes=Attributes(mode="0600"))


def _key_digest(resource: Resource) -> str:
    fields = resource.fields
    if "key" in fields:
        return digest_bytes(_armoured(str(fields["key"])))
    told = str(fields.get("key_content", fields.get("key_digest", "none")))
    return told if told == "none" or told.startswith("sha256:") else f"sha256:{told}"


def _armoured(text: str) -> bytes:
    return f"{text.strip()}\n".encode()


def _digest(path: str, stat: Optional[Stat], system: System) -> str:
    if stat is None:
        return "none"
    return system.digest(path, keyed=False) if stat.type == "file" else stat.type


def _write_key(resource: Resource, path: str, system: System) -> None:
    fields, wished = resource.fields, _key_digest(resource)
    if wished == "none":
        system.remove(path)
    elif _digest(path, system.stat(path), system) == wished:
        system.set_attributes(path, Attributes(mode="0644"))
    elif "key_url" in fields and rpmrepo.is_rpm(fields):
        content = rpmrepo.fetched(str(fields["key_url"]), system)
        if digest_bytes(content) != wished:
            raise TargetFailed("the key of the repository is another one", why=f"{fields['key_url']} holds {digest_bytes(content)}")
        system.write(path, content, attributes=Attributes(mode="0644"))
    elif "key_url" in fields:
        _fetch_key(str(fields["key_url"]), wished, path, system)
    else:
        content = _armoured(str(fields["key"])) if "key" in fields else system.blob(wished)
        system.write(path, content, attributes=Attributes(mode="0644"))


def _fetch_key(url: str, wished: str, path: str, system: System) -> None:
    """By apt's own means, which check the digest before the file is put in place."""
    part = f"{path}.part"
    address = re.sub("^file:", "copy:", url)  # of a file, apt would make a link
    try:
        done = run(
            system, (apt.HELPER, "-o", "APT::Sandbox::User=root", "download-file", address, part, wished.replace("sha256:", "SHA256:"))
        )
        if done.code != 0:
            raise apt.failed(("download-file", url), done)
        content = system.read(part)
    except VitrifyError as error:
        raise TargetFailed(
            f"the key of the repository cannot be had from {url}",
            why=error.diagnostics[0].why or error.diagnostics[0].summary,
            hint="compare `key_digest` with the key that is there now, or take the key into the project: `key_source`",
        ) from error
    finally:
        system.remove(part)
    if not content.lstrip().startswith(ARMOUR):
        raise TargetFailed(
            f"the key at {url} is not in ASCII armour", why="apt tells keys by the names of their files", hint="use `key_source`"
        )
    system.write(path, content, attributes=Attributes(mode="0644"))


def _make_folders(path: str, system: System) -> None:
    for folder in place.ancestors(path):
        if system.stat(folder) is None:
            system.make_directory(folder, attributes=Attributes(mode="0700" if folder == OWED else "0755"))
