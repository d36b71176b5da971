"""The kind `git`: a repository checked out at a version."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Dict, List, Mapping, Optional, Tuple

from vitrify.core import below, place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.due import last_lines
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Attributes, Command, System

AS_WISHED, OTHER, UNKNOWN, NONE = "as wished", "other", "cannot be told", "none"
OURS = "refs/vitrify/wished"
"""What we fetched last. A commit that neither this nor a branch or tag of the origin leads to was made here."""
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_PASSWORD = re.compile(r"https?://[^/@]*:[^/@]*@")
ASKING, FETCHING = 60.0, 3600.0
"""Seconds: how long a question to the origin may take, and how long fetching."""


def _git_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = []
    for name in ("repo", "version"):
        text = str(values.get(name, "x"))
        if not text or text.startswith("-") or any(ord(character) <= 32 for character in text):
            found.append(Problem((name,), f"{text!r} cannot be the {name}"))
    if _PASSWORD.match(str(values["repo"])):
        found.append(Problem(("repo",), "a password in the address would be in every plan", "use a `key`, or the user's credential store"))
    if "key" in values and not _PLAIN_PATH.fullmatch(str(values["key"])):
        found.append(Problem(("key",), "the path of a key is handed to a shell by git", "name it without spaces and special characters"))
    depth = values.get("depth")
    if isinstance(depth, int) and depth < 1:
        found.append(Problem(("depth",), f"{depth} commits are no history"))
    return found


class Git(Kind):
    """A repository, checked out at a branch, a tag or a commit.

    HEAD is detached: a checkout is a version, not a place to work. What was changed or committed in it is never thrown away unless
    `force` says so; files that git does not know stay even then. The hooks of the checkout are not run. A plan asks the origin where
    a branch or tag is by now.
    """

    name = "git"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={
            "path": Field(Type.PATH, "the folder", required=True),
            "repo": Field(Type.TEXT, "where it comes from: what `git clone` takes", required=True),
            "version": Field(Type.TEXT, "a branch, a tag, a full reference or a whole commit id; the origin's HEAD where not given"),
            "update": Field(Type.BOOLEAN, "false: whatever is checked out already is as wished"),
            "depth": Field(Type.INTEGER, "so many commits of history are fetched; all where not given"),
            "submodules": Field(Type.BOOLEAN, "whether its submodules are checked out as well"),
            "force": Field(Type.BOOLEAN, "whether what was changed or committed in it is thrown away"),
            "user": Field(Type.NAME, "the user whom it belongs to, and as whom git runs; root where not given"),
            "key": Field(Type.PATH, "the private key, on the target, that SSH uses"),
            "accept_hostkey": Field(Type.BOOLEAN, "whether the key of an SSH server that is met for the first time is believed"),
            "parents": place.PARENTS,
        },
        rules=(_git_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The path."""
        return str(fields["path"])

    def desired(self, resource: Resource) -> Properties:
        """Origin and version; with `force` also that nothing was changed in it."""
        if resource.absent:
            return MISSING
        fields = resource.fields
        found: Dict[str, JSON] = {"type": "checkout", "repo": fields["repo"], "version": AS_WISHED}
        found.update({"local": NONE} if fields.get("force") is True else {})
        return {**found, "submodules": AS_WISHED} if fields.get("submodules") is True else found

    def observe(self, resource: Resource, system: System) -> Observation:
        """What is checked out, what was changed in it, and whether the origin has moved on."""
        path = str(resource.fields["path"])
        stat = system.stat(path)
        if stat is None or (stat.type == "directory" and not system.names(path)):
            return Observation(resource.address, MISSING)
        if stat.type != "directory" or system.stat(f"{path}/.git") is None:
            return Observation(resource.address, {"type": stat.type})
        try:
            return Observation(resource.address, _Checkout(resource, system).seen())
        except TargetFailed as error:
            return Observation(resource.address, {"type": "checkout", "version": UNKNOWN, "failed": str(error.diagnostics[0].summary)})

    def enact(self, change: Change, system: System) -> None:
        """Fetch and check out, or take the whole folder away; refused where something would be lost."""
        checkout = _Checkout(change.resource, system)
        if change.action is Action.REMOVE:
            checkout.remove()
            return
        checkout.begin()
        checkout.refuse_loss()
        checkout.check_out(checkout.fetched(str(change.after.get("commit") or change.resource.fields.get("version", "HEAD"))))

    def inverse(self, change: Change) -> Optional[Change]:
        """Back to the commit that was checked out before, or to nothing."""
        resource = replace(change.resource, absent=False)
        if change.before.get("type") not in ("checkout", MISSING["type"]):
            return None  # nothing was done: what is no checkout is left alone
        if change.before.get("type") == MISSING["type"]:
            return Change(resource, Action.REMOVE, before=change.after, after=MISSING)
        action = Action.CREATE if change.action is Action.REMOVE else Action.UPDATE
        return Change(resource, action, before=change.after, after=change.before)

    def undoable(self, change: Change) -> bool:
        """Unless it is not known what was checked out before, or `force` throws away what nobody else has."""
        lost = change.resource.fields.get("force") is True and change.before.get("local", NONE) != NONE
        return not lost and (change.before.get("type") != "checkout" or "commit" in change.before)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The folder."""
        return (str(resource.fields["path"]),)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the folders that hold it, its key and its user, and git itself where those are declared."""
        fields = resource.fields
        wanted = [Address("package", "git"), Address("user", str(fields.get("user", "root"))), Address("file", str(fields.get("key", "/")))]
        own = Address("directory", str(fields["path"]))
        found = [address for address in (*wanted, own) if address in others and not resource.absent]
        return (*place.after_folders(resource, str(fields["path"]), others), *found)

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """Git itself may be about to be installed."""
        package = Address("package", "git")
        return f"{package} provides git" if package in earlier and "failed" in change.before else ""

    def because(self, change: Change) -> Tuple[str, ...]:
        """What differs, and at once what stands against mending it."""
        before = change.before
        if before.get("type") not in ("checkout", MISSING["type"]):
            return ("something else is in its place: this will fail",)
        if "failed" in before:
            return (f"{before['failed']}: this will fail unless that is mended by then",)
        reasons = [reason for reason in change.because if not reason.startswith(("version ", "local "))]
        if before.get("version") == UNKNOWN:
            reasons.append("the origin cannot be asked: this will fail unless it can by then")
        elif before.get("version") == OTHER:
            reasons.append(f"{str(before.get('commit'))[:12]} is checked out, the origin has {str(before.get('wished'))[:12]}")
        if before.get("local", NONE) != NONE:
            forced = change.resource.fields.get("force") is True
            reasons.append(f"{before['local']} in it: {'will be thrown away' if forced else 'this will fail without `force`'}")
        return tuple(reasons)


