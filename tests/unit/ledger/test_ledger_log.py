"""Appending, reading, finding and proving; and what an append that was interrupted, or tampered with, leaves to the next one."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from vitrify.core.diagnostic import IntegrityFailed, UsageInvalid, VitrifyError
from vitrify.core.report import Verified
from vitrify.ledger.keys import generate
from vitrify.ledger.log import Log
from vitrify.ledger.proof import extends, includes
from vitrify.ledger.verify import Kept, Policy, verify
from vitrify.testing.memory_ledger import MemoryLedgerStore

ORIGIN = "vitrify.dev/0123456789abcdef"
ADA, BOB = generate("ada@laptop"), generate("bob@desk")
STEPS = ("ledger.tiles", "ledger.state", "ledger.checkpoint")


class Noon:
    def now(self) -> float:
        return 1_770_091_506.789


class Killed(BaseException):
    pass


class CountingStore(MemoryLedgerStore):
    reads = 0

    def read(self, path: str) -> bytes | None:
        self.reads += 1
        return super().read(path)


def a_log(store: MemoryLedgerStore, *, size: int = 0) -> Log:
    log = Log(store, origin=ORIGIN, signer=ADA, clock=Noon())
    log.extend([("plan.made", {"n": number}) for number in range(size)])
    return log


def look(store: MemoryLedgerStore, *, held: bytes | None = None) -> Verified:
    return verify(store.read, trust=Policy((str(ADA.verifier), str(BOB.verifier))), origin=ORIGIN, kept=Kept(held), paths=store.paths(""))


def killed_at(step: str, log: Log, count: int = 1) -> None:
    def reached(name: str) -> None:
        if name == step:
            raise Killed

    with pytest.raises(Killed):
        replace(log, reached=reached).extend([("apply.intended", {"operation": "lost"})] * count)


def test_a_new_ledger_is_empty() -> None:
    log = a_log(MemoryLedgerStore())
    assert (log.size, list(log.entries()), log.find("x")) == (0, [], ())


def test_an_entry_says_number_time_author_and_what_happened() -> None:
    entry = a_log(MemoryLedgerStore(), size=2).append("switch.intended", {"operation": "op-1"})
    assert (entry.sequence, entry.at, entry.author, entry.kind) == (2, "2026-02-03T04:05:06.789Z", "ada@laptop", "switch.intended")


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0], ids=["forwards", "backwards"])
def test_a_clock_that_is_set_changes_no_order_and_what_was_written_still_verifies(jump: float) -> None:
    class Set(Noon):
        def now(self) -> float:
            return super().now() + jump

    store = MemoryLedgerStore()
    log = a_log(store, size=2)
    replace(log, clock=Set()).append("apply.intended", {"operation": "op-1"})
    log.append("apply.done", {"operation": "op-1"})

    assert [entry.sequence for entry in log.entries()] == [0, 1, 2, 3]
    assert [entry.kind for entry in log.find("op-1")] == ["apply.intended", "apply.done"]
    assert look(store).problems == ()


def test_entries_come_back_in_order_from_any_number_on() -> None:
    log = a_log(MemoryLedgerStore(), size=300)
    assert [entry.sequence for entry in log.entries()] == list(range(300))
    assert [entry.body["n"] for entry in log.entries(254)] == list(range(254, 300))
    assert list(log.entries(300)) == []


def test_finding_an_operation_gives_its_entries_and_no_others() -> None:
    log = a_log(MemoryLedgerStore(), size=3)
    log.append("switch.intended", {"operation": "op-1"})
    log.append("note", {"text": "op-1 went well"})
    log.append("switched", {"operation": "op-1"})
    assert [entry.kind for entry in log.find("op-1")] == ["switch.intended", "switched"]
    log.append("switched", {"operation": 'ü"\n'})
    assert [entry.sequence for entry in log.find('ü"\n')] == [6]


def test_one_by_one_and_all_at_once_lead_to_the_same_tree() -> None:
    single, batch = a_log(MemoryLedgerStore(), size=250), a_log(MemoryLedgerStore(), size=260)
    for number in range(250, 260):
        single.append("plan.made", {"n": number})
    assert single.head() == batch.head()


def test_partial_tiles_are_kept_while_their_tile_fills_and_put_away_after() -> None:
    store = MemoryLedgerStore()
    log = a_log(store)
    log.extend([("plan.made", {})] * 254)
    log.append("plan.made", {})
    assert store.paths("tile/0") == ("tile/0/000.p/254", "tile/0/000.p/255")
    log.append("plan.made", {})
    log.append("plan.made", {})
    assert store.paths("tile") == ("tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/1")


def test_appending_reads_a_few_files_however_long_the_ledger() -> None:
    store = CountingStore()
    log = a_log(store, size=2000)
    store.reads = 0
    log.append("plan.made", {})
    assert store.reads < 20


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 300])
def test_every_entry_and_every_older_head_is_proved_by_the_tiles(size: int) -> None:
    log = a_log(MemoryLedgerStore(), size=size)
    head = log.head()
    for sequence in {0, size // 2, size - 1}:
        data = next(log.entries(sequence)).encode()
        digest = hashlib.sha256(b"\x00" + data).digest()
        assert includes(head.root, size, leaf=digest, index=sequence, proof=log.inclusion(sequence))
    for old in {1, size // 2 or 1, size}:
        older = a_log(MemoryLedgerStore(), size=old).head()
        assert extends(older.root, old, root=head.root, size=size, proof=log.consistency(old))


def test_two_authors_take_turns_and_each_checks_the_other() -> None:
    store = MemoryLedgerStore()
    ada = Log(store, origin=ORIGIN, signer=ADA, clock=Noon(), trusted=(str(BOB.verifier),))
    bob = Log(store, origin=ORIGIN, signer=BOB, clock=Noon(), trusted=(str(ADA.verifier),))
    ada.append("plan.made", {})
    bob.append("plan.approved", {})
    assert [entry.author for entry in ada.entries()] == ["ada@laptop", "bob@desk"]
    assert look(store).signed_by == ("bob@desk",)
    with pytest.raises(IntegrityFailed, match="nobody known"):
        a_log(store).append("plan.made", {})


@pytest.mark.parametrize("before", [0, 1, 254, 255, 256, 300])
@pytest.mark.parametrize("step", STEPS)
def test_an_interrupted_append_is_mended_by_the_next_one(before: int, step: str) -> None:
    store = MemoryLedgerStore()
    log = a_log(store, size=before)
    killed_at(step, log)
    if before or step == "ledger.checkpoint":
        assert look(store).problems == ()
    log.append("apply.intended", {"operation": "again"})
    assert look(store) == replace(look(store), problems=(), details={"promised": 0, "unsigned": []})
    assert len(log.find("lost")) == (1 if step in ("ledger.state", "ledger.checkpoint") else 0)
    assert len(log.find("again")) == 1


@pytest.mark.parametrize("step", STEPS[:1])
def test_what_was_not_signed_is_dropped_also_where_more_was_lost_than_comes_next(step: str) -> None:
    store = MemoryLedgerStore()
    log = a_log(store, size=250)
    killed_at(step, log, count=6)
    assert look(store).details["unsigned"]
    log.append("apply.intended", {})
    assert (look(store).problems, look(store).details["unsigned"]) == ((), [])


def test_what_somebody_put_beside_the_ledger_is_never_signed() -> None:
    store, planted = MemoryLedgerStore(), MemoryLedgerStore()
    log = a_log(store, size=2)
    a_log(planted, size=3)
    for path in ("tile/0/000.p/3", "tile/entries/000.p/3"):
        store.files[path] = planted.files[path]
    entry = log.append("plan.made", {"mine": True})
    assert (entry.sequence, list(log.entries())[2].body) == (2, {"mine": True})


def test_a_shortened_ledger_is_not_appended_to_where_an_older_head_is_held() -> None:
    store = MemoryLedgerStore()
    a_log(store, size=5)
    held, short = store.files["checkpoint"], MemoryLedgerStore()
    with pytest.raises(IntegrityFailed, match="shortened"):
        replace(a_log(short, size=3), held=held).append("plan.made", {})


def test_a_rewritten_ledger_is_not_appended_to_where_an_older_head_is_held() -> None:
    store, other = MemoryLedgerStore(), MemoryLedgerStore()
    a_log(store, size=5)
    log = replace(a_log(other), held=store.files["checkpoint"])
    replace(log, held=None).extend([("plan.made", {"forged": True})] * 9)
    with pytest.raises(IntegrityFailed, match="rewritten below entry 5"):
        log.append("plan.made", {})


def test_the_signed_promise_undoes_a_rollback_of_the_checkpoint_alone() -> None:
    store = MemoryLedgerStore()
    log = a_log(store, size=3)
    old = store.files["checkpoint"]
    log.append("plan.made", {})
    store.files["checkpoint"] = old
    assert log.append("plan.made", {}).sequence == 4
    assert look(store).problems == ()


@pytest.mark.parametrize("path", ["tile/0/000.p/5", "tile/entries/000.p/5", "state", "checkpoint"])
def test_nothing_is_built_upon_an_altered_file(path: str) -> None:
    store = MemoryLedgerStore()
    log = a_log(store, size=5)
    content = bytearray(store.files[path])
    content[7] ^= 1
    store.files[path] = bytes(content)
    before = dict(store.files)
    with pytest.raises(IntegrityFailed):
        log.append("plan.made", {})
    assert store.files == before


@pytest.mark.parametrize("path", ["tile/0/000.p/5", "tile/entries/000.p/5"])
def test_nothing_is_built_upon_a_missing_file(path: str) -> None:
    store = MemoryLedgerStore()
    log = a_log(store, size=5)
    del store.files[path]
    with pytest.raises(IntegrityFailed, match="lacks"):
        log.append("plan.made", {})


def test_a_ledger_whose_head_was_taken_away_is_not_begun_anew() -> None:
    store = MemoryLedgerStore()
    log = a_log(store)
    for _ in range(3):
        log.append("plan.made", {})
    del store.files["checkpoint"], store.files["state"]
    with pytest.raises(IntegrityFailed, match="no checkpoint"):
        log.append("plan.made", {})


def test_a_ledger_without_its_state_goes_on_from_its_checkpoint() -> None:
    store = MemoryLedgerStore()
    log = a_log(store, size=5)
    del store.files["state"]
    assert log.append("plan.made", {}).sequence == 5
    assert look(store).problems == ()


def test_an_entry_that_cannot_be_written_leaves_the_ledger_as_it_was() -> None:
    store = MemoryLedgerStore()
    log = a_log(store, size=2)
    before = dict(store.files)
    with pytest.raises(VitrifyError):
        log.append("plan.made", {"text": "x" * 70_000})
    assert store.files == before


@pytest.mark.parametrize("origin", ["", "two\nlines"])
def test_an_origin_is_one_line(origin: str) -> None:
    with pytest.raises(UsageInvalid):
        Log(MemoryLedgerStore(), origin=origin, signer=ADA, clock=Noon())
