"""How fast the ledger takes entries and how fast a stranger verifies it: `python benchmarks/ledger.py [ENTRIES...]`.

Every append is one entry with its own signed checkpoint, synced to the disk of the folder that TMPDIR names.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from vitrify.core.digest import JSONObject
from vitrify.ledger.keys import generate
from vitrify.ledger.log import Log
from vitrify.ledger.verify import Policy, verify
from vitrify.stores.directory import DirectoryLedgerStore

ORIGIN = "vitrify.dev/0123456789abcdef"


class Clock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()


def body(number: int) -> JSONObject:
    """About as much as a change records."""
    return {"operation": f"op-{number:08d}", "server": "web", "address": "file:/etc/motd", "digest": "sha256:" + f"{number:064x}"}


def measure(entries: int) -> str:
    """One line of results."""
    with tempfile.TemporaryDirectory() as folder:
        store, signer = DirectoryLedgerStore(Path(folder, "ledger")), generate("bench@here")
        log = Log(store, origin=ORIGIN, signer=signer, clock=Clock())
        began = time.perf_counter()
        for number in range(entries):
            log.append("change.done", body(number))
        appended = time.perf_counter()
        seen = verify(store.read, trust=Policy((str(signer.verifier),)), origin=ORIGIN, paths=store.paths(""))
        verified = time.perf_counter()
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    if seen.problems or seen.size != entries:
        raise SystemExit(f"the ledger does not hold: {seen}")
    rate, each = entries / (appended - began), (appended - began) / entries * 1000
    return f"| {entries:,} | {rate:,.0f} | {each:.2f} | {verified - appended:.3f} | {size / 1e6:.1f} |"


def main() -> None:
    """Measure ledgers of the sizes asked for."""
    lines = ["| entries | appends a second | ms an append | seconds to verify | MB on disk |", "|---|---|---|---|---|"]
    lines += [measure(int(size)) for size in sys.argv[1:] or ("1000", "10000")]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
