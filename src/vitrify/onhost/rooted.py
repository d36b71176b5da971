"""The system that a kind sees: one implementation for a live host, a folder and an image, told apart by what it is given."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Callable, ContextManager, Dict, Iterator, List, Optional, Sequence, Tuple

from vitrify.core.diagnostic import IntegrityFailed, TargetFailed
from vitrify.core.digest import KEYED, PLAIN, JSONObject, keyed_digest
from vitrify.core.system import Attributes, Command, Completed, Content, Fetch, Question, Stat, Target, digest_like
from vitrify.onhost.accounts import Accounts
from vitrify.onhost.beneath import Beneath, Entry, Spot
from vitrify.onhost.faults import failed, told
from vitrify.onhost.fetching import fetched
from vitrify.onhost.files import CHUNK, Files, Real, extended, open_file, pour
from vitrify.onhost.programs import Programs
from vitrify.onhost.sidecar import Sidecar, Wanted

_TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}


@dataclass(frozen=True)
class Surroundings:
    """What differs between targets, and what contents are had and compared by."""

    target: Target
    accounts: Accounts
    programs: Programs
    sidecar: Optional[Sidecar]
    """None where the filesystem holds modes and owners itself."""
    blob: Callable[[str], bytes]
    key: bytes
    facts: Callable[[], JSONObject]
    service_manager: Callable[[], bool]


class Rooted:
    """A `System` over a tree of one or more layers."""

    def __init__(self, beneath: Beneath, surroundings: Surroundings) -> None:
        self.beneath = beneath
        self.sidecar = surroundings.sidecar
        # What is baked is thrown away if it is not finished: only what lives is made durable.
        self.files = Files(beneath, copied_up=self._copied_up, durable=surroundings.target is not Target.IMAGE)
        self._around = surroundings

    @property
    def target(self) -> Target:
        """What kind of target this is."""
        return self._around.target

    def stat(self, path: str) -> Optional[Stat]:
        """The entry at `path`, not followed."""
        with told(f"{path} cannot be looked at"), suppress(FileNotFoundError, NotADirectoryError), self.beneath.at(path) as spot:
            entry = spot.entry()
            if entry is None:
                return None
            shown, status = self.shown(spot.path, entry.status), entry.status
            link = os.readlink(spot.name, dir_fd=spot.folders[entry.layer]) if stat.S_ISLNK(status.st_mode) else ""
            return Stat(
                type=_TYPES.get(stat.S_IFMT(status.st_mode), "other"),
                mode=f"{shown.mode:04o}",
                owner=self._around.accounts.user_name(shown.uid),
                group=self._around.accounts.group_name(shown.gid),
                size=status.st_size,
                mtime_ns=status.st_mtime_ns,
                link=link,
            )
        return None

    def read(self, path: str) -> bytes:
        """The content of a regular file."""
        with self._opened(path) as descriptor:
            chunks: List[bytes] = []
            while True:
                chunk = os.read(descriptor, CHUNK)
                if not chunk:
                    return b"".join(chunks)
                chunks.append(chunk)

    def digest(self, path: str, *, keyed: bool) -> str:
        """The digest of a file's content, read in parts."""
        running = hmac.new(self._around.key, digestmod=hashlib.sha256) if keyed else hashlib.sha256()
        with self._opened(path) as descriptor:
            while True:
                chunk = os.read(descriptor, CHUNK)
                if not chunk:
                    return (KEYED if keyed else PLAIN) + running.hexdigest()
                running.update(chunk)

    def keyed(self, content: bytes) -> str:
        """The keyed digest of a content."""
        return keyed_digest(content, key=self._around.key)

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        """A regular file, to be read in parts."""
        with self._opened(path) as descriptor, os.fdopen(os.dup(descriptor), "rb") as stream:
            yield stream

    @contextmanager
    def _opened(self, path: str) -> Iterator[int]:
        with told(f"{path} cannot be read"), self.beneath.at(path) as spot:
            entry = spot.entry()
            if entry is None:
                raise FileNotFoundError(2, os.strerror(2), path)
            descriptor = open_file(spot, entry)
            try:
                yield descriptor
            finally:
                os.close(descriptor)

    def names(self, path: str) -> Tuple[str, ...]:
        """The names in a folder, sorted."""
        with told(f"the folder {path} cannot be read"):
            return self.beneath.names(path)

    def write(self, path: str, content: Content, *, attributes: Attributes, validate: Sequence[str] = ()) -> None:
        """Replace or create a regular file in one rename."""
        with self._changing(path, "written") as (spot, entry):
            if entry is not None and stat.S_ISDIR(entry.status.st_mode):
                raise TargetFailed(f"{path} cannot be written", why="it is a folder", hint="declare the folder absent first")
            regular = entry if entry is not None and stat.S_ISREG(entry.status.st_mode) else None
            wanted = self._wanted(spot, regular, attributes, mode=0o644)
            kept = _kept_attributes(spot, regular) if regular else {}
            check = (lambda new: self._validate(path, new, validate)) if validate else None
            real = self._real(wanted, folder=False)
            real = Real(real.mode, real.uid, real.gid, kept)
            self.files.replace(spot, lambda descriptor: pour(content, descriptor), real, check=check)
            self._note(path, wanted)

    def _validate(self, path: str, new: str, validate: Sequence[str]) -> None:
        ended = self.run(Command(tuple(word.replace("%s", new) for word in validate)))
        if ended.code != 0:
            lines = (ended.stderr.strip() or ended.stdout.strip()).replace(new, path).splitlines()
            raise TargetFailed(
                f"the new content of {path} was refused",
                why="; ".join(lines[-3:]) or f"{validate[0]} ended with {ended.code}",
                hint="the old content is still in place",
            )

    def make_directory(self, path: str, *, attributes: Attributes) -> None:
        """Create one folder."""
        with self._changing(path, "created") as (spot, _):
            wanted = self._wanted(spot, None, attributes, mode=0o755)
            self.files.make_folder(spot, self._real(wanted, folder=True))
            self._note(path, wanted)

    def make_link(self, path: str, *, to: str) -> None:
        """Create or replace a symbolic link in one rename."""
        with self._changing(path, "linked") as (spot, _):
            self.files.link(spot, to=to)
            if self.sidecar:
                self.sidecar.drop(spot.path)

    def set_attributes(self, path: str, attributes: Attributes) -> None:
        """Set mode, owner and group of a file or folder."""
        with self._changing(path, "given its mode and owner") as (spot, entry):
            if entry is None:
                raise FileNotFoundError(2, os.strerror(2), path)
            folder = stat.S_ISDIR(entry.status.st_mode)
            if not folder and not stat.S_ISREG(entry.status.st_mode):
                raise TargetFailed(f"{path} has no mode and owner of its own", why="it is neither a file nor a folder")
            wanted = self._wanted(spot, entry, attributes, mode=0)
            self.files.set(spot, entry, self._real(wanted, folder=folder))
            self._note(path, wanted)

    def remove(self, path: str) -> None:
        """Remove a file, a link or an empty folder."""
        with suppress(FileNotFoundError, NotADirectoryError), self._changing(path, "removed", missing=True) as (spot, _):
            self.files.remove(spot)
            if self.sidecar:
                self.sidecar.drop(spot.path)

    @contextmanager
    def _changing(self, path: str, verb: str, *, missing: bool = False) -> Iterator[Tuple[Spot, Optional[Entry]]]:
        try:
            with self.beneath.at(path) as spot:
                yield spot, spot.entry()
        except (FileNotFoundError, NotADirectoryError) as error:
            if missing:
                raise
            parent = path.rstrip("/").rpartition("/")[0] or "/"
            raise TargetFailed(
                f"{path} cannot be {verb}", why=os.strerror(error.errno or 2), hint=f"declare the folder {parent} first"
            ) from error
        except OSError as error:
            raise failed(error, f"{path} cannot be {verb}") from error

    def run(self, command: Command) -> Completed:
        """Run a program inside the target."""
        return self._around.programs.run(command)

    def fetch(self, wanted: Fetch) -> ContextManager[IO[bytes]]:
        """What a server answers, in a file without a name."""
        return fetched(wanted)

    def answered(self, question: Question, *, within: float) -> str:
        """Ask from this host until it is answered as wished."""
        there = (lambda: self.stat(question.path) is not None) if question.path else None
        from vitrify.onhost import asking  # brings along http and ssl, which few looks at a host need

        return asking.answered(question, there=there, within=within)

    def blob(self, digest: str) -> bytes:
        """The content of this digest, from the control machine; what does not match its digest is refused."""
        content = self._around.blob(digest)
        if digest_like(digest, content, self) != digest:
            raise IntegrityFailed(
                "a content is not what its digest says", why=f"{digest} was asked for", hint="plan again: a file may have changed"
            )
        return content

    def service_manager(self) -> bool:
        """Whether systemd is running on this target."""
        return self._around.service_manager()

    def facts(self) -> JSONObject:
        """What the target is."""
        return self._around.facts()

    def keep(self) -> None:
        """Make durable what was written, and what was noted beside the tree; called at the end of every change."""
        with told("what was written cannot be made durable"):
            self.files.settle()
        if self.sidecar:
            self.sidecar.keep()

    def attributes(self) -> JSONObject:
        """Path -> mode, uid and gid, of all in the upper layer whose row of the table still holds; empty where there is no table."""
        if self.sidecar is None:
            return {}
        found: JSONObject = {}
        upper = self.beneath.layers[0]
        for path, row in self.sidecar.table().items():
            if not os.path.lexists(upper + path):  # of the many rows of layers beneath: not worth a walk down to them
                continue
            with suppress(FileNotFoundError, NotADirectoryError), self.beneath.at(path) as spot:
                entry = spot.entry()
                if entry is not None and entry.layer == 0 and self.sidecar.shown(path, entry.status):
                    found[path] = row
        return found

    def table(self) -> JSONObject:
        """Every row of the table as it is kept, for the bake of a layer above this one."""
        return self.sidecar.rows() if self.sidecar else {}

    # -- modes and owners ----------------------------------------------------------------------------------------

    def shown(self, path: str, status: os.stat_result) -> Wanted:
        """Mode and owner of the entry at a resolved path: the table's, where there is one that holds, else the disk's."""
        row = self.sidecar.shown(path, status) if self.sidecar else None
        return row or self._on_disk(status)

    def _on_disk(self, status: os.stat_result) -> Wanted:
        uid, gid = status.st_uid, status.st_gid
        if self.target is Target.IMAGE and uid == os.geteuid():
            uid, gid = 0, 0 if gid == os.getegid() else gid
        return Wanted(stat.S_IMODE(status.st_mode), uid, gid)

    def _wanted(self, spot: Spot, old: Optional[Entry], attributes: Attributes, *, mode: int) -> Wanted:
        new = Wanted(mode, 0, 0) if self.target is Target.IMAGE else Wanted(mode, os.geteuid(), os.getegid())
        found = self.shown(spot.path, old.status) if old else new
        accounts = self._around.accounts
        return Wanted(
            mode=int(attributes.mode, 8) if attributes.mode is not None else found.mode,
            uid=accounts.user(attributes.owner) if attributes.owner is not None else found.uid,
            gid=accounts.group(attributes.group) if attributes.group is not None else found.gid,
        )

    def _real(self, wanted: Wanted, *, folder: bool) -> Real:
        if self.sidecar is None:
            return Real(wanted.mode, wanted.uid, wanted.gid)
        # We must be able to read and replace it later on, without being root.
        return Real(wanted.mode & 0o777 | (0o700 if folder else 0o600))

    def _note(self, path: str, wanted: Wanted) -> None:
        if self.sidecar is None:
            return
        with self.beneath.at(path) as spot:
            entry = spot.entry()
            if entry is None:
                return
            if self.target is not Target.IMAGE and self._on_disk(entry.status) == wanted:
                self.sidecar.drop(spot.path)
            else:
                self.sidecar.put(spot.path, wanted, entry.status)

    def _copied_up(self, path: str, below: os.stat_result) -> None:
        self._note(path, self.shown(path, below))


def _kept_attributes(spot: Spot, entry: Entry) -> Dict[str, bytes]:
    with suppress(OSError):
        descriptor = open_file(spot, entry)
        try:
            return extended(descriptor, kept=True)
        finally:
            os.close(descriptor)
    return {}
