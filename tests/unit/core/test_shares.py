from __future__ import annotations

import pytest

from vitrify.core.shares import SLOTS, is_share, shared
from vitrify.core.timing import within


def test_replicas_fill_the_slots_in_turn() -> None:
    assert shared(["a", "b", "c"]) == ("a", "b", "c") * 6 + ("a", "b")


@pytest.mark.parametrize("percent", range(5, 100, 5))
def test_a_share_is_as_many_slots_and_leaves_every_other_where_it_was(percent: int) -> None:
    alone, beside = shared(["a", "b"]), shared(["a", "b"], ["x", "y"], percent)

    taken = [slot for slot in range(SLOTS) if beside[slot] in ("x", "y")]

    assert len(taken) == percent // 5
    assert all(beside[slot] == alone[slot] for slot in range(SLOTS) if slot not in taken)


def test_a_slot_that_a_share_has_taken_stays_with_it_and_its_address_while_it_grows() -> None:
    before = shared(["a"], ["x", "y"], 5)
    for percent in range(10, 100, 5):
        after = shared(["a"], ["x", "y"], percent)
        assert all(after[slot] == before[slot] for slot in range(SLOTS) if before[slot] != "a")
        before = after


def test_both_halves_are_spread_over_both_replicas() -> None:
    slots = shared(["a", "b"], ["x", "y"], 50)

    assert [slots.count(name) for name in "abxy"] == [5, 5, 5, 5]


@pytest.mark.parametrize("percent", [-5, 0, 1, 7, 99, 100, 105])
def test_a_share_is_five_to_ninety_five_in_steps_of_five(percent: int) -> None:
    assert not is_share(percent)


def test_so_many_of_a_hundred_were_done_within() -> None:
    hundred = [number / 100 for number in range(100, 0, -1)]

    assert within(hundred, 95) == 0.95
    assert within([3.0], 95) == 3.0
    assert within([1.0, 2.0], 95) == 2.0
    assert within([], 95) is None
