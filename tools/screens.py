"""Shows failures in the documents as the real command line shows them: each scene is played anew, and its screen written down.

A block below `<!-- screen: NAME -->` is the screen of the scene of that name. `./run fix` plays the scenes and writes their
blocks; the docs tests play them as well and compare. What differs from run to run (names of runs, times, paths) is masked.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tools.scenes import SCENES, Scene

ROOT: Final = Path(__file__).resolve().parent.parent
BLOCK: Final = re.compile(r"(?<=^<!-- screen: )(?P<name>[a-z-]+)(?P<head> -->\n```text\n)(?P<text>.*?)(?=^```$)", re.MULTILINE | re.DOTALL)
MASKS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"\b\d{8}T\d{6}-[0-9a-f]{8}\b"), "20260801T090000-0a1b2c3d"),
    (re.compile(r"\b[\w.-]+@[\w.-]+(?=[,\s])"), "ada@laptop"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)"), "2026-08-01 09:00:00 UTC"),
    (re.compile(r"\bprocess \d+\b"), "process 4711"),
    (re.compile(r"\b\d+(\.\d+)? m?s(?= ago|\))"), "1 s"),
    (re.compile(r"(?<=vitrify\.dev/ledger/)[0-9a-f]{16}"), "0123456789abcdef"),
    (re.compile(r"(?<=^root      )[A-Za-z0-9+/]{43}=", re.MULTILINE), "R7wA…"),
)


def lacking(scene: Scene) -> str:
    """What this machine lacks to play a scene, in words; empty where nothing is."""
    missing = [program for program in scene.programs if not shutil.which(program)]
    if missing:
        return f"this scene needs {', '.join(missing)}"
    return "this scene mounts something, which root alone may do" if scene.mounts and os.geteuid() != 0 else ""


def screen(scene: Scene) -> str:
    """Play a scene from its beginning; what somebody sees who does the same."""
    with tempfile.TemporaryDirectory(prefix="vitrify-scene-") as place:
        folder = Path(place) / "shop"
        folder.mkdir()
        script = _script(scene, folder)
        within = ["unshare", "--mount", "--propagation=private"] if scene.mounts else []
        command = [*within, "/bin/sh", str(script)]
        shown = subprocess.run(
            command, cwd=folder, env=_surroundings(Path(place)), check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60
        )
        if shown.returncode != 0:
            raise RuntimeError(f"the scene could not be played: {(Path(place) / 'setup').read_text(encoding='utf-8')}")
        return masked(shown.stdout.decode(), place)


def _script(scene: Scene, folder: Path) -> Path:
    """The scene as a shell would play it. What was set up does not show; of what is shown, both streams do, in their order."""
    for name, content in scene.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    lines = ["set -e; exec 3>&1 1>../setup 2>&1", *scene.mounts, *scene.before, "set +e; exec 1>&3 2>&1"]
    for command in scene.shown:
        lines += [f"cat <<'END'\n$ {command}\nEND", command, 'code=$?; [ "$code" -eq 0 ] || echo "(exit code $code)"']
    lines.append("exec 1>../setup 2>&1")
    script = folder.parent / "scene"
    script.write_text("\n".join([*lines, *scene.after, "exit 0", ""]), encoding="utf-8")
    return script


def _surroundings(place: Path) -> Mapping[str, str]:
    program = place / "bin" / "vitrify"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m vitrify "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    path = os.pathsep.join([str(program.parent), "/usr/sbin", "/usr/bin", "/sbin", "/bin"])
    return {
        "PATH": path,
        "HOME": str(place),
        "VITRIFY_HOME": str(place / "home"),
        "NO_COLOR": "1",
        "PYTHONPATH": str(ROOT / "src"),
        "LC_ALL": "C.UTF-8",
    }


def masked(text: str, place: str) -> str:
    """The same text on every machine and at any time."""
    text = text.replace(os.path.realpath(place), "/home/ada").replace(place, "/home/ada")
    for pattern, instead in MASKS:
        text = pattern.sub(instead, text)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def blocks(text: str) -> dict[str, str]:
    """The screens that a page shows, by the name of their scene."""
    return {found["name"]: found["text"] for found in BLOCK.finditer(text)}


def pages() -> list[Path]:
    """The pages that show a screen."""
    return [path for path in sorted((ROOT / "docs").rglob("*.md")) if BLOCK.search(path.read_text(encoding="utf-8"))]


def main(arguments: list[str]) -> int:
    """Write the screens of all pages; those whose scene cannot be played here stay as they are, and are named."""
    parser = argparse.ArgumentParser(prog="tools.screens", description=__doc__)
    parser.add_argument("--write", action="store_true", required=True, help="write the screens into the pages")
    parser.parse_args(arguments)
    for path in pages():
        text = path.read_text(encoding="utf-8")
        playable = {name: SCENES[name] for name in blocks(text) if not lacking(SCENES[name])}
        with ThreadPoolExecutor(max_workers=2) as pool:
            fresh = dict(zip(playable, pool.map(screen, playable.values()), strict=True))
        changed = BLOCK.sub(lambda found: f"{found['name']}{found['head']}{fresh.get(found['name'], found['text'])}", text)  # noqa: B023  used at once
        for name in blocks(text).keys() - fresh.keys():
            print(f"{path.relative_to(ROOT)}: {name} stays as it was: {lacking(SCENES[name])}")
        if changed != text:
            path.write_text(changed, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
