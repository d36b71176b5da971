"""How an apply goes through the hosts of a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrify.core.batch import ALL, Pace, Share

shares = st.builds(Share, st.integers(0, 100), st.booleans())


@pytest.mark.parametrize(("text", "share"), [("3", Share(3)), ("25%", Share(25, percent=True)), ("0", Share(0)), ("100%", ALL)])
def test_a_share_is_a_count_or_a_percentage(text: str, share: Share) -> None:
    assert Share.parse(text) == share
    assert str(share) == text


@pytest.mark.parametrize("text", ["", "-1", "101%", "1.5", "ten", "10 %", "1e3", "9999999"])
def test_anything_else_is_no_share(text: str) -> None:
    assert Share.parse(text) is None


def test_the_last_size_is_used_until_no_host_is_left() -> None:
    pace = Pace((Share(1), Share(20, percent=True)))
    assert [len(batch) for batch in pace.batches(range(10))] == [1, 2, 2, 2, 2, 1]


def test_without_a_size_all_hosts_are_one_batch() -> None:
    assert Pace().batches("abc") == (("a", "b", "c"),)


@given(st.lists(shares, min_size=1, max_size=4), st.integers(0, 60))
def test_every_host_is_in_one_batch_and_in_order(sizes: list[Share], hosts: int) -> None:
    batches = Pace(tuple(sizes)).batches(range(hosts))
    assert [host for batch in batches for host in batch] == list(range(hosts))
    assert all(batches)


@pytest.mark.parametrize(("most", "may"), [("0", 0), ("2", 2), ("25%", 2), ("100%", 10)])
def test_an_apply_ends_once_more_failed_than_may(most: str, may: int) -> None:
    share = Share.parse(most)
    assert share
    pace = Pace(max_fail=share)
    assert not pace.enough(may, of=10)
    assert pace.enough(may + 1, of=10)


@pytest.mark.parametrize("pace", [Pace(), Pace((Share(1), Share(25, percent=True)), max_fail=Share(10, percent=True))])
def test_a_pace_is_read_as_it_was_written_and_what_is_not_said_is_as_usual(pace: Pace) -> None:
    assert Pace.from_json(pace.to_json()) == pace
    assert Pace.from_json({}) == Pace()
