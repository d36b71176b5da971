"""What a notice can be asked for by name, and what vitrify writes into ledgers, is one list."""

from __future__ import annotations

from fnmatch import fnmatchcase

from entry_kinds import kinds_in_source
from vitrify.core.entry_kinds import KINDS
from vitrify.core.hook import OPERATIONS
from vitrify.core.notice import EVENTS
from vitrify.lifecycle.notices import SENTENCES
from vitrify.lifecycle.operation import SPOKEN


def test_every_kind_that_is_written_can_be_asked_for_and_no_other() -> None:
    written = kinds_in_source()

    unnamed = {kind: place for kind, place in written.items() if not any(fnmatchcase(known, kind) for known in KINDS)}
    nowhere = [known for known in KINDS if known not in written and not _filled_in(known, written)]

    assert unnamed == {}, "add them to `core/entry_kinds.py`"
    assert nowhere == [], "nothing writes these any more"


def _filled_in(kind: str, written: object) -> bool:
    """Whether it is one of the ends of an operation on a release, whose names are filled in."""
    story, _, end = kind.rpartition(".")
    assert isinstance(written, dict)
    return story in {*SPOKEN, *OPERATIONS, "apply", "undo"} and f"*.{end}" in written


def test_what_is_told_unasked_and_what_has_words_are_kinds_that_there_are() -> None:
    assert set(EVENTS) <= set(KINDS)
    assert set(SENTENCES) <= set(KINDS)
    assert len(set(KINDS)) == len(KINDS)
