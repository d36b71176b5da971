"""From a list of mounts to bubblewrap's arguments: a pure function, so that what is shut can be read and tested.

Bubblewrap is isolation for our own code, not containment of hostile code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence, Tuple

STATUS_FD = "3"
"""The descriptor on which bubblewrap tells the first process of the sandbox; see `child`."""


@dataclass(frozen=True)
class Step:
    """One mount of a root. An overlay has `lowers`, topmost first, and takes what is written into `upper`."""

    at: str
    kind: str
    """overlay, bind, tmpfs, dev or proc."""
    source: str = ""
    lowers: Tuple[str, ...] = ()
    upper: str = ""
    work: str = ""
    writable: bool = False


@dataclass(frozen=True)
class Sandbox:
    """A root and what runs in it. `bwrap` is the absolute path of the program."""

    bwrap: str
    steps: Tuple[Step, ...]
    argv: Tuple[str, ...]
    workdir: str = "/"
    hostname: str = "instance"


def instance_argv(sandbox: Sandbox) -> Tuple[str, ...]:
    """An instance: read-only but for writable steps, no capabilities, own users, processes, host name; the host's network."""
    return (
        sandbox.bwrap,
        *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", sandbox.hostname),
        *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--info-fd", STATUS_FD),
        *_mounted(sandbox.steps),
        *_sealed(sandbox.steps),
        *("--chdir", sandbox.workdir, "--", *sandbox.argv),
    )


def _mounted(steps: Sequence[Step]) -> List[str]:
    return [argument for step in steps for argument in _mount(step)]


def _mount(step: Step) -> Tuple[str, ...]:
    if step.kind == "overlay":
        # Bubblewrap wants the lowest layer first.
        sources = [argument for lower in reversed(step.lowers) for argument in ("--overlay-src", lower)]
        return (*sources, "--overlay", step.upper, step.work, step.at)
    if step.kind == "bind":
        return ("--bind" if step.writable else "--ro-bind", step.source, step.at)
    if step.kind == "tmpfs":
        return ("--perms", "1777", "--tmpfs", step.at)
    return (f"--{step.kind}", step.at)


def _sealed(steps: Sequence[Step]) -> List[str]:
    # The root last: until then bubblewrap may still have to make a mount point in it.
    shut = [step.at for step in steps if step.kind in ("overlay", "dev") and not step.writable]
    return [argument for at in sorted(shut, key=len, reverse=True) for argument in ("--remount-ro", at)]
