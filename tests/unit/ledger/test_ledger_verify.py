"""What the stranger's verifier says of honest ledgers, of keys, of held checkpoints and of bytes that are no ledger at all."""

from __future__ import annotations

import pytest

from vitrify.core.report import Verified
from vitrify.ledger.keys import generate
from vitrify.ledger.log import Log
from vitrify.ledger.verify import Kept, Policy, verify
from vitrify.testing.forged_ledger import forge
from vitrify.testing.memory_ledger import MemoryLedgerStore

ORIGIN = "vitrify.dev/0123456789abcdef"
ADA, EVE = generate("ada@laptop"), generate("eve@cellar")
KEY = str(ADA.verifier)


class Noon:
    def now(self) -> float:
        return 1_770_091_506.789


def honest(size: int) -> MemoryLedgerStore:
    store = MemoryLedgerStore()
    Log(store, origin=ORIGIN, signer=ADA, clock=Noon()).extend([("plan.made", {"n": number}) for number in range(size)])
    return store


def look(store: MemoryLedgerStore, *keys: str, held: bytes | None = None) -> Verified:
    return verify(store.read, trust=Policy(tuple(keys or [KEY])), origin=ORIGIN, kept=Kept(held), paths=store.paths(""))


@pytest.mark.parametrize("size", [256, 257, 511, 512, 700, 1025])
def test_a_quick_look_reads_what_is_new_and_little_else(size: int) -> None:
    store, read = honest(size), []
    log = Log(store, origin=ORIGIN, signer=ADA, clock=Noon())
    before = store.files["checkpoint"]
    log.extend([("plan.made", {})] * 10)

    def counting(path: str) -> bytes | None:
        read.append(path)
        return store.read(path)

    seen = verify(counting, trust=Policy((KEY,)), origin=ORIGIN, kept=Kept(proved=before))
    assert (seen.problems, seen.size) == ((), size + 10)
    assert sum(path.startswith("tile/entries") for path in read) <= 2


def test_an_honest_ledger_holds_and_is_described() -> None:
    store = honest(300)
    seen = look(store)
    root = store.files["checkpoint"].decode().split("\n")[2]
    assert seen == Verified(ORIGIN, 300, root, ("ada@laptop",), (), {"promised": 0, "unsigned": []})


def test_a_ledger_without_a_list_of_its_files_or_an_expected_origin_holds_as_well() -> None:
    assert verify(honest(5).read, trust=Policy((KEY,))).problems == ()


def test_an_empty_signed_ledger_holds() -> None:
    assert look(MemoryLedgerStore(forge([], origin=ORIGIN, signer=ADA))).problems == ()


def test_nothing_is_not_a_ledger() -> None:
    assert look(MemoryLedgerStore()).problems == ("the checkpoint is missing",)


def test_nothing_is_believed_without_a_key() -> None:
    seen = verify(honest(1).read, trust=Policy(()))
    assert seen.signed_by == ()
    assert seen.problems[0] == "no author's key was given: nothing can be believed"


@pytest.mark.parametrize(
    "key",
    ["", "ada", "ada@laptop+00000000+" + KEY.rsplit("+", 1)[1], KEY[:-3], "\ud800+aa+bb"],
    ids=["empty", "name alone", "wrong id", "cut short", "no text"],
)
def test_a_key_that_is_none_is_named(key: str) -> None:
    seen = look(honest(1), KEY, key)
    assert len(seen.problems) == 1
    assert "key" in seen.problems[0] or "id" in seen.problems[0]


def test_a_signature_of_an_unknown_key_beside_a_known_one_is_ignored() -> None:
    store = honest(3)
    note = store.files["checkpoint"]
    text = note[: note.rindex(b"\n\n") + 1]
    store.files["checkpoint"] = note + EVE.sign(text).partition(b"\n\n")[2]
    assert (look(store).signed_by, look(store).problems) == (("ada@laptop",), ())


def test_a_full_tile_may_stand_in_for_a_partial_one_that_was_put_away() -> None:
    small, large = honest(300), honest(512)
    small.files |= {path: large.files[path] for path in ("tile/0/001", "tile/entries/001")}
    for path in ("tile/0/001.p/44", "tile/entries/001.p/44"):
        del small.files[path]
    assert look(small).problems == ()


def test_a_held_checkpoint_of_the_past_is_a_beginning_of_the_ledger() -> None:
    for old in (1, 100, 255, 256, 299, 300):
        assert look(honest(300), held=honest(old).files["checkpoint"]).problems == ()


def test_a_held_checkpoint_shows_that_the_ledger_was_shortened() -> None:
    seen = look(honest(100), held=honest(101).files["checkpoint"])
    assert seen.problems == ("the held checkpoint covers 101 entries, but the ledger has only 100: it was shortened",)


@pytest.mark.parametrize("size", [100, 150])
def test_a_held_checkpoint_shows_that_the_ledger_was_rewritten_with_a_stolen_key(size: int) -> None:
    fork = MemoryLedgerStore()
    Log(fork, origin=ORIGIN, signer=ADA, clock=Noon()).extend([("plan.made", {"n": -number}) for number in range(size)])
    assert look(fork).problems == ()
    seen = look(fork, held=honest(100).files["checkpoint"])
    assert seen.problems == ("the held checkpoint is of another tree: the first 100 entries here have a different root",)


def test_an_interrupted_append_is_described_and_is_no_problem() -> None:
    store, longer = honest(3), honest(4)
    store.files |= {path: longer.files[path] for path in ("tile/0/000.p/4", "tile/entries/000.p/4")}
    assert look(store).details == {"promised": 0, "unsigned": ["tile/0/000.p/4", "tile/entries/000.p/4"]}
    store.files["state"] = longer.files["state"]
    seen = look(store)
    assert (seen.size, seen.problems, seen.details) == (3, (), {"promised": 1, "unsigned": []})


def test_a_thousand_faults_are_told_in_a_hundred_lines() -> None:
    entries = [b"{}"] * 1000
    seen = look(MemoryLedgerStore(forge(entries, origin=ORIGIN, signer=ADA)))
    assert len(seen.problems) == 101
    assert seen.problems[-1] == "and more: the first hundred problems are named"


def test_a_checkpoint_of_absurd_size_costs_no_time() -> None:
    store = honest(1)
    store.files["checkpoint"] = ADA.sign(f"{ORIGIN}\n999999999999999999\n{'A' * 43}=\n".encode())
    del store.files["tile/entries/000.p/1"]
    assert any("the walk ends" in problem for problem in look(store).problems)


def test_what_problems_quote_cannot_steer_a_terminal() -> None:
    store = honest(1)
    store.files["checkpoint"] = ADA.sign(f"evil\u009b31m\u202e\n1\n{'A' * 43}=\n".encode())
    store.files["tile/\u009b2J"] = b""
    seen = look(store)
    assert seen.origin == "evil\\x9b31m\\u202e"
    assert all(text.isascii() for text in seen.problems)