class _Checkout:
    """One folder with git in it."""

    def __init__(self, resource: Resource, system: System) -> None:
        self._fields = resource.fields
        self._path = str(resource.fields["path"])
        self._system = system
        self._force = resource.fields.get("force") is True

    def seen(self) -> Properties:
        """Everything that a plan needs to know."""
        commit = self._try("rev-parse", "--verify", "-q", "HEAD")
        found: Dict[str, JSON] = {
            "type": "checkout",
            "repo": self._try("config", "--get", "remote.origin.url") or "",
            "local": self._local(),
        }
        if not commit:
            return {**found, "version": OTHER, "wished": ""}
        found["commit"] = commit
        wished = commit if self._fields.get("update") is False else self._asked()
        found["version"] = AS_WISHED if wished == commit else OTHER if wished else UNKNOWN
        found.update({"wished": wished} if wished and wished != commit else {})
        if self._fields.get("submodules") is True:
            states = {line[:1] for line in self._git("submodule", "status", "--recursive").splitlines()}
            found["submodules"] = AS_WISHED if states <= {" "} else OTHER
        return found

    def _asked(self) -> str:
        """The commit that the origin has for the version; "" where it does not answer, or has none."""
        try:
            return self._reference(str(self._fields.get("version", "HEAD")))[1]
        except TargetFailed:
            return ""

    def _reference(self, version: str) -> Tuple[str, str]:
        """What to fetch, and the commit that it is."""
        if _COMMIT.fullmatch(version):
            return version, version
        names = [f"refs/heads/{version}", f"refs/tags/{version}^{{}}", f"refs/tags/{version}", f"{version}^{{}}", version]
        told = self._run(("ls-remote", "--", str(self._fields["repo"]), *names), at="/", timeout=ASKING)
        known = {name: commit for commit, _, name in (line.partition("\t") for line in told.splitlines())}
        name = next((name for name in names if name in known), "")
        if not name:
            raise TargetFailed(
                f"{self._fields['repo']} has no version {version!r}",
                hint="a branch, a tag, or a whole commit id of 40 digits is understood",
            )
        return name.replace("^{}", ""), known[name]

    def begin(self) -> None:
        """An empty repository with the origin in it, where there is none yet. Continues what a killed run began."""
        self._make_folder()
        if self._system.stat(f"{self._path}/.git") is None:
            if self._system.names(self._path):
                raise TargetFailed(f"{self._path} is not empty", why="something that is no checkout is in it", hint="move its content away")
            self._run(("init", "-q", "--", self._path), at="/")
        origin = self._try("config", "--get", "remote.origin.url")
        if origin != self._fields["repo"]:
            self._git("remote", *(("set-url",) if origin is not None else ("add",)), "origin", str(self._fields["repo"]))

    def _make_folder(self) -> None:
        stat = self._system.stat(self._path)
        user = str(self._fields["user"]) if "user" in self._fields else None
        if stat is None:
            place.provide_parent(self._fields, self._path, self._system)
            self._system.make_directory(self._path, attributes=Attributes(owner=user))
        elif stat.type != "directory":
            raise TargetFailed(f"{self._path} is not a folder", why=f"it is a {stat.type}", hint="move it away")
        elif user is not None and stat.owner != user and not self._system.names(self._path):
            self._system.set_attributes(self._path, Attributes(owner=user))

    def fetched(self, version: str) -> str:
        """The commit to check out, fetched where it is not here already."""
        reference, commit = self._reference(version)
        if self._try("cat-file", "-e", f"{commit}^{{commit}}") is None:
            depth = (f"--depth={self._fields['depth']}",) if "depth" in self._fields else ()
            try:
                self._git("fetch", "-q", "--no-tags", "--force", *depth, "origin", f"+{reference}:{OURS}", timeout=FETCHING)
            except TargetFailed:
                if not _COMMIT.fullmatch(reference):
                    raise
                # Not every server gives out a commit by its id: then all it has is fetched.
                self._git("fetch", "-q", "--tags", "--force", "origin", "+refs/heads/*:refs/remotes/origin/*", timeout=FETCHING)
        return self._git("rev-parse", "--verify", f"{commit}^{{commit}}").strip()

    def refuse_loss(self) -> None:
        """Stop where something was changed or committed here, and nobody said that it may go."""
        local = self._local()
        if local != NONE and not self._force:
            raise TargetFailed(
                f"{self._path} is not changed: {local} in it", why="that would be lost", hint="take it elsewhere, or declare `force: true`"
            )

    def check_out(self, commit: str) -> None:
        """Put the files of this commit in place, and those of its submodules."""
        self._git("checkout", "-q", *(("--force",) if self._force else ()), "--detach", commit, "--", timeout=FETCHING)
        if self._force:
            self._git("reset", "-q", "--hard", commit, "--", timeout=FETCHING)
        self._git("update-ref", OURS, commit)
        if self._fields.get("submodules") is True:
            depth = ("--depth=1",) if "depth" in self._fields else ()
            force = ("--force",) if self._force else ()
            self._git("submodule", "sync", "-q", "--recursive")
            self._git("submodule", "update", "-q", "--init", "--recursive", *depth, *force, timeout=FETCHING)

    def remove(self) -> None:
        """Take the folder away with all that is in it; refused where something in it is not the origin's."""
        stat = self._system.stat(self._path)
        if stat is None:
            return
        names = self._system.names(self._path) if stat.type == "directory" else ()
        if stat.type != "directory" or (names and ".git" not in names):
            raise TargetFailed(
                f"{self._path} is not removed", why="something that is no checkout is in its place", hint="remove it yourself"
            )
        if names and not self._force:
            self.refuse_loss()
            strange = self._git("status", "--porcelain", "-z").split("\0")[0][3:]
            if strange:
                raise TargetFailed(f"{self._path} is not removed", why=f"{strange} is not of the origin", hint="take it elsewhere")
        below.remove_all(self._path, self._system)

    def _local(self) -> str:
        if self._git("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=untracked").strip():
            return "changes"
        if self._try("rev-parse", "--verify", "-q", "HEAD") is None:
            return NONE
        known = ("--not", "--remotes", "--tags", "--glob=refs/vitrify/*")
        return "commits" if self._git("rev-list", "--max-count=1", "HEAD", "--branches", *known).strip() else NONE

    def _git(self, *words: str, timeout: float = 600.0) -> str:
        return self._run(words, at=self._path, timeout=timeout)

    def _try(self, *words: str) -> Optional[str]:
        """What git answers; None where it says no."""
        ended = self._system.run(self._program(words, self._path, ASKING))
        return ended.stdout.strip() if ended.code == 0 else None

    def _run(self, words: Tuple[str, ...], *, at: str, timeout: float = 600.0) -> str:
        ended = self._system.run(self._program(words, at, timeout))
        if ended.code != 0:
            raise TargetFailed(
                f"git {words[0]} ended with {ended.code}", why=last_lines(ended), hint=f"the origin is {self._fields['repo']}"
            )
        return ended.stdout

    def _program(self, words: Tuple[str, ...], at: str, timeout: float) -> Command:
        # Hooks and a file monitor are programs that whoever writes to the checkout can plant: they would run as root.
        safe = ("-c", f"safe.directory={self._path}", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")
        ssh = ["ssh", "-o", "BatchMode=yes"]
        ssh += ["-i", str(self._fields["key"]), "-o", "IdentitiesOnly=yes"] if "key" in self._fields else []
        ssh += ["-o", "StrictHostKeyChecking=accept-new"] if self._fields.get("accept_hostkey") is True else []
        environment = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": " ".join(ssh), "GIT_CONFIG_NOSYSTEM": "1"}
        argv = ("git", *safe, *words)
        return Command(argv, cwd=at, environment=environment, user=str(self._fields.get("user", "")), timeout=timeout, umask="0022")
