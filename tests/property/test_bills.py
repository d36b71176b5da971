"""A bill of materials lists what it was made of, and nothing else decides its bytes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from vitrify.evidence.inventory import Part
from vitrify.evidence.sbom import bill, listed, urls


@settings(deadline=None)  # the first bill imports the library that writes it
@given(st.lists(st.builds(Part, st.sampled_from(["deb", "pypi"]), st.text("abc-", min_size=1), st.text("123.~+", min_size=1)), max_size=5))
def test_equal_parts_in_any_order_give_one_bill_and_it_lists_them_all(parts: list[Part]) -> None:
    made = bill(parts)
    assert made == bill(parts[::-1])
    assert listed(made) == urls(parts)
