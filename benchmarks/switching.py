"""Switches and rollbacks under load: what is lost, how long the intent takes to the first answer, how long the whole command.

    ./run vitrify version && .venv/bin/python benchmarks/switching.py [ROLLBACKS]

Side by side in the same run: the same requests while a Caddy configuration is replaced instead (what a switch would be
without the slots). The client is a program of its own that never retries.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "e2e"))

from shop import Shop


def main(rollbacks: int) -> None:
    """Print one line a figure."""
    with tempfile.TemporaryDirectory(prefix="vitrify-bench-") as folder:
        shop = Shop.build(Path(folder) / "shop" / "project", replicas=2)
        try:
            shop.run("apply")
            shop.declare(greeting="two")
            shop.run("apply")
            measure(shop, rollbacks, Path(folder) / "load.json")
        finally:
            shop.clear()


def measure(shop: Shop, rollbacks: int, out: Path) -> None:
    """Roll back and forth under load."""
    load = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "vitrify.testing.load",
            f"http://127.0.0.1:{shop.port}/",
            "--connections",
            "6",
            "--seconds",
            "600",
            "--out",
            str(out),
        ]
    )
    answers, wholes = [], []
    try:
        for _ in range(rollbacks):
            started = time.perf_counter()
            done = shop.document("rollback", "web")
            wholes.append(time.perf_counter() - started)
            answers.append(float(done["answer_ms"]))
    finally:
        load.terminate()
        load.wait()
    report = json.loads(out.read_text())
    print(f"switches                          {rollbacks}")
    print(f"requests, lost                    {report['requests']}, {report['lost']}")
    print(f"client connections opened         {report['connections']} (6 needed)")
    print(f"latency p50 / p99 / max           {' / '.join(str(report['latency_ms'][name]) for name in ('p50', 'p99', 'max'))} ms")
    print(f"intent to first answer, median    {statistics.median(answers):.1f} ms (max {max(answers):.1f})")
    print(f"whole command, median             {statistics.median(wholes):.3f} s (max {max(wholes):.3f})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
