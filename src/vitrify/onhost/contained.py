"""Runs a program inside a root: bubblewrap over the folder, or over the layers of an image, so that it sees nothing else."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Iterator, List, Sequence, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.system import Command, Completed
from vitrify.onhost.accounts import Accounts
from vitrify.onhost.beneath import Beneath, is_opaque
from vitrify.onhost.programs import PATH, finish, no_program

MADE = ("dev", "proc")
"""Folders that a program needs and that bubblewrap mounts."""
_NOT_OVERLAID = frozenset({"dev", "proc", "sys", "run", "tmp", "lost+found"})


@dataclass(frozen=True)
class Contained:
    """Programs of a root. `bwrap` is the path of bubblewrap, or empty where there is none."""

    beneath: Beneath
    accounts: Accounts
    bwrap: str

    def run(self, command: Command) -> Completed:
        """Run it inside the root, as root there or as its user."""
        if not self.bwrap:
            raise TargetFailed(
                f"{command.argv[0]} cannot be run inside {self.beneath.layers[0]}",
                why="programs of a folder or an image run inside bubblewrap, and there is none here",
                hint="install bubblewrap (Debian: `apt install bubblewrap`)",
            )
        self._program(command)
        with self._mounted() as mounts, tempfile.TemporaryFile() as status:
            told = ("--json-status-fd", str(status.fileno()), "--chdir", command.cwd, "--")
            argv = (self.bwrap, *mounts, *_ISOLATED, *self._identity(command.user), *told, *self._argv(command))
            completed = finish(command, argv, cwd="/", keep_open=(status.fileno(),))
            status.seek(0)
            ended = b'"exit-code"' in status.read()
        if completed.code != 0 and not ended:
            raise TargetFailed(
                f"{command.argv[0]} cannot be started", why=completed.stderr.strip(), hint="`vitrify doctor` tells what bubblewrap lacks"
            )
        return completed

    def _program(self, command: Command) -> None:
        name = command.argv[0]
        folders = [""] if "/" in name else command.environment.get("PATH", PATH).split(":")
        if not any(self._executable(os.path.join(command.cwd, folder, name)) for folder in folders):
            raise no_program(name)

    def _executable(self, path: str) -> bool:
        try:
            with self.beneath.at(path, follow=True) as spot:
                entry = spot.entry()
        except OSError:
            return False
        return entry is not None and stat.S_ISREG(entry.status.st_mode) and entry.status.st_mode & 0o111 != 0

    def _argv(self, command: Command) -> Tuple[str, ...]:
        uid = self.accounts.user(command.user) if command.user else 0
        if uid == 0 or os.geteuid() != 0:
            return command.argv
        if not any(self._executable(f"{folder}/setpriv") for folder in ("/usr/bin", "/bin")):
            raise TargetFailed(
                f"{command.argv[0]} cannot be run as {command.user!r}", why="there is no `setpriv` inside (package util-linux)"
            )
        gid = self.accounts.primary_group(uid)
        return ("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--", *command.argv)

    def _identity(self, user: str) -> List[str]:
        if os.geteuid() == 0:
            return []
        uid = self.accounts.user(user) if user else 0
        gid = self.accounts.primary_group(uid) if uid else 0
        return ["--unshare-user", "--uid", str(uid), "--gid", str(gid)]

    @contextmanager
    def _mounted(self) -> Iterator[List[str]]:
        upper, lower = self.beneath.layers[0], self.beneath.layers[1:]
        with ExitStack() as stack:
            if not lower:
                stack.enter_context(_mount_points(upper))
                fresh = [] if os.path.isdir(os.path.join(upper, "tmp")) else _FRESH
                yield ["--bind", upper, "/", *_SPECIAL, *fresh]
            elif lower[-1] == "/":
                yield [*self._per_folder(stack), *_SPECIAL, *_FRESH, "--dir", "/run"]
            else:
                stack.enter_context(_mount_points(upper))
                sources = [word for folder in reversed(lower) for word in ("--overlay-src", folder)]
                yield [*sources, "--overlay", upper, stack.enter_context(_work_folder(upper)), "/", *_SPECIAL, *_FRESH]

    def _per_folder(self, stack: ExitStack) -> List[str]:
        """The running system below: `/` itself cannot be the lower layer of an overlay, each folder in it can."""
        upper, found = self.beneath.layers[0], []
        for name in self.beneath.names("/"):
            with self.beneath.at(f"/{name}") as spot:
                entry = spot.entry()
            if entry is None or name in _NOT_OVERLAID:
                continue
            if stat.S_ISLNK(entry.status.st_mode):
                found += ["--symlink", os.readlink(os.path.join(self.beneath.layers[entry.layer], name)), f"/{name}"]
            elif stat.S_ISDIR(entry.status.st_mode):
                found += self._folder(stack, os.path.join(upper, name), name)
        return found

    def _folder(self, stack: ExitStack, upper: str, name: str) -> List[str]:
        below = _below(name, self.beneath.layers[1:])
        if not below:
            return ["--bind", upper, f"/{name}"]
        if not os.path.isdir(upper):
            if below == [f"/{name}"] and os.geteuid() != 0 and _holds_mounts(f"/{name}"):
                # Only root may lay something over a folder that other filesystems are mounted in; it can be read as it is.
                return ["--ro-bind", f"/{name}", f"/{name}"]
            os.mkdir(upper, stat.S_IMODE(os.stat(below[0]).st_mode) | 0o700)
            stack.callback(_remove_empty, upper)
        sources = [word for folder in reversed(below) for word in ("--overlay-src", folder)]
        return [*sources, "--overlay", upper, stack.enter_context(_work_folder(self.beneath.layers[0])), f"/{name}"]


def _below(name: str, layers: Sequence[str]) -> List[str]:
    """The folders of this name in the layers beneath, the upper first, down to one that hides the rest."""
    found: List[str] = []
    for layer in layers:
        folder = os.path.join(layer, name)
        if not os.path.lexists(folder):
            continue
        if not os.path.isdir(folder) or os.path.islink(folder):
            break
        found.append(folder)
        if is_opaque(folder):
            break
    return found


_SPECIAL = ["--dev", "/dev", "--proc", "/proc"]
_FRESH = ["--tmpfs", "/tmp"]  # noqa: S108  the one inside
_ISOLATED = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session"]


@contextmanager
def _work_folder(upper: str) -> Iterator[str]:
    """The scratch folder that an overlay wants on the filesystem of its upper layer."""
    folder = tempfile.mkdtemp(prefix=".vitrify-work-", dir=os.path.dirname(os.path.abspath(upper)))
    try:
        yield folder
    finally:
        for above, names, _ in os.walk(folder):  # the kernel makes its own folder in there, with mode 0000
            for name in names:
                os.chmod(os.path.join(above, name), 0o700)
        shutil.rmtree(folder)


def _holds_mounts(folder: str) -> bool:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        points = [line.split(" ")[4] for line in mounts]
    return any(point == folder or point.startswith(f"{folder}/") for point in points)


def _remove_empty(folder: str) -> None:
    try:
        os.rmdir(folder)
    except OSError:
        return


@contextmanager
def _mount_points(root: str) -> Iterator[None]:
    """Bubblewrap makes the folders that it mounts on; those that were not there are taken away again, unseen."""
    before = os.stat(root)
    missing = [name for name in (*MADE, "tmp") if not os.path.lexists(os.path.join(root, name))]
    try:
        yield
    finally:
        for name in missing:
            _remove_empty(os.path.join(root, name))
        if missing:
            os.utime(root, ns=(before.st_atime_ns, before.st_mtime_ns))
