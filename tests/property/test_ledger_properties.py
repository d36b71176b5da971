"""What holds for every ledger, whatever is put in it and in whatever portions."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as some
from tests.amount import amount

from vitrify.core.digest import JSONObject
from vitrify.ledger.checkpoint import open_note
from vitrify.ledger.entry import decode, timestamp
from vitrify.ledger.keys import generate
from vitrify.ledger.log import Log
from vitrify.ledger.proof import consistency, extends, includes, inclusion
from vitrify.ledger.tree import leaf, place, root, split
from vitrify.ledger.verify import Kept, Policy, verify
from vitrify.ledger.verify.entry import entry_problem
from vitrify.testing.memory_ledger import MemoryLedgerStore

ORIGIN = "vitrify.dev/0123456789abcdef"
ADA = generate("ada@laptop")
N = amount("ledger", daily=100)
LEAVES = [leaf(str(number).encode()) for number in range(2000)]

texts = some.text(some.characters(exclude_categories=["Cs"]), max_size=8)
bodies = some.dictionaries(
    texts,
    some.recursive(
        some.none() | some.booleans() | some.integers(-(2**53) + 1, 2**53 - 1) | texts,
        lambda inner: some.lists(inner, max_size=3) | some.dictionaries(texts, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


class Noon:
    def now(self) -> float:
        return 1_770_091_506.789


def hash_at(height: int, index: int) -> bytes:
    return root(LEAVES[index << height : (index + 1) << height])


@settings(max_examples=N, deadline=None)
@given(some.lists(bodies, max_size=5))
def test_whatever_is_appended_is_read_back_and_verifies(happenings: list[JSONObject]) -> None:
    store = MemoryLedgerStore()
    log = Log(store, origin=ORIGIN, signer=ADA, clock=Noon())
    added = log.extend([("plan.made", body) for body in [{}, *happenings]])
    assert tuple(log.entries()) == added
    assert [decode(entry.encode()) for entry in added] == list(added)
    assert verify(store.read, trust=Policy((str(ADA.verifier),)), paths=store.paths("")).problems == ()


@settings(max_examples=max(30, N // 20), deadline=None)
@given(some.lists(some.integers(1, 300), min_size=1, max_size=4))
def test_the_portions_in_which_entries_come_leave_no_trace_in_the_tree(portions: list[int]) -> None:
    store, whole = MemoryLedgerStore(), MemoryLedgerStore()
    log = Log(store, origin=ORIGIN, signer=ADA, clock=Noon())
    for portion in portions:
        log.extend([("plan.made", {})] * portion)
    Log(whole, origin=ORIGIN, signer=ADA, clock=Noon()).extend([("plan.made", {})] * sum(portions))
    assert store.files["checkpoint"] == whole.files["checkpoint"]
    assert verify(store.read, trust=Policy((str(ADA.verifier),)), paths=store.paths("")).problems == ()


@settings(max_examples=N, deadline=None)
@given(some.integers(1, len(LEAVES)), some.data())
def test_a_ledger_of_n_entries_proves_every_m(size: int, data: some.DataObject) -> None:
    old, index = data.draw(some.integers(0, size)), data.draw(some.integers(0, size - 1))
    whole = root(LEAVES[:size])
    assert extends(root(LEAVES[:old]), old, root=whole, size=size, proof=consistency(old, size, hash_at))
    assert includes(whole, size, leaf=LEAVES[index], index=index, proof=inclusion(index, size, hash_at))


@settings(max_examples=N, deadline=None)
@given(some.integers(1, len(LEAVES)), some.integers(0, len(LEAVES)), some.lists(some.sampled_from(LEAVES), max_size=12))
def test_a_made_up_proof_proves_nothing(size: int, other: int, proof: list[bytes]) -> None:
    whole = root(LEAVES[:size])
    assert not includes(whole, size, leaf=leaf(b"not in it"), index=other % size, proof=proof)
    if 0 < other < size:
        assert not extends(leaf(b"no such root"), other, root=whole, size=size, proof=proof)


@given(some.integers(2, 2**60))
def test_a_tree_splits_at_the_largest_power_of_two_below_its_size(size: int) -> None:
    half = split(size)
    assert half < size <= 2 * half
    assert half & (half - 1) == 0


@given(some.integers(0, 40), some.integers(0, 2**40))
def test_a_subtree_never_spreads_over_two_tiles(height: int, index: int) -> None:
    level, tile, start, end = place(height, index)
    assert 0 <= start < end <= 256
    assert (tile * 256 + start) << (8 * level) == index << height


@given(some.floats(0, 4e9))
def test_every_time_is_written_as_the_format_wants_it(seconds: float) -> None:
    log = Log(MemoryLedgerStore(), origin=ORIGIN, signer=ADA, clock=Noon())
    entry = log.append("plan.made", {}).encode()
    assert entry_problem(entry.replace(b"2026-02-03T04:05:06.789Z", timestamp(seconds).encode()), 0) == ""


@settings(max_examples=N, deadline=None)
@given(
    some.dictionaries(
        some.sampled_from(["checkpoint", "state", "tile/0/000.p/1", "tile/entries/000.p/1", "tile/0/000"]), some.binary(max_size=300)
    )
)
def test_no_bytes_whatever_make_the_verifier_raise(files: dict[str, bytes]) -> None:
    assert verify(files.get, trust=Policy((str(ADA.verifier),)), kept=Kept(files.get("state")), paths=files).problems


@settings(max_examples=N, deadline=None)
@given(some.binary(max_size=80))
def test_no_entry_whatever_makes_the_verifier_raise(data: bytes) -> None:
    assert entry_problem(data, 0)


@settings(max_examples=N, deadline=None)
@given(some.binary(max_size=200), some.lists(texts, max_size=3), some.integers(0, 200))
def test_a_spoiled_honest_ledger_never_makes_the_verifier_raise(noise: bytes, paths: list[str], at: int) -> None:
    store = MemoryLedgerStore()
    Log(store, origin=ORIGIN, signer=ADA, clock=Noon()).extend([("plan.made", {})] * 2)
    for path, content in list(store.files.items()):
        store.files[path] = content[:at] + noise + content[at + len(noise) :]
    verify(store.read, trust=Policy((str(ADA.verifier),)), paths=[*store.paths(""), *paths])


@given(some.text(some.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_every_text_that_ends_its_line_can_be_signed_and_opened(text: str) -> None:
    note = ADA.sign(f"{text}\n".encode())
    assert open_note(note, [ADA.verifier]) == f"{text}\n".encode()
