"""The checks and the lanes of tests, run and summed up: `check`, `test`, `fix` and `snapshots` of `./run`."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tools.results import Results, read
from tools.travels import travelling_files

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
ROOM = 8 << 30
"""Bytes that tests may write, and the machines that they start may take."""
NOTHING_CHOSEN = 5
"""How pytest ends where no test was chosen."""


@dataclass(frozen=True)
class Lane:
    """One layer of tests; `name` is its folder below `tests/`."""

    name: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One line of the summary."""

    name: str
    good: bool
    seconds: float
    results: Results | None = None
    remark: str = ""


PARALLEL = ("-n", "2")
LANES = (
    Lane("unit", PARALLEL),
    Lane("property", PARALLEL),
    Lane("conformance", (*PARALLEL, "--dist", "loadgroup")),
    Lane("architecture"),
    Lane("docs", PARALLEL),
    # Real programs, which wait more than they compute. One test at a time to whoever is free: some take a hundred times as long as others.
    Lane("e2e", ("-n", "3", "--dist", "loadgroup", "--durations", "20", "--durations-min", "8")),
)
QUICK = (Lane("unit", PARALLEL), Lane("architecture"), Lane("docs", (*PARALLEL, "-m", "not e2e")))


@dataclass(frozen=True)
class Run:
    """What one call of `./run` was asked for."""

    seed: int
    required: bool
    scratch: Path
    chosen: tuple[str, ...] = ()


def checks() -> dict[str, list[str]]:
    """Name -> command of everything that is checked without running vitrify."""
    layers = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    floor = [PYTHON, "-c", "from vermin import main; main()", "--target=3.9-", "--violations", "--no-tips", *map(str, travelling_files())]
    return {
        "format": [PYTHON, "-m", "ruff", "format", "--check", "."],
        "lint": [PYTHON, "-m", "ruff", "check", "."],
        "types": [PYTHON, "-m", "mypy"],
        "layers": [PYTHON, "-c", layers],
        "floor": floor,
        "pages": [PYTHON, "-m", "tools.reference", "--check"],
    }


def main(arguments: list[str]) -> int:
    """Carry out one of the four commands."""
    command, *chosen = arguments
    if command == "fix":
        return fix()
    if command == "snapshots":
        return _call([PYTHON, "-m", "pytest", "-q", "-m", "not e2e", "--snapshot-update", *(chosen or ["tests"])])
    _call([PYTHON, "-m", "compileall", "-qq", "src"])  # machines that tests start read the source, and cannot write beside it
    with tempfile.TemporaryDirectory(prefix="vitrify-lanes-", dir=in_memory()) as scratch:
        run = Run(_seed(), _required(), Path(scratch), tuple(chosen))
        print(f"seed {run.seed} (VITRIFY_SEED={run.seed} repeats the order and the examples)", flush=True)
        return summary(_rows(command, run), required=run.required)


def fix() -> int:
    """Let the tools mend what they can; 0 where nothing is left for a person."""
    steps = (["ruff", "check", "--fix", "."], ["ruff", "format", "."], ["tools.reference", "--write"], ["tools.screens", "--write"])
    return max(_call([PYTHON, "-m", *step]) for step in steps)


def _rows(command: str, run: Run) -> list[Row]:
    if command == "check":
        return [*run_checks(), *(run_lane(lane, run) for lane in QUICK)]
    if not run.chosen:
        return [*run_checks(), *(run_lane(lane, run) for lane in LANES)]
    if any(Path(argument.partition("::")[0]).exists() for argument in run.chosen):
        return [run_lane(Lane(""), run)]
    return [run_lane(lane, run) for lane in LANES]


def run_checks() -> list[Row]:
    """All checks, two at a time; one that fails shows all that it said."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(_check, checks().items()))


def _check(named: tuple[str, list[str]]) -> Row:
    name, command = named
    begun = time.monotonic()
    done = subprocess.run(command, check=False, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    good = done.returncode == 0
    print(f"--- {name}: {'ok' if good else f'failed{os.linesep}{done.stdout}'}", flush=True)
    return Row(name, good, time.monotonic() - begun)


def run_lane(lane: Lane, run: Run) -> Row:
    """One lane, its output as it comes."""
    name = lane.name or "chosen"
    folder = [f"tests/{lane.name}"] if lane.name else []
    print(f"--- {name}", flush=True)
    if lane.name and not (ROOT / folder[0]).is_dir():
        return Row(name, not run.required, 0.0, remark="there is no such folder")
    junit = run.scratch / f"{name}.xml"
    seeds = [f"--randomly-seed={run.seed}", f"--hypothesis-seed={run.seed}"]
    places = [f"--junitxml={junit}", f"--basetemp={run.scratch / name}"]
    begun = time.monotonic()
    code = _call([PYTHON, "-m", "pytest", "-q", *lane.arguments, *seeds, *places, *folder, *run.chosen])
    remark = "no test chosen" if code == NOTHING_CHOSEN else ""
    good = code == 0 or (code == NOTHING_CHOSEN and bool(run.chosen))
    return Row(name, good, time.monotonic() - begun, read(junit), remark)


def summary(rows: list[Row], *, required: bool) -> int:
    """Print what ran, how long, and what did not run; the exit code of it all."""
    print(f"\n{'lane':14}{'':8}{'tests':>7}{'skipped':>9}{'seconds':>9}")
    total = Results()
    for row in rows:
        results = row.results or Results()
        total += results
        counts = f"{results.tests:7}{len(results.skipped):9}" if row.results else f"{'':16}"
        print(f"{row.name:14}{'ok' if row.good else 'FAILED':8}{counts}{row.seconds:9.1f}  {row.remark}".rstrip())
    for skip in total.skipped:
        print(f"skipped: {skip}")
    good = all(row.good for row in rows) and bool(total.tests) and not (required and total.skipped)
    verdict = "passed" if good else "FAILED"
    print(f"{verdict}: {total.tests} tests, {len(total.skipped)} skipped, {sum(row.seconds for row in rows):.0f} s")
    return 0 if good else 1


def in_memory(folder: Path = Path("/dev/shm"), *, room: int = ROOM) -> Path | None:  # noqa: S108  what is made in it has a name of its own
    """The folder, if it has room and what is put there may be run: a disk would make tests wait for each of a thousand syncs."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    refuses = found.f_flag & (os.ST_NOEXEC | os.ST_NODEV | os.ST_NOSUID) if sys.platform == "linux" else 1
    return folder if not refuses and min(found.f_bavail * found.f_frsize, _available()) >= room else None


def _available() -> int:
    """Bytes of memory that may be had."""
    told = Path("/proc/meminfo").read_text(encoding="ascii")
    return int(told.partition("MemAvailable:")[2].split()[0]) * 1024


def _call(command: list[str]) -> int:
    return subprocess.run(command, check=False, cwd=ROOT, env=_surroundings()).returncode


def _surroundings() -> dict[str, str]:
    """What tests find around them. Python keeps what it compiled, even where it is told not to elsewhere: we start it a thousand times."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _seed() -> int:
    given = os.environ.get("VITRIFY_SEED", "")
    return int(given) if given else secrets.randbelow(2**32)


def _required() -> bool:
    return os.environ.get("VITRIFY_REQUIRE_ALL") == "1" or os.environ.get("CI") == "true"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
