"""The ledger's specification tells the truth: its worked example is what the writer writes and the verifier accepts."""

from __future__ import annotations

import re
from pathlib import Path

from vitrify.ledger.checkpoint import Signer
from vitrify.ledger.log import Log
from vitrify.ledger.verify import Policy, verify
from vitrify.testing.memory_ledger import MemoryLedgerStore

TESTS = Path(__file__).parents[1]
PAGE = Path(__file__).parents[2].joinpath("docs", "formats", "ledger.md").read_text(encoding="utf-8")


class Noon:
    def now(self) -> float:
        return 1_770_091_506.789


def blocks() -> list[str]:
    example = PAGE[PAGE.index("## Worked example") :]
    return re.findall(r"```(?:text|json)\n(.*?)```", example, re.DOTALL)


def written() -> tuple[MemoryLedgerStore, Signer]:
    store, signer = MemoryLedgerStore(), Signer("ada@laptop", bytes(range(32)))
    log = Log(store, origin="vitrify.dev/ledger/0123456789abcdef", signer=signer, clock=Noon())
    log.append("apply.intended", {"operation": "op-1"})
    log.append("apply.done", {"operation": "op-1", "changes": 3})
    return store, signer


def test_the_worked_example_is_what_the_writer_writes() -> None:
    store, signer = written()
    keys, entries, leaves, checkpoint = blocks()
    first, second = entries.encode().splitlines()
    assert keys.splitlines() == [signer.secret_text(), str(signer.verifier)]
    assert store.files["tile/entries/000.p/2"] == b"\x00\x98" + first + b"\x00\xa0" + second
    assert store.files["tile/0/000.p/2"].hex() == leaves.replace("\n", "")
    assert store.files["checkpoint"] == store.files["state"] == checkpoint.encode()


def test_the_worked_example_has_the_files_that_the_page_names() -> None:
    store, _ = written()
    assert sorted(set(re.findall(r"`(tile/[0-9a-z]+/000\.p/[12])`", PAGE)) | {"checkpoint", "state"}) == list(store.paths(""))


def test_the_worked_example_verifies_out_of_the_page_alone() -> None:
    keys, entries, leaves, checkpoint = blocks()
    first, second = entries.encode().splitlines()
    files = {
        "checkpoint": checkpoint.encode(),
        "tile/entries/000.p/2": len(first).to_bytes(2, "big") + first + len(second).to_bytes(2, "big") + second,
        "tile/0/000.p/2": bytes.fromhex(leaves),
    }
    seen = verify(files.get, trust=Policy(tuple(keys.splitlines()[1:])), paths=files)
    assert (seen.problems, seen.size, seen.signed_by) == ((), 2, ("ada@laptop",))


def test_every_row_of_the_threat_table_names_a_test_that_is_there() -> None:
    table = PAGE[PAGE.index("| who | what they can do | seen | shown by |") :].partition("\n\n")[0].splitlines()[2:]
    named = [re.search(r"\| `(test_\w+)` \|$", row) for row in table]
    written = {
        name for path in TESTS.rglob("test_*.py") for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }

    assert len(table) >= 17
    assert all(named)
    assert {found[1] for found in named if found} <= written
