"""A real witness over HTTP: it is asked at the end of each command, killed, asked again; and it refuses a ledger that was rewritten."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shop import Shop

pytestmark = pytest.mark.e2e


@contextmanager
def witness(shop: Shop, home: Path) -> Iterator[str]:
    """A witness that serves, with a home of its own; the line for `vitrify.keys` that it tells. It is killed at the end."""
    argv = [sys.executable, "-P", "-m", "vitrify", "witness", "--listen", "127.0.0.1:0", "--name", "w1.example"]
    environ = {**os.environ, "VITRIFY_HOME": str(home), "NO_COLOR": "1", "COLUMNS": "400"}
    with subprocess.Popen(argv, cwd=shop.folder, env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            told = next(line for line in process.stderr if "witness w1.example" in line)
            found = re.search(r"witness w1\.example\+\S+ http://\S+", told)
            assert found, told
            yield found.group()
        finally:
            process.kill()


def known(shop: Shop, line: str) -> None:
    path = shop.folder / "vitrify.keys"
    kept = [one for one in path.read_text().splitlines() if not one.startswith(("witness", "quorum"))]
    path.write_text("\n".join([*kept, line, "quorum 1"]) + "\n")


def test_a_witness_is_asked_killed_asked_again_and_refuses_what_was_rewritten(tmp_path: Path) -> None:
    shop = Shop.build(tmp_path / "shop", lifecycle="mutable")
    shop.looked("plan")
    with witness(shop, tmp_path / "witness") as line:
        known(shop, line)
        shop.declare(greeting="two")
        shop.looked("plan")
        assert "cosigned by" in shop.looked("ledger", "verify", "--color", "never")

    (ledger,) = shop.home.glob("projects/*/ledger")
    shutil.copytree(ledger, tmp_path / "before")
    shop.declare(greeting="three")
    assert "did not cosign" in shop.run("plan").stderr
    assert "cosigned by 0 of 1 witnesses" in shop.run("ledger", "verify", expect=8).stderr

    with witness(shop, tmp_path / "witness") as line:
        known(shop, line)
        shop.run("ledger", "checkpoint", "--cosign")
        shop.looked("ledger", "verify")
        shutil.rmtree(ledger)
        shutil.copytree(tmp_path / "before", ledger)
        shop.declare(greeting="four")
        assert "saw another ledger" in shop.run("plan").stderr + shop.run("ledger", "checkpoint", "--cosign", expect=4).stderr
        shop.run("ledger", "verify", expect=8)
