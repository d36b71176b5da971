"""The kind `venv`: a virtual environment of Python, and what is installed in it."""

from __future__ import annotations

import json
import re
from typing import Dict, List, Mapping, Optional, Tuple

from vitrify.core import below, due, place, supplies
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import ATTACHED, Attributes, Command, System, Target

PYTHON = "/usr/bin/python3"
_PLACES = ("index_url", "find_links")
AS_WISHED, SHOWN = "as wished", 3
INSTALLING = 3600.0
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*[^\x00-\x1f]*")

CHECK = b"""
import json, re, sys
from importlib import metadata
from pip._vendor.packaging.requirements import InvalidRequirement, Requirement
lacking = []
for line in json.load(sys.stdin):
    text = re.split(r"\\s--hash|\\s+#|\\s*;\\s*$", line.strip())[0].strip()
    try:
        wanted = Requirement(text)
    except InvalidRequirement:
        lacking.append(text)
        continue
    if wanted.marker is not None and not wanted.marker.evaluate():
        continue
    try:
        found = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        found = ""
    if not found or not (wanted.url or wanted.specifier.contains(found, prereleases=True)):
        lacking.append(wanted.name)
json.dump({"lacking": lacking, "python": "%d.%d" % sys.version_info[:2]}, sys.stdout)
"""
"""Runs in the environment: which of these requirements are not met there. Extras are not looked into."""


def _venv_rules(values: Mapping[str, JSON]) -> List[Problem]:
    packages = values.get("packages")
    named = enumerate(packages) if isinstance(packages, list) else ()
    found = [
        Problem(("packages", str(index)), f"{name!r} is not a requirement", "as in `gunicorn==21.2.0`")
        for index, name in named
        if not _PACKAGE.fullmatch(str(name))
    ]
    if values.get("no_index") is True and "index_url" in values:
        found.append(Problem(("index_url",), "`index_url` has no meaning beside `no_index`"))
    if "@" in str(values.get("index_url", "")):
        found.append(Problem(("index_url",), "a password in the address would be in every plan", "use the user's pip.conf or .netrc"))
    return found


class Venv(Kind):
    """A virtual environment of Python.

    Packages and the lines of a requirements file are installed where they are not met by what is there; nothing else in it is touched.
    It is made anew where its interpreter does not start any more, or is another version than the one it is made with by now. Hashes
    in a requirements file are checked by pip as it installs. Into an image come wheels alone, those that
    `vitrify.lock` pins, each by its hash.
    """

    name = "venv"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    chooses = True
    schema = Schema(
        fields={
            "path": Field(Type.PATH, "the folder", required=True),
            "python": Field(Type.PATH, f"the interpreter that it is made with; {PYTHON} where not given"),
            "packages": Field(Type.TEXTS, "requirements, as in `gunicorn==21.2.0`"),
            "requirements": Field(Type.PATH, "a requirements file on the target, of plain requirements, with hashes as you like"),
            "wheels_only": Field(Type.BOOLEAN, "whether nothing is built on the target"),
            "index_url": Field(Type.TEXT, "where packages come from; what the target's pip says where not given"),
            "no_index": Field(Type.BOOLEAN, "whether packages come from `find_links` alone"),
            "find_links": Field(Type.PATH, "a folder on the target that holds packages"),
            "system_site_packages": Field(Type.BOOLEAN, "whether it sees what is installed outside of it"),
            "user": Field(Type.NAME, "the user whom it belongs to, and as whom pip runs; root where not given"),
            "parents": place.PARENTS,
        },
        rules=(_venv_rules,),
    )
    short = "path"

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The path."""
        return str(fields["path"])

    def desired(self, resource: Resource) -> Properties:
        """That it starts, and that everything declared is installed."""
        return MISSING if resource.absent else {"type": "venv", "python": AS_WISHED, "packages": AS_WISHED}

    def observe(self, resource: Resource, system: System) -> Observation:
        """Whether its interpreter starts, and which requirements it does not meet."""
        path = str(resource.fields["path"])
        stat = system.stat(path)
        if stat is None or (stat.type == "directory" and not system.names(path)):
            return Observation(resource.address, MISSING)
        if stat.type != "directory" or system.stat(f"{path}/pyvenv.cfg") is None:
            return Observation(resource.address, {"type": stat.type})
        if resource.absent:
            return Observation(resource.address, {"type": "venv"})
        return Observation(resource.address, {"type": "venv", **_Environment(resource, system).seen()})

    def enact(self, change: Change, system: System) -> None:
        """Make it where it is missing or broken, and install what is not met."""
        path = str(change.resource.fields["path"])
        seen = self.observe(change.resource, system).properties
        if seen["type"] not in ("venv", MISSING["type"]):
            raise TargetFailed(f"{path} is no virtual environment", why="something else is in its place", hint="move it away")
        if change.action is Action.REMOVE:
            below.remove_all(path, system)
            return
        environment = _Environment(change.resource, system)
        if seen.get("python") != AS_WISHED:
            environment.make(again=seen["type"] == "venv")
        if environment.seen()["packages"] != AS_WISHED:
            environment.install()

    def inverse(self, change: Change) -> Optional[Change]:
        """One that was made is taken away."""
        made = change.action is Action.CREATE
        return Change(change.resource, Action.REMOVE, before=change.after, after=MISSING) if made else None

    def undoable(self, change: Change) -> bool:
        """Only of one that was made: which versions were there before is not known well enough."""
        return change.action is Action.CREATE

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The folder."""
        return (str(resource.fields["path"]),)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the folders that hold it, its requirements, its user, and Python's own package."""
        fields = resource.fields
        wanted = [
            Address("package", "python3-venv"),
            Address("file", str(fields.get("requirements"))),
            Address("user", str(fields.get("user"))),
        ]
        links = str(fields.get("find_links"))
        wanted += [Address(kind, links) for kind in (*place.FOLDERS, "archive")]
        found = [address for address in wanted if address in others and not resource.absent]
        return (*place.after_folders(resource, str(fields["path"]), others), *found)

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """What makes environments may be about to be installed."""
        package = Address("package", "python3-venv")
        return f"{package} provides it" if package in earlier and change.action is Action.CREATE else ""

    def because(self, change: Change) -> Tuple[str, ...]:
        """Names the first few requirements that are not met."""
        if change.before.get("type") not in ("venv", MISSING["type"]):
            return ("something else is in its place: this will fail",)
        lacking = change.before.get("lacking")
        told = [reason for reason in change.because if not reason.startswith("packages ")]
        if isinstance(lacking, list) and lacking:
            shown = ", ".join(str(name) for name in lacking[:SHOWN]) + (", …" if len(lacking) > SHOWN else "")
            told.append(f"{len(lacking)} not met: {shown}")
        return tuple(told)


