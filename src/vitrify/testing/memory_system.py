"""A target in memory: does what a real one does, remembers every act, and fails where it is told to."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import IO

from vitrify.core import place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSONObject, digest_bytes, keyed_digest
from vitrify.core.system import Attributes, Command, Completed, Content, Fetch, Question, Stat, Target

MOST_LINKS = 40


@dataclass(frozen=True)
class Node:
    """One directory entry: `type` is file, directory or link; `content` is a file's, `to` a link's."""

    type: str
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"
    content: bytes = b""
    to: str = ""
    mtime_ns: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Act:
    """One thing that was done: write, make_directory, make_link, set_attributes, remove, run, ask; `subject` is what it was done to."""

    verb: str
    subject: str


Program = Callable[["MemorySystem", Command], Completed]
"""Stands for a program: gets the system it runs in and how it was called."""

_ROOT = Node("directory", mode="0755")


class MemorySystem:
    """`vitrify.core.system.System` without a disk. Deterministic: time is the number of acts so far."""

    def __init__(
        self,
        *,
        target: Target = Target.FOLDER,
        blobs: Mapping[str, bytes] | None = None,
        key: bytes = b"a key for tests",
        programs: Mapping[str, Program] | None = None,
        failing: Mapping[str, str] | None = None,
    ) -> None:
        self._target = target
        self._blobs = dict(blobs or {})
        self._key = key
        self._programs = dict(programs or {})
        self._failing = dict(failing or {})
        self.nodes: dict[str, Node] = {"/": _ROOT}
        self.acts: list[Act] = []
        self.served: dict[str, bytes] = {}
        self.answers: set[str] = set()

    @property
    def target(self) -> Target:
        """What it was made as."""
        return self._target

    def put(self, path: str, node: Node) -> None:
        """Arrange an entry, and the folders above it, as if they had always been there."""
        for folder in place.ancestors(path):
            self.nodes.setdefault(folder, _ROOT)
        self.nodes[path] = node

    def supply(self, content: bytes, *, secret: bool = False) -> str:
        """Let the control machine have this content; returns the digest it is asked for by."""
        digest = keyed_digest(content, key=self._key) if secret else digest_bytes(content)
        self._blobs[digest] = content
        return digest

    def fail_at(self, path: str, reason: str) -> None:
        """From now on every act on this path fails with this reason."""
        self._failing[path] = reason

    def tree(self) -> dict[str, Node]:
        """Everything there is, by path; equal trees are equal values."""
        return dict(sorted(self.nodes.items()))

    def stat(self, path: str) -> Stat | None:
        """See `System`."""
        node = self._node(path)
        if node is None:
            return None
        size = len(node.to.encode()) if node.type == "link" else len(node.content)
        return Stat(node.type, node.mode, node.owner, node.group, size, node.mtime_ns, node.to)

    def read(self, path: str) -> bytes:
        """See `System`."""
        node = self._node(path)
        if node is None or node.type != "file":
            raise TargetFailed(f"{path} cannot be read", why="it does not exist" if node is None else f"it is a {node.type}")
        return node.content

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        """See `System`."""
        yield io.BytesIO(self.read(path))

    def digest(self, path: str, *, keyed: bool) -> str:
        """See `System`."""
        content = self.read(path)
        return keyed_digest(content, key=self._key) if keyed else digest_bytes(content)

    def keyed(self, content: bytes) -> str:
        """See `System`."""
        return keyed_digest(content, key=self._key)

    def names(self, path: str) -> tuple[str, ...]:
        """See `System`."""
        place_of = self._place(path)
        node = self.nodes.get(place_of) if place_of else None
        if place_of is None or node is None or node.type != "directory":
            raise TargetFailed(f"{path} cannot be listed", why="it is not a folder")
        return tuple(sorted(one.rpartition("/")[2] for one in self.nodes if one != "/" and place.parent(one) == place_of))

    def write(self, path: str, content: Content, *, attributes: Attributes, validate: Sequence[str] = ()) -> None:
        """See `System`."""
        where = self._acting("write", path)
        found = self.nodes.get(where)
        if found is not None and found.type == "directory":
            raise TargetFailed(f"{path} cannot be written", why="it is a folder")
        node = found if found is not None and found.type == "file" else Node("file")
        data = content if isinstance(content, bytes) else content.read()
        node = replace(_with(node, attributes), content=data, mtime_ns=self._now())
        if validate:
            self._validate(f"{where}.new", node, validate)
        self.nodes[where] = node

    def make_directory(self, path: str, *, attributes: Attributes) -> None:
        """See `System`."""
        where = self._acting("make_directory", path)
        if where in self.nodes:
            raise TargetFailed(f"{path} cannot be created", why="it exists")
        self.nodes[where] = replace(_with(Node("directory", mode="0755"), attributes), mtime_ns=self._now())

    def make_link(self, path: str, *, to: str) -> None:
        """See `System`."""
        where = self._acting("make_link", path)
        found = self.nodes.get(where)
        if found is not None and found.type == "directory":
            raise TargetFailed(f"{path} cannot be linked", why="it is a folder")
        self.nodes[where] = Node("link", mode="0777", to=to, mtime_ns=self._now())

    def set_attributes(self, path: str, attributes: Attributes) -> None:
        """See `System`."""
        where = self._acting("set_attributes", path)
        node = self.nodes.get(where)
        if node is None or node.type == "link":
            raise TargetFailed(f"the owner of {path} cannot be set", why="it does not exist" if node is None else "it is a link")
        self.nodes[where] = _with(node, attributes)

    def remove(self, path: str) -> None:
        """See `System`."""
        where = self._place(path)
        if where is None or where not in self.nodes:
            return
        self._acting("remove", path)
        if any(place.inside(other, where) for other in self.nodes):
            raise TargetFailed(f"{path} cannot be removed", why="the folder is not empty")
        del self.nodes[where]

    def run(self, command: Command) -> Completed:
        """See `System`; a program without a stand-in cannot be started."""
        self.acts.append(Act("run", " ".join(command.argv)))
        program = self._programs.get(command.argv[0])
        if program is None:
            raise TargetFailed(f"{command.argv[0]} cannot be started", why="there is no such program")
        return program(self, command)

    @contextmanager
    def fetch(self, wanted: Fetch) -> Iterator[IO[bytes]]:
        """See `System`; the network of this target is `served`."""
        if wanted.url not in self.served:
            raise TargetFailed(f"{wanted.url} cannot be had", why="404 Not Found")
        yield io.BytesIO(self.served[wanted.url])

    def answered(self, question: Question, *, within: float) -> str:
        """See `System`; what listens and what answers stands in `answers`. Nobody waits in memory, but the wait is remembered."""
        subject = question.path or question.url or f"{question.host}:{question.port}"
        self.acts.append(Act("ask", f"{subject} within {within:g}"))
        there = self.stat(question.path) is not None if question.path else subject in self.answers
        return "" if there else f"{subject} does not answer"

    def blob(self, digest: str) -> bytes:
        """See `System`."""
        try:
            return self._blobs[digest]
        except KeyError:
            raise TargetFailed(f"nobody has the content {digest}") from None

    def service_manager(self) -> bool:
        """Whether there is a stand-in for systemctl."""
        return "systemctl" in self._programs

    def facts(self) -> JSONObject:
        """See `System`."""
        return {"os": {"id": "memory", "version": "1"}, "arch": "x86_64", "hostname": "memory", "python": "3.11.0"}

    def _now(self) -> int:
        return len(self.acts)

    def _acting(self, verb: str, path: str) -> str:
        if path in self._failing:
            raise TargetFailed(f"{path} cannot be changed", why=self._failing[path])
        where = self._place(path)
        if where is None or where == "/":
            raise TargetFailed(f"{path} cannot be changed", why=f"{place.parent(path)} is not a folder")
        self.acts.append(Act(verb, path))
        return where

    def _node(self, path: str) -> Node | None:
        where = self._place(path)
        return self.nodes.get(where) if where is not None else None

    def _place(self, path: str, *, links: int = MOST_LINKS) -> str | None:
        """Where this path really is once the links above it are followed, never above the root; None where no folder leads there."""
        if path == "/":
            return path
        above = self._place(place.parent(path), links=links)
        node = self.nodes.get(above) if above is not None else None
        while above is not None and node is not None and node.type == "link":
            links -= 1
            if links < 0:
                raise TargetFailed(f"{path} cannot be reached", why="links lead in a circle")
            above = self._place(_joined(place.parent(above), node.to), links=links)
            node = self.nodes.get(above) if above is not None else None
        if above is None or node is None or node.type != "directory":
            return None
        return f"{above.rstrip('/')}/{path.rpartition('/')[2]}"

    def _validate(self, candidate: str, node: Node, command: Sequence[str]) -> None:
        self.nodes[candidate] = node
        try:
            ended = self.run(Command(tuple(word.replace("%s", candidate) for word in command)))
        finally:
            del self.nodes[candidate]
        if ended.code != 0:
            raise TargetFailed(f"{command[0]} refused the new content", why=ended.stderr.strip() or ended.stdout.strip())


def _with(node: Node, attributes: Attributes) -> Node:
    return replace(node, mode=attributes.mode or node.mode, owner=attributes.owner or node.owner, group=attributes.group or node.group)


def _joined(folder: str, to: str) -> str:
    parts: list[str] = []
    for part in (to if to.startswith("/") else f"{folder}/{to}").split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)
