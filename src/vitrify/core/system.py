"""All that a resource may ask of a target: a live host, a folder treated as a root, or an image being baked.

Paths are absolute *within the target*. Implementations resolve them without ever following a link out of it, write
atomically (temporary file in the same folder, 0600, owner, mode, fsync, rename, fsync of the folder) and never give a
value to a shell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import IO, ContextManager, Mapping, Optional, Protocol, Sequence, Tuple, Union

from vitrify.core.digest import PLAIN, JSONObject, digest_bytes


class Target(Enum):
    """What is being changed."""

    HOST = "host"
    FOLDER = "folder"
    IMAGE = "image"


@dataclass(frozen=True)
class Stat:
    """One directory entry, never followed. `mode` is four octal digits; owner and group are names where known, else numbers."""

    type: str
    """`file`, `directory`, `link` or `other`."""
    mode: str
    owner: str
    group: str
    size: int
    mtime_ns: int
    link: str = ""


@dataclass(frozen=True)
class Attributes:
    """Mode, owner and group to set; None leaves that one as it is (or as the default, on creation)."""

    mode: Optional[str] = None
    owner: Optional[str] = None
    group: Optional[str] = None


ATTACHED = "\0attached"
"""The word of a command that stands for the path of what is attached to it; no other word can look like it."""

Content = Union[bytes, IO[bytes]]
"""What a file shall hold: all of it, or a stream that is read to its end."""


@dataclass(frozen=True)
class Command:
    """A program to run: a list, never a shell string. `timeout` in seconds, `umask` in octal digits.

    It reads `stdin`, or nothing; of what it says the last `kept` bytes are told. What is `attached` it can read at a path that stands for
    the word `ATTACHED`; it is on no disk.
    """

    argv: Tuple[str, ...]
    cwd: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    user: str = ""
    timeout: float = 600.0
    umask: str = ""
    stdin: bytes = field(default=b"", repr=False)
    attached: Optional[bytes] = field(default=None, repr=False)
    kept: int = 64 * 1024


@dataclass(frozen=True)
class Fetch:
    """Something to be had over the network: `http` or `https`. Headers are sent to the origin of the URL alone."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = 60.0
    """Seconds without a byte after which a connection is given up."""
    tries: int = 5
    """A connection that breaks is taken up again where it broke, as often as this."""


@dataclass(frozen=True)
class Completed:
    """How a program ended. Output is decoded with replacement and cut to what its command says is kept."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Question:
    """What a host is asked from itself: whether a path is there, whether something listens, or what a URL answers. One of the three."""

    path: str = ""
    host: str = ""
    port: int = 0
    url: str = ""
    status: int = 200
    pattern: str = ""
    """A regular expression that must be found in the first part of the answer's body; empty: any body will do."""


class System(Protocol):
    """The target, as a kind sees it. Every failure is a `TargetFailed` with path and reason."""

    @property
    def target(self) -> Target:
        """What kind of target this is."""

    def stat(self, path: str) -> Optional[Stat]:
        """The entry at `path`, not followed; None where there is none."""

    def read(self, path: str) -> bytes:
        """The content of a regular file."""

    def open(self, path: str) -> ContextManager[IO[bytes]]:
        """A regular file, to be read in parts, from its beginning and anywhere in it."""

    def digest(self, path: str, *, keyed: bool) -> str:
        """`sha256:…` of a file's content, or its keyed digest where it may hold a secret."""

    def keyed(self, content: bytes) -> str:
        """The keyed digest of a content, as of a secret that is one line among others."""

    def names(self, path: str) -> Tuple[str, ...]:
        """The names in a folder, sorted."""

    def write(self, path: str, content: Content, *, attributes: Attributes, validate: Sequence[str] = ()) -> None:
        """Replace or create a regular file, atomically; the `validate` command (`%s` = the new file) must succeed first."""

    def make_directory(self, path: str, *, attributes: Attributes) -> None:
        """Create one folder (its parent exists), mode 0755 where none is given."""

    def make_link(self, path: str, *, to: str) -> None:
        """Create or atomically replace a symbolic link."""

    def set_attributes(self, path: str, attributes: Attributes) -> None:
        """Set mode, owner and group of a file or folder."""

    def remove(self, path: str) -> None:
        """Remove a file, a link or an empty folder; nothing there is fine."""

    def run(self, command: Command) -> Completed:
        """Run a program inside the target; a program that cannot be started is a `TargetFailed`."""

    def fetch(self, wanted: Fetch) -> ContextManager[IO[bytes]]:
        """What a server answers, whole, as a file without a name; it stands at its beginning."""

    def answered(self, question: Question, *, within: float) -> str:
        """Ask until it is answered as wished, for at most so many seconds (0: once): "" where it was, else the last reason why not."""

    def blob(self, digest: str) -> bytes:
        """The content that a resource names by digest, asked for from the control machine only when needed."""

    def service_manager(self) -> bool:
        """Whether systemd is running on this target, so that units can be started now."""

    def facts(self) -> JSONObject:
        """What the target is: os, arch, hostname, python."""


def digest_like(digest: str, content: bytes, system: System) -> str:
    """The digest of a content, of the sort that this one is: plain, or keyed where it may be a secret's."""
    return digest_bytes(content) if digest.startswith(PLAIN) else system.keyed(content)