class _Environment:
    """One environment on a target."""

    def __init__(self, resource: Resource, system: System) -> None:
        self._fields, self._system = resource.fields, system
        self._path = str(resource.fields["path"])

    def seen(self) -> Dict[str, JSON]:
        """Whether the interpreter starts, and what is not met."""
        wanted = self._wanted()
        if wanted is None:
            return {"python": AS_WISHED, "packages": "cannot be told", "lacking": [str(self._fields["requirements"])]}
        try:
            checked = self._run((f"{self._path}/bin/python", "-I", ATTACHED), attached=CHECK, stdin=json.dumps(wanted).encode())
            made_with = self._run((self._python(), "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")).strip()
            told = json.loads(checked)
        except (TargetFailed, ValueError):
            return {"python": "broken", "packages": "cannot be told"}
        lacking: List[JSON] = list(told["lacking"])
        python = AS_WISHED if told["python"] == made_with else told["python"]
        return {"python": python, "packages": "lacking" if lacking else AS_WISHED, **({"lacking": lacking} if lacking else {})}

    def _python(self) -> str:
        return str(self._fields.get("python", PYTHON))

    def _packages(self) -> List[str]:
        packages = self._fields.get("packages")
        return [str(name) for name in packages] if isinstance(packages, list) else []

    def _wanted(self) -> Optional[List[str]]:
        """Every requirement, one a line; None where the requirements file is not there yet."""
        if "requirements" not in self._fields:
            return self._packages()
        path = str(self._fields["requirements"])
        stat = self._system.stat(path)
        if stat is None or stat.type != "file":
            return None
        text = self._system.read(path).decode("utf-8", "replace").replace("\\\n", " ")
        lines = [line.strip() for line in text.splitlines()]
        return [*self._packages(), *(line for line in lines if line and line[0] not in "#-")]

    def make(self, *, again: bool) -> None:
        """An empty environment; one that is broken is emptied first."""
        user = str(self._fields["user"]) if "user" in self._fields else None
        if self._system.stat(self._path) is None:
            place.provide_parent(self._fields, self._path, self._system)
            self._system.make_directory(self._path, attributes=Attributes(owner=user))
        elif user is not None and not again:
            self._system.set_attributes(self._path, Attributes(owner=user))
        options = [
            *(["--clear"] if again else []),
            *(["--system-site-packages"] if self._fields.get("system_site_packages") is True else []),
        ]
        self._run((self._python(), "-I", "-m", "venv", *options, "--", self._path))

    def install(self) -> None:
        """Let pip install what is not met."""
        if self._wanted() is None:
            raise TargetFailed(f"{self._fields['requirements']} does not exist", hint="declare the `file` before")
        if supplies.pinned(self._system) or supplies.choosing(self._system):
            self._install_pinned()
            return
        fields = self._fields
        words = ["--only-binary=:all:"] if fields.get("wheels_only") is True else []
        words += ["--no-index"] if fields.get("no_index") is True else []
        words += [f"--{name.replace('_', '-')}={fields[name]}" for name in _PLACES if name in fields]
        words += ["--no-compile"] if self._system.target is Target.IMAGE else []
        words += [f"--requirement={fields['requirements']}"] if "requirements" in fields else []
        self._run(self._pip("install", *words, "--", *self._packages()))

    def _install_pinned(self) -> None:
        """Into an image: wheels alone, each by its hash. While they are chosen they are fetched; else only those of the lock can be had."""
        chosen, requirements = f"{supplies.FOLDER}/venv{self._path}", f"{supplies.FOLDER}/venv{self._path}.txt"
        supplies.make_folder(chosen, self._system)
        try:
            self._run(self._pip("download", "--only-binary=:all:", f"--dest={chosen}", *self._sources(), *self._named()))
        except TargetFailed as error:
            if not supplies.pinned(self._system):
                raise
            raise supplies.not_pinned(f"the packages of {self._path}", why=error.diagnostics[0].why) from error
        wheels = self._system.names(chosen)
        lines = [f"{chosen}/{name} --hash={self._hash(f'{chosen}/{name}')}\n" for name in wheels]
        if supplies.choosing(self._system):
            for name in wheels:
                content = self._system.read(f"{chosen}/{name}")
                self._system.write(f"{supplies.WHEELS}/{name}", content, attributes=Attributes(mode="0644"))
        self._system.write(requirements, "".join(lines).encode(), attributes=Attributes(mode="0644"))
        exactly = ("--no-index", "--no-deps", "--require-hashes", "--no-compile", f"--requirement={requirements}")
        self._run(self._pip("install", *exactly))

    def _hash(self, wheel: str) -> str:
        """As pip writes it. What was laid out for the bake was held against the lock before."""
        return self._system.digest(wheel, keyed=False)

    def _sources(self) -> Tuple[str, ...]:
        """Where wheels are looked for."""
        if supplies.pinned(self._system):
            return ("--no-index", "-f", supplies.WHEELS)
        preferred = (f"--constraint={supplies.PREFERRED}",) if self._system.stat(supplies.PREFERRED) is not None else ()
        declared = ("--no-index",) if self._fields.get("no_index") is True else ()
        return (*preferred, *declared, *(f"--{name.replace('_', '-')}={self._fields[name]}" for name in _PLACES if name in self._fields))

    def _named(self) -> Tuple[str, ...]:
        more = (f"--requirement={self._fields['requirements']}",) if "requirements" in self._fields else ()
        return (*more, "--", *self._packages())

    def _pip(self, verb: str, *words: str) -> Tuple[str, ...]:
        quiet = ("-q", "--no-input", "--no-cache-dir", "--disable-pip-version-check")
        return (f"{self._path}/bin/python", "-I", "-m", "pip", verb, *quiet, *words)

    def _run(self, argv: Tuple[str, ...], *, attached: Optional[bytes] = None, stdin: bytes = b"") -> str:
        # What is compiled holds the time: an image would differ from one bake to the next.
        environment = {"PYTHONDONTWRITEBYTECODE": "1"} if self._system.target is Target.IMAGE or attached else {}
        if supplies.choosing(self._system):
            environment["PIP_CONFIG_FILE"] = supplies.PIP
        user = str(self._fields.get("user", ""))
        ended = self._system.run(Command(argv, environment=environment, user=user, timeout=INSTALLING, attached=attached, stdin=stdin))
        if ended.code != 0:
            called = "pip install" if "pip" in argv else "python -m venv" if "venv" in argv else argv[0]
            raise TargetFailed(f"{called} ended with {ended.code}", why=due.last_lines(ended))
        return ended.stdout
