from __future__ import annotations

import hashlib
import hmac

import pytest

from vitrify.core.digest import canonical, digest_bytes, digest_of, keyed_digest


def test_the_canonical_form_has_sorted_keys_no_spaces_and_plain_utf8() -> None:
    assert canonical({"b": [1, True, None], "a": {"ü": "☃"}}) == '{"a":{"ü":"☃"},"b":[1,true,null]}'.encode()


def test_a_digest_ignores_the_order_of_keys() -> None:
    assert digest_of({"a": 1, "b": {"c": 2, "d": 3}}) == digest_of({"b": {"d": 3, "c": 2}, "a": 1})


@pytest.mark.parametrize("other", [{"a": "1"}, {"a": True}, {"a": [1]}, {"a": 1, "b": None}, {"A": 1}, {}, [{"a": 1}], {"a": -1}])
def test_a_digest_ignores_nothing_else(other: object) -> None:
    assert digest_of(other) != digest_of({"a": 1})


def test_the_order_of_a_list_counts() -> None:
    assert digest_of([1, 2]) != digest_of([2, 1])


@pytest.mark.parametrize("value", [1.5, [0.1], {"a": {"b": (1, 2.0)}}])
def test_a_float_is_refused_for_it_has_no_one_spelling(value: object) -> None:
    with pytest.raises(TypeError, match="float"):
        canonical(value)


def test_names_that_are_not_utf8_have_a_digest_too() -> None:
    name = b"\xff".decode("utf-8", "surrogateescape")

    assert canonical([name]) == b'["\xff"]'


def test_a_digest_names_its_algorithm() -> None:
    assert digest_bytes(b"") == "sha256:" + hashlib.sha256(b"").hexdigest()


def test_a_keyed_digest_needs_the_key() -> None:
    assert keyed_digest(b"secret", key=b"k") == "hmac-sha256:" + hmac.new(b"k", b"secret", "sha256").hexdigest()
    assert keyed_digest(b"secret", key=b"k") != keyed_digest(b"secret", key=b"l")
