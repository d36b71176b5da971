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
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

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


PROOFS: Final[Mapping[str, Proof]] = {
    "attacks": Proof(
        claim="each way to stay on a booted host or to hide there is found, rated, named, put back, and leaves nothing behind",
        tests=("tests/unit/lifecycle/test_attacks.py", "tests/e2e/test_attacks_on_a_host.py"),
        n=98,
        covers=(
            "src/vitrify/core/noise.py",
            "src/vitrify/core/severity.py",
            "src/vitrify/lifecycle/swept.py",
            "src/vitrify/lifecycle/touches.py",
            "src/vitrify/lifecycle/watch.py",
            "src/vitrify/onhost/audit_*.py",
            "src/vitrify/onhost/inotify.py",
            "src/vitrify/onhost/watching.py",
            "tests/attacks.py",
            "tests/e2e/*attack*.py",
        ),
    ),
    "audit-fuzz": Proof(
        claim="no record of the kernel, whatever an intruder put into it, makes a watch fail, hang or tell what has no name",
        tests=("tests/property/test_audit_fuzz.py",),
        n=1_000_000,
        covers=("src/vitrify/onhost/audit_records.py",),
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
        claim="each single change of a tree is found, as an overlay and AIDE tell it; what is left alone or authorised is never a finding",
        tests=("tests/property/test_sweep_changes.py", "tests/e2e/test_quiet_audits.py"),
        n=1_100,
        covers=(
            "src/vitrify/onhost/copies.py",
            "src/vitrify/onhost/fingerprint.py",
            "src/vitrify/onhost/records.py",
            "src/vitrify/onhost/sweep.py",
            "src/vitrify/onhost/walk.py",
            "src/vitrify/onhost/explaining.py",
            "src/vitrify/lifecycle/swept.py",
            "tests/e2e/test_quiet_audits.py",
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
    seed = secrets.randbelow(2**32) if chosen.seed is None else chosen.seed
    return max([0 if prove(name, seed=seed) else 1 for name in chosen.names or PROOFS])


def prove(name: str, *, seed: int) -> bool:
    """Run one proof and write its file, whether it held or not."""
    proof = PROOFS[name]
    print(f"--- {name}: {proof.claim} (N = {proof.n}, seed {seed})", flush=True)
    begun = time.monotonic()
    results, code = _pytest(name, proof, seed=seed)
    holds = code == 0 and results.tests > 0 and not results.skipped
    document = {
        "schema": SCHEMA,
        "name": name,
        "claim": proof.claim,
        "result": "holds" if holds else "fails",
        "n": proof.n,
        "seed": seed,
        "tests": results.tests,
        "failed": results.failed,
        "skipped": list(results.skipped),
        "figures": results.figures,
        "seconds": round(time.monotonic() - begun, 1),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "covers": digest(proof),
        "machine": machine(),
        "python": platform.python_version(),
    }
    path = ROOT / "proofs" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"{name}: {document['result']}, {results.tests} tests, {document['seconds']} s -> proofs/{name}.json", flush=True)
    return holds


def _pytest(name: str, proof: Proof, *, seed: int) -> tuple[Results, int]:
    environment = {
        **os.environ,
        "VITRIFY_PROVE": "1",
        "VITRIFY_REQUIRE_ALL": "1",
        f"VITRIFY_N_{name.upper().replace('-', '_')}": str(proof.n),
    }
    seeds = [f"--randomly-seed={seed}", f"--hypothesis-seed={seed}"]
    with tempfile.TemporaryDirectory(prefix="vitrify-proof-") as scratch:
        junit = Path(scratch) / "results.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-o", "timeout=0", *seeds, f"--junitxml={junit}", *proof.tests]
        code = subprocess.run(command, check=False, cwd=ROOT, env=environment).returncode
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
