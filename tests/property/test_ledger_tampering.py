"""Every way of tampering that the format's threat table names, tried on ledgers of several sizes; and no honest one accused."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable

import pytest
from tests.amount import amount

from altered_entries import ALL_WAYS, EVERYWHERE
from tampering import ADA, MALLORY, ORIGIN, SIZES, TAMPERS, W1, W2, Files, Noon, cosigned, honest, large, look, size_of
from vitrify.ledger.log import Log
from vitrify.testing.memory_ledger import MemoryLedgerStore


@pytest.mark.parametrize("name", TAMPERS)
def test_tampering_is_seen_in_ledgers_of_every_size(name: str) -> None:
    chance = random.Random(name)  # noqa: S311 - a test's choices, not a secret
    for size in SIZES:
        files = honest(size)
        tampered = TAMPERS[name](dict(files), chance)
        assert tampered != files
        assert look(tampered).problems, f"{name} was not seen at size {size}"


def test_tampering_chosen_at_random_is_seen_without_exception(record_property: Callable[[str, object], None]) -> None:
    tries, seed = amount("ledger", daily=300), random.randrange(2**32)  # noqa: S311 - a test's choices, not a secret
    chance, ledger = random.Random(seed), functools.cache(honest)  # noqa: S311 - the same
    for _ in range(tries):
        name, size = chance.choice(sorted(TAMPERS)), chance.randint(2, 300)
        assert look(TAMPERS[name](dict(ledger(size)), chance)).problems, f"{name} was not seen at size {size} (seed {seed})"
    record_property("note", f"ledger: {tries} of {tries} random alterations seen, {len(TAMPERS)} classes, seed {seed}")


def test_an_entry_altered_at_any_position_is_seen(record_property: Callable[[str, object], None]) -> None:
    whole, done = amount("ledger", daily=0) > 0, 0
    names = sorted(EVERYWHERE)
    for size in range(1, 301) if whole else (1, 2, 3, 20, 256, 257):
        files = honest(size)
        for at in range(size) if whole or size < 100 else (0, 127, 254, size - 1):
            for how in names if size in ALL_WAYS or not whole else (names[(at + size) % len(names)],):
                tampered = EVERYWHERE[how](files, at)
                if tampered != files:
                    assert look(tampered).problems, f"{how} of entry {at} of {size} was not seen"
                    done += 1
    record_property("note", f"ledger: {done} of {done} alterations of an entry or of its hash seen, {len(names)} ways, at every position")


def test_every_tile_and_bundle_of_a_ledger_counts() -> None:
    for size in range(1, 301) if amount("ledger", daily=0) else (1, 255, 256, 300):
        files = honest(size)
        for path in [path for path in files if path.startswith("tile")]:
            for content in (None, b"", files[path][:-32], files[path] + b"\0" * 32, files[path][::-1]):
                changed = {name: data for name, data in files.items() if name != path}
                tampered = changed if content is None else changed | {path: content}
                assert tampered == files or look(tampered).problems, f"{path} of {size}"


def test_tampering_is_seen_in_a_ledger_of_70_000_entries(record_property: Callable[[str, object], None]) -> None:
    chance, files, done = random.Random(70_000), large(70_000), 0  # noqa: S311 - a test's choices, not a secret
    assert look(files).problems == ()
    for name in sorted(TAMPERS) if amount("ledger", daily=0) else ("flip a bit of a bundle",):
        if not name.startswith("forge"):
            assert look(TAMPERS[name](dict(files), chance)).problems, name
            done += 1
    above = [path for path in files if path.startswith(("tile/1/", "tile/2/"))]
    assert len(above) == 3
    above = above if amount("ledger", daily=0) else above[:1]
    for path in above:
        assert look(files | {path: bytes([files[path][0] ^ 1]) + files[path][1:]}).problems, path
    ways = sorted(EVERYWHERE)
    for number, first in enumerate(range(0, 70_000, 256 if amount("ledger", daily=0) else 70_000)):
        tampered = EVERYWHERE[ways[number % len(ways)]](files, min(first + chance.randrange(256), 69_999))
        assert look(tampered).problems, f"{ways[number % len(ways)]} in the bundle of entry {first}"
        done += 1
    record_property("note", f"ledger: {done + len(above)} of {done + len(above)} alterations of 70,000 entries seen, one in each bundle")


def test_no_honest_ledger_is_accused_whatever_its_size_portions_witnesses_and_former_looks() -> None:
    chance = random.Random()  # noqa: S311 - a test's choices, not a secret
    for _ in range(1_000 if amount("ledger", daily=0) else 30):
        store = MemoryLedgerStore()
        log = Log(store, origin=ORIGIN, signer=ADA, clock=Noon(), actor={"user": "ada"} if chance.random() < 0.5 else {})
        looks = []
        for _ in range(chance.randint(1, 4)):
            log.extend([("plan.made", {"n": chance.random() < 0.5})] * chance.randint(1, 120))
            looks.append(store.files["checkpoint"])
        files = cosigned(store.files, W1, W2) if chance.random() < 0.5 else store.files
        quorum = files["checkpoint"].count(b"example")
        assert look(files, held=chance.choice(looks), quorum=quorum).problems == ()
        assert look(files, proved=chance.choice(looks), quorum=quorum).problems == ()


COSIGNED: dict[str, Callable[[Files], Files]] = {
    "strip one cosignature": lambda files: cosigned(files, W1),
    "strip both": lambda files: files,
    "one witness twice": lambda files: cosigned(files, W1, W1),
    "a stranger under a witness's name": lambda files: cosigned(files, MALLORY, W2),
    "cosignatures of an older checkpoint": lambda files: (
        files | {"checkpoint": files["checkpoint"] + cosigned(honest(size_of(files) - 1), W1, W2)["checkpoint"].rpartition(b"\n\n")[2]}
    ),
    "an author's signature in a witness's name": lambda files: (
        cosigned(files, W1)
        | {
            "checkpoint": cosigned(files, W1)["checkpoint"]
            + files["checkpoint"].rpartition(b"\n\n")[2].replace(b"ada@laptop", b"w2.example")
        }
    ),
}


@pytest.mark.parametrize("name", COSIGNED)
def test_a_quorum_of_witnesses_cannot_be_feigned(name: str) -> None:
    for size in SIZES:
        files = honest(size)
        assert look(cosigned(files, W1, W2), quorum=2).problems == ()
        assert look(COSIGNED[name](files), quorum=2).problems, size


@pytest.mark.parametrize("old", [1, 100, 255, 256, 257])
def test_a_quick_look_sees_what_was_done_to_what_is_new_and_to_the_hashes_of_what_is_old(old: int) -> None:
    files, before = honest(600), honest(old)["checkpoint"]
    assert look(files, proved=before).problems == ()
    for path in ("tile/entries/001", "tile/0/001", "tile/entries/002.p/88", "tile/0/002.p/88", "tile/1/000.p/2"):
        content = bytearray(files[path])
        content[len(content) // 2] ^= 1
        assert look(files | {path: bytes(content)}, proved=before).problems, path
    assert look(honest(600, what="plan.forged"), proved=before).problems


def rollback(files: Files) -> Files:
    return honest(size_of(files) - 1)


def fork(files: Files) -> Files:
    return honest(size_of(files) + 3, what="plan.forged")


@pytest.mark.parametrize("tamper", [rollback, fork])
def test_only_a_held_checkpoint_tells_a_rollback_and_a_fork_by_the_true_key(tamper: Callable[[Files], Files]) -> None:
    for size in SIZES:
        files = honest(size)
        tampered = tamper(files)
        assert look(tampered).problems == ()
        assert look(tampered, held=files["checkpoint"]).problems


def test_witnesses_who_are_all_in_it_are_told_by_a_held_checkpoint_alone() -> None:
    for size in SIZES:
        files = honest(size)
        rewritten = cosigned(fork(files), W1, W2)
        assert look(rewritten, quorum=2).problems == ()
        assert look(rewritten, quorum=2, held=files["checkpoint"]).problems


def test_every_single_byte_of_a_small_ledger_counts() -> None:
    store = MemoryLedgerStore()
    log = Log(store, origin=ORIGIN, signer=ADA, clock=Noon())
    for number in range(3):
        log.append("plan.made", {"n": number})
    assert len(store.files) == 8
    for path, content in store.files.items():
        for at in range(len(content)):
            altered = content[:at] + bytes([content[at] ^ (1 << at % 8)]) + content[at + 1 :]
            assert look(store.files | {path: altered}).problems, f"byte {at} of {path}"


def test_no_honest_ledger_up_to_300_entries_is_accused() -> None:
    store = MemoryLedgerStore()
    log = Log(store, origin=ORIGIN, signer=ADA, clock=Noon())
    for number in range(300):
        held = store.files.get("checkpoint")
        log.append("plan.made", {"n": number})
        seen = look(store.files, held=held)
        assert (seen.problems, seen.size, seen.details["unsigned"]) == ((), number + 1, [])


@pytest.mark.slow
@pytest.mark.parametrize("size", [511, 512, 513, 65_535, 65_537])
def test_no_honest_ledger_around_the_edges_of_tiles_is_accused(size: int) -> None:
    files = honest(size)
    assert (look(files).problems, look(files).size) == ((), size)
    assert look(files, held=honest(256)["checkpoint"]).problems == ()
