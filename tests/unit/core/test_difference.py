from __future__ import annotations

import pytest
from wishes import directory, seen

from vitrify.core.difference import Action, Change, difference
from vitrify.core.resource import MISSING, Properties, Sureness

WISH = directory("/srv")


def change(desired: Properties, found: Properties) -> Change | None:
    return difference(WISH, desired=desired, seen=seen(WISH, **found))


def test_nothing_differs_where_every_wished_property_holds() -> None:
    assert change({"type": "file", "mode": "0644"}, {"type": "file", "mode": "0644", "owner": "anybody"}) is None


def test_nothing_is_to_be_done_about_what_is_absent_already() -> None:
    assert difference(WISH, desired=MISSING, seen=seen(WISH)) is None


def test_a_wish_without_properties_is_always_fulfilled() -> None:
    assert change({}, {"type": "file"}) is None


@pytest.mark.parametrize(
    ("desired", "found", "action", "because"),
    [
        ({"type": "file", "mode": "0644"}, {"type": "missing"}, Action.CREATE, ("is missing",)),
        ({"type": "file", "mode": "0644"}, {"type": "link", "to": "x"}, Action.REPLACE, ("is link",)),
        ({"type": "file", "mode": "0644"}, {"type": "file", "mode": "0600"}, Action.UPDATE, ("mode 0600 -> 0644",)),
        ({"type": "missing"}, {"type": "file"}, Action.REMOVE, ("is to be absent",)),
        ({"type": "file", "content": "sha256:a"}, {"type": "file", "content": "sha256:b"}, Action.UPDATE, ("content differs",)),
        ({"type": "file", "owner": "root"}, {"type": "file"}, Action.UPDATE, ("owner is not set",)),
        ({"type": "x", "a": True, "b": 1}, {"type": "x", "a": False, "b": 2}, Action.UPDATE, ("a differs", "b differs")),
    ],
    ids=lambda value: value.value if isinstance(value, Action) else "",
)
def test_a_change_says_what_it_does_and_why(desired: Properties, found: Properties, action: Action, because: tuple[str, ...]) -> None:
    made = change(desired, found)

    assert made is not None
    assert (made.action, made.because) == (action, because)
    assert (made.before, made.after) == (found, desired)


def test_true_is_not_mistaken_for_one_nor_text_for_a_number() -> None:
    assert change({"type": "x", "port": "1"}, {"type": "x", "port": 1}) is not None


def test_a_change_reads_what_it_wrote() -> None:
    made = Change(
        WISH, Action.UPDATE, {"a": 1}, {"a": [None, {"b": "ü"}]}, ("a differs",), Sureness.OPAQUE, undoable=False, diff="-a\n+b\n"
    )

    assert Change.from_json(made.to_json()) == made


def test_what_is_no_change_is_not_read_as_one() -> None:
    data = Change(WISH, Action.NONE, {}, {}).to_json()

    with pytest.raises(TypeError, match="not a change"):
        Change.from_json({**data, "before": []})
