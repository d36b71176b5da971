"""An entry is one canonical byte string, or a clear refusal."""

from __future__ import annotations

import pytest

from vitrify.core.diagnostic import IntegrityFailed, VitrifyError
from vitrify.core.digest import JSON, JSONObject
from vitrify.ledger.entry import LARGEST, Entry, decode, timestamp
from vitrify.ledger.verify.entry import entry_problem


def an_entry(body: JSONObject, *, kind: str = "plan.made") -> Entry:
    return Entry(sequence=3, at="2026-02-03T04:05:06.789Z", author="ada@laptop", kind=kind, body=body)


def test_the_bytes_are_canonical_json_in_the_order_of_rfc_8785() -> None:
    data = an_entry({"b": 1, "a": ["ü", None, True], "€": "\n\x01"}).encode()
    assert data.decode() == (
        '{"at":"2026-02-03T04:05:06.789Z","author":"ada@laptop","body":{"a":["ü",null,true],"b":1,"€":"\\n\\u0001"},'
        '"kind":"plan.made","schema":"vitrify.dev/entry/v1","sequence":3}'
    )


def test_names_are_sorted_by_utf_16_units_and_not_by_code_points() -> None:
    data = an_entry({"\ufb33": 1, "\U0001f600": 2}).encode()
    assert data.index("\U0001f600".encode()) < data.index("\ufb33".encode())
    assert entry_problem(data, 3) == ""


def test_an_entry_reads_back_as_it_was() -> None:
    entry = an_entry({"n": -(2**53) + 1, "nested": {"list": [1, "two", {}]}})
    assert decode(entry.encode()) == entry
    assert entry_problem(entry.encode(), 3) == ""


def test_the_largest_entry_fits_and_one_byte_more_is_refused_with_a_way_out() -> None:
    room = LARGEST - len(an_entry({"x": ""}).encode())
    assert len(an_entry({"x": "y" * room}).encode()) == LARGEST
    with pytest.raises(VitrifyError, match="would have 65,536 bytes") as caught:
        an_entry({"x": "y" * (room + 1)}).encode()
    assert "digest" in caught.value.diagnostics[0].hint


@pytest.mark.parametrize(
    "value", [1.5, [0.0], {"deep": [float("nan")]}, 2**53, "\udcff"], ids=["float", "in a list", "nan", "too large", "not UTF-8"]
)
def test_what_has_no_one_spelling_is_refused(value: JSON) -> None:
    with pytest.raises(VitrifyError):
        an_entry({"x": value}).encode()


@pytest.mark.parametrize("kind", ["", "Plan", "plan made", "plan.", ".plan", "plan\n", "plän"])
def test_a_kind_is_lower_case_words(kind: str) -> None:
    with pytest.raises(VitrifyError, match="no kind of ledger entry"):
        an_entry({}, kind=kind).encode()


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"{}", b'{"schema":"vitrify.dev/entry/v2"}', b'{"schema":"vitrify.dev/entry/v1"}', b"\xff", b"[" * 100_000],
)
def test_bytes_that_are_no_entry_are_named_so(data: bytes) -> None:
    with pytest.raises(IntegrityFailed):
        decode(data)
    assert entry_problem(data, 0)


def test_times_are_utc_cut_to_milliseconds() -> None:
    assert timestamp(0) == "1970-01-01T00:00:00.000Z"
    assert timestamp(1_770_091_506.7899) == "2026-02-03T04:05:06.789Z"


GOOD = an_entry({"a": 1}).encode()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (GOOD.replace(b'"sequence":3', b'"sequence":4'), "number 4"),
        (GOOD.replace(b'"sequence":3', b'"sequence":true'), "number True"),
        (GOOD.replace(b'"sequence":3', b'"sequence":03'), "not canonical JSON"),
        (GOOD.replace(b"{", b"{ ", 1), "not in canonical form"),
        (b" " + GOOD, "not in canonical form"),
        (GOOD + b"\n", "not in canonical form"),
        (GOOD.replace(b'"a":1', b'"a":1.0'), "not whole"),
        (GOOD.replace(b'"a":1', b'"a":-0'), "not in canonical form"),
        (GOOD.replace(b'"a":1', b'"a":1e3'), "not whole"),
        (GOOD.replace(b'"a":1', b'"a":NaN'), "not whole"),
        (GOOD.replace(b'"a":1', b'"a":9007199254740992'), "beyond"),
        (GOOD.replace(b'"a":1', b'"a":1,"a":1'), "twice"),
        (GOOD.replace(b'"a":1', b'"b":2,"a":1'), "out of order"),
        (GOOD.replace(b'"a":1', b'"a":"\\u0041"'), "not in canonical form"),
        (GOOD.replace(b'"a":1', b'"a":"\\ud800"'), "not canonical JSON"),
        (GOOD.replace(b'"a":1', b'"a":"\xff"'), "not canonical JSON"),
        (GOOD.replace(b'"a":1', b'"a":' + b"[" * 9000 + b"]" * 9000), "not canonical JSON"),
        (GOOD.replace(b"entry/v1", b"entry/v2"), "schema"),
        (GOOD.replace(b".789Z", b"Z"), "time"),
        (GOOD.replace(b"2026-02-03", b"2026-02-30"), "time"),
        (GOOD.replace(b"ada@laptop", b""), "author"),
        (GOOD.replace(b"plan.made", b"Plan"), "kind"),
        (GOOD.replace(b'{"a":1}', b"[]"), "body"),
        (GOOD[:-1] + b',"z":1}', "fields"),
        (b"7", "fields"),
    ],
)
def test_the_verifier_names_what_is_wrong_with_an_entry(data: bytes, problem: str) -> None:
    assert problem in entry_problem(data, 3)
