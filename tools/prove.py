"""Runs the proofs at full size and writes what came out to `proofs/NAME.json`: the evidence that README rows cite.

A proof is a set of tests that read their N through `tests.amount`. It stands for the code named in `covers`: when that
changes, `./run prove --list` calls the proof stale. A proof that skipped a test, or ran none, is no proof.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tools.parts import Parts
from tools.results import Results, read

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = "vitrify.dev/proof/v1"
GIT = ("git", "-c", f"safe.directory={ROOT}")


@dataclass(frozen=True)
class Proof:
    """One claim. `tests` go to pytest; `n` is the full size; `covers` are patterns of the files that the claim is about."""

    claim: str
    tests: tuple[str, ...]
    n: int
    covers: tuple[str, ...]
    parts: int = 1
    """So often are the tests run, each time with another seed (`tests.amount.part` tells which time it is); a finished part is kept."""
    workers: int = 2
    in_memory: bool = False
    """Whether what the tests write may lie in memory: where processes are killed and machines are not, a sync proves nothing."""


PROOFS: Final[Mapping[str, Proof]] = {
    "attacks": Proof(
        claim="each way to stay on a host or to hide there is found, rated, repaired where it is declared, and leaves nothing behind",
        tests=("tests/unit/lifecycle/test_attacks.py",),
        n=98,
        covers=(
            "src/vitrify/core/noise.py",
            "src/vitrify/core/severity.py",
            "src/vitrify/lifecycle/swept.py",
            "tests/unit/lifecycle/attacks.py",
        ),
    ),
    "bake": Proof(
        claim="the same wishes are bit for bit the same image, whatever the umask, time, folder, user or Python; and strangers can read it",
        tests=("tests/property/test_bake_reproducible.py", "tests/e2e/test_same_digest.py", "tests/e2e/test_image_readers.py"),
        n=1_000,
        covers=("src/vitrify/builders/*.py", "src/vitrify/stores/layout.py", "src/vitrify/onhost/*.py"),
    ),
    "converging": Proof(
        claim="declarations of many kinds are converged by one apply, and one undo gives the whole tree back",
        tests=("tests/property/test_converging.py",),
        n=2_000,
        covers=("src/vitrify/core/*.py", "src/vitrify/onhost/*.py", "src/vitrify/resources/*.py"),
    ),
    "crash": Proof(
        claim="killed at any intent, act or outcome, the same command run again finishes or undoes",
        tests=("tests/e2e", "-k", "crash"),
        n=3,
        covers=("src/vitrify/**/*.py", "tests/e2e/*crash*.py"),
    ),
    "declarations": Proof(
        claim="no mutation of a valid declaration makes loading end in anything but a declaration or located problems",
        tests=("tests/property/test_mutated_declarations.py",),
        n=10_000,
        covers=("src/vitrify/project/**/*.py", "src/vitrify/core/*.py", "src/vitrify/resources/*.py"),
    ),
    "identity": Proof(
        claim="a declaration of nearly every kind is one image, whoever bakes it, where, when, in which order and with which Python",
        tests=("tests/property/test_image_identity.py",),
        n=60,
        covers=("src/vitrify/builders/*.py", "src/vitrify/onhost/*.py", "src/vitrify/resources/*.py"),
    ),
    "layers": Proof(
        claim="however a declaration is cut into layers, and whatever of them is known, the root is that of one bake in one layer",
        tests=("tests/property/test_image_layers.py",),
        n=1_000,
        covers=("src/vitrify/builders/*.py", "src/vitrify/onhost/*.py", "src/vitrify/stores/*.py"),
    ),
    "images": Proof(
        claim="no mutation of a manifest, index, config, layer or archive writes outside its root or ends in anything but a refusal",
        tests=("tests/property/test_hostile_images.py",),
        n=10_000,
        covers=(
            "src/vitrify/stores/archive.py",
            "src/vitrify/stores/registry/*.py",
            "src/vitrify/onhost/foreign.py",
            "src/vitrify/onhost/layer.py",
            "src/vitrify/onhost/layout.py",
            "src/vitrify/onhost/untar.py",
            "src/vitrify/core/reference.py",
        ),
    ),
    "lease": Proof(
        claim="of many that want one server's lease, some frozen for longer than it holds, nobody acts by a token that was overtaken",
        tests=("tests/conformance/test_lease_contenders.py",),
        n=200,
        covers=(
            "src/vitrify/onhost/lease.py",
            "src/vitrify/onhost/tenant.py",
            "src/vitrify/onhost/memory.py",
            "tests/conformance/contender.py",
        ),
    ),
    "ledger": Proof(
        claim="a ledger of n entries proves every shorter one; whatever is done to it, at any position, is seen; no honest one is accused",
        tests=("tests/property", "-k", "ledger"),
        n=5_000,
        covers=("src/vitrify/ledger/**/*.py",),
    ),
    "ledger-fuzz": Proof(
        claim="no input makes a parser of the ledger, its keys, approvals, receipts or witnesses fail, hang or believe a wrong signature",
        tests=("tests/property/test_ledger_fuzz.py",),
        n=1_000_000,
        covers=("src/vitrify/ledger/**/*.py", "src/vitrify/project/identity.py"),
    ),
    "planning": Proof(
        claim="applying a plan leaves nothing to do, and the order of wishes does not matter",
        tests=("tests/property", "-k", "plan or order or difference"),
        n=5_000,
        covers=("src/vitrify/core/*.py", "src/vitrify/resources/*.py"),
    ),
    "rollout": Proof(
        claim="a rollout killed at any point, in any order, is finished by the same command: nothing lost, doubled or left over",
        tests=("tests/e2e/test_rollout_crash.py",),
        n=5,
        parts=5,
        workers=3,
        in_memory=True,
        covers=(
            "src/vitrify/lifecycle/**/*.py",
            "src/vitrify/onhost/*.py",
            "src/vitrify/routers/*.py",
            "src/vitrify/runtimes/*.py",
            "src/vitrify/ledger/*.py",
            "tests/e2e/test_rollout_crash.py",
        ),
    ),
    "sweep": Proof(
        claim="each single change of a tree is found, as an overlay and AIDE tell it; a tree that is left alone never has a finding",
        tests=("tests/property/test_sweep_changes.py",),
        n=1_100,
        covers=(
            "src/vitrify/onhost/copies.py",
            "src/vitrify/onhost/fingerprint.py",
            "src/vitrify/onhost/records.py",
            "src/vitrify/onhost/sweep.py",
            "src/vitrify/onhost/walk.py",
            "tests/property/sweep_changes.py",
        ),
    ),
}


def main(arguments: list[str]) -> int:
    """Prove what was named, or everything; 0 where all of it held."""
    parser = argparse.ArgumentParser(prog="./run prove", description="run proofs at full size and write proofs/NAME.json")
    parser.add_argument("names", nargs="*", metavar="NAME", help="; ".join(f"{name}: {proof.claim}" for name, proof in PROOFS.items()))
    parser.add_argument("--list", action="store_true", help="tell which proofs there are, and which are stale")
    parser.add_argument("--seed", type=int, default=None, help="repeat a proof with the seed in its file")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.names if name not in PROOFS]
    if unknown:
        parser.error(f"there is no proof {', '.join(unknown)}; there are {', '.join(PROOFS)}")
    if chosen.list:
        return show(chosen.names or list(PROOFS))
    return max([0 if prove(name, seed=chosen.seed) else 1 for name in chosen.names or PROOFS])


def prove(name: str, *, seed: int | None) -> bool:
    """Run one proof and write its file, whether it held or not. Interrupted, it goes on behind the parts that it has finished."""
    proof = PROOFS[name]
    parts = Parts.begin(ROOT / ".proofs" / name, covers=digest(proof), seed=seed)
    print(f"--- {name}: {proof.claim} (N = {proof.n}, seed {parts.seed})", flush=True)
    results, seconds, holds = Results(), 0.0, True
    for number in range(1, proof.parts + 1):
        part, took, held = _part(name, parts, number)
        results, seconds, holds = results + part, seconds + took, holds and held
    document = {
        "schema": SCHEMA,
        "name": name,
        "claim": proof.claim,
        "result": "holds" if holds else "fails",
        "n": proof.n,
        "seed": parts.seed,
        "tests": results.tests,
        "failed": results.failed,
        "skipped": list(results.skipped),
        "figures": results.figures,
        "seconds": round(seconds, 1),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "covers": digest(proof),
        "machine": machine(),
        "python": platform.python_version(),
    }
    path = ROOT / "proofs" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    parts.forget()
    print(f"{name}: {document['result']}, {results.tests} tests, {document['seconds']} s -> proofs/{name}.json", flush=True)
    return holds


def _part(name: str, parts: Parts, number: int) -> tuple[Results, float, bool]:
    """What came out of a part, the seconds that it took, and whether it held."""
    if kept := parts.finished(number):
        print(f"{name}: part {number} was finished before", flush=True)
        return *kept, True
    begun, proof = time.monotonic(), PROOFS[name]
    results, code = _pytest(name, seed=parts.seed + number - 1, part=number)
    if proof.parts > 1:
        results = replace(results, figures={f"part {number}: {what}": figure for what, figure in results.figures.items()})
    seconds, holds = time.monotonic() - begun, code == 0 and results.tests > 0 and not results.skipped
    if holds:
        parts.keep(number, results, seconds=seconds)
    return results, seconds, holds


def _pytest(name: str, *, seed: int, part: int) -> tuple[Results, int]:
    proof = PROOFS[name]
    asked = {"VITRIFY_PROVE": "1", "VITRIFY_REQUIRE_ALL": "1", f"VITRIFY_N_{name.upper()}": str(proof.n), "VITRIFY_PART": str(part)}
    seeds = [f"--randomly-seed={seed % 2**32}", f"--hypothesis-seed={seed}"]
    memory = "/dev/shm" if proof.in_memory and os.access("/dev/shm", os.W_OK) else None  # noqa: S108  a folder of its own is made there
    with tempfile.TemporaryDirectory(prefix="vitrify-proof-", dir=memory, ignore_cleanup_errors=True) as scratch:
        junit = Path(scratch) / "results.xml"
        where = [f"--junitxml={junit}", *([f"--basetemp={scratch}/at"] if memory else [])]
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(proof.workers), "-o", "timeout=0", *seeds, *where, *proof.tests]
        code = subprocess.run(command, check=False, cwd=ROOT, env={**os.environ, **asked}).returncode
        return read(junit), code


def show(names: list[str]) -> int:
    """One line for each proof: holds, fails, stale (its code changed since) or unproved."""
    for name in names:
        print(f"{name:14}{state(name):10}{PROOFS[name].claim}")
    return 0


def state(name: str) -> str:
    """What is known of a proof now."""
    path = ROOT / "proofs" / f"{name}.json"
    if not path.exists():
        return "unproved"
    document = json.loads(path.read_text(encoding="utf-8"))
    return str(document["result"]) if document["covers"] == digest(PROOFS[name]) else "stale"


def digest(proof: Proof) -> str:
    """The identity of the code that a proof is about, and of its size."""
    found = sorted({path for pattern in proof.covers for path in ROOT.glob(pattern) if path.is_file()})
    parts = [f"{path.relative_to(ROOT)} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in found]
    return hashlib.sha256("\n".join([str(proof.n), *parts]).encode()).hexdigest()


def commit() -> str:
    """The commit proved, marked where the folder held more than that."""
    head = subprocess.run([*GIT, "rev-parse", "HEAD"], check=True, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    changed = subprocess.run([*GIT, "status", "--porcelain", "--", "src", "tests", "tools"], check=True, cwd=ROOT, capture_output=True)
    return f"{head} with changes" if changed.stdout else head


def machine() -> dict[str, object]:
    """What the proof ran on; no name that would tell whose."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "cpus": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "root": os.geteuid() == 0,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
