"""Programs that a host needs to run instances: its own where they will do, else those that the control machine sends. `tool.ensure`."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Callable, Mapping, Sequence, Tuple

from vitrify.core.diagnostic import Denied, IntegrityFailed, TargetFailed
from vitrify.core.digest import PLAIN, JSONObject, digest_bytes
from vitrify.onhost.context import Context
from vitrify.onhost.files import hash_of
from vitrify.onhost.record import write_whole

SBIN = "/usr/local/sbin:/usr/sbin"
"""Where a system keeps programs that it does not offer to everybody, and that everybody may run."""


def ensure(context: Context, arguments: JSONObject) -> JSONObject:
    """The path of a program that does: on PATH and new enough, else the one that is sent, which is kept beneath `home`.

    `probe` makes it tell its version or its options, `proof` is a pattern in what it tells; a group in it is a version that must be at
    least `least`. `files` are what it takes to run it: path from its own folder -> digest. TargetFailed with what to install where
    neither can be had.
    """
    name, least, probe = str(arguments["name"]), str(arguments["least"]), arguments["probe"]
    words = [str(word) for word in probe] if isinstance(probe, list) else []
    found = shutil.which(name) or shutil.which(name, path=SBIN)
    if found and does(found, words, str(arguments["proof"]), least):
        return {"path": found, "source": "system"}
    rejected = f"{found} is older than {least}" if found else "it is not on PATH"
    hint = f"install {name} {least} or newer there"
    files = arguments.get("files")
    if not isinstance(files, dict) or arguments.get("machine") != platform.machine():
        why = f"{rejected}, and the control machine has none for {platform.machine()} to send"
        raise TargetFailed(f"{name} {least} or newer is needed on this host", why=why, hint=hint)
    path = _kept(context, Path(str(arguments["home"]), "tools"), name, {path: str(digest) for path, digest in files.items()})
    if not does(path, words, str(arguments["proof"]), least):
        raise TargetFailed(f"the {name} that was sent does not run on this host", why=rejected, hint=hint)
    return {"path": path, "source": "sent"}


def _kept(context: Context, folder: Path, name: str, files: Mapping[str, str]) -> str:
    """Its place: `a/b/NAME` in a folder named after its digest, so that what lies two folders above it is in that folder, too."""
    place = folder / f"{name}-{files[name][len(PLAIN) :][:16]}"
    program = place / "a" / "b" / name
    for path, digest in files.items():
        target = Path(os.path.normpath(program.parent / path))
        if place not in target.parents:
            raise Denied(f"{path!r} is not a file of {name}")
        if target.is_file() and _is(target, digest):
            continue
        content = context.blob(digest)
        if digest_bytes(content) != digest:
            raise IntegrityFailed(f"the file {path} of {name} came as something else")
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        write_whole(str(target), content, mode=0o755)
        target.chmod(0o755)
    return str(program)


def _is(path: Path, digest: str) -> bool:
    with path.open("rb") as file:
        return PLAIN + hash_of(file.fileno()) == digest


def does(path: str, probe: Sequence[str], proof: str, least: str) -> bool:
    """Whether what a program tells on being probed matches `proof`; a group in that is a version, which must be at least `least`."""
    try:
        done = subprocess.run([path, *probe], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    told = re.search(proof, done.stdout.decode("utf-8", "replace"))
    if told is None:
        return False
    return not told.groups() or _numbers(told.group(1)) >= _numbers(least)


def _numbers(version: str) -> Tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"[0-9]+", version))


CALLS: Mapping[str, Callable[[Context, JSONObject], JSONObject]] = {"tool.ensure": ensure}
