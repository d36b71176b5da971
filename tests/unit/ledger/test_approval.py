"""An approval counts by its signature, its subject and its key; who has agreed is counted by name."""

from __future__ import annotations

import pytest

from vitrify.core.policy import Approvals
from vitrify.ledger.approval import Subject, approve, judged
from vitrify.ledger.keys import generate

ANN, BOB, EVE = generate("ann@desk"), generate("bob@desk"), generate("eve@cellar")
KEYS = (str(ANN.verifier), str(BOB.verifier))
SUBJECT = Subject("0123456789abcdef", "sha256:" + "a" * 64, "sha256:" + "b" * 64)
NOON = 1_770_091_506.789


def reason(note: str, subject: Subject = SUBJECT) -> str:
    (found,) = judged([note], subject, KEYS)
    return found.wrong


def test_an_author_s_signature_counts_and_says_when() -> None:
    (found,) = judged([approve(SUBJECT, ANN, now=NOON)], SUBJECT, KEYS)
    assert (found.key, found.at, found.wrong) == (str(ANN.verifier), "2026-02-03T04:05:06.789Z", "")


@pytest.mark.parametrize(
    "subject",
    [
        Subject("fedcba9876543210", SUBJECT.plan, SUBJECT.declaration),
        Subject(SUBJECT.project_id, SUBJECT.declaration, SUBJECT.declaration),
        Subject(SUBJECT.project_id, SUBJECT.plan, SUBJECT.plan),
    ],
)
def test_an_approval_of_another_project_plan_or_declaration_does_not_count(subject: Subject) -> None:
    assert reason(approve(subject, ANN, now=NOON)) == "it is for another plan"


def test_a_key_that_is_not_among_those_that_may_does_not_count() -> None:
    assert "unknown, expired or given up" in reason(approve(SUBJECT, EVE, now=NOON))
    assert "unknown, expired or given up" in reason(approve(SUBJECT, generate("ann@desk"), now=NOON))


def test_no_byte_of_an_approval_can_be_altered() -> None:
    note = approve(SUBJECT, ANN, now=NOON)
    for at, letter in enumerate(note):
        altered = note[:at] + chr(ord(letter) ^ 1) + note[at + 1 :]
        assert reason(altered), at


@pytest.mark.parametrize("note", ["", "x", "\n\n", "\ud800", "vitrify.dev/approval/x\n\n— ann@desk AAAAAAA=\n"])
def test_what_is_no_approval_is_judged_and_never_raises(note: str) -> None:
    assert reason(note)


def test_a_checkpoint_or_two_signatures_are_no_approval() -> None:
    assert reason(ANN.sign(b"vitrify.dev/ledger/0123456789abcdef\n1\nAAAA\n").decode()) == "it is no approval"
    note = approve(SUBJECT, ANN, now=NOON)
    assert reason(note + approve(SUBJECT, BOB, now=NOON).rpartition("\n\n")[2]) == "it is no approval"


def test_one_person_counts_once_whatever_they_sign_with() -> None:
    policy = Approvals(2, ("ann@desk", "bob@desk"))
    newer = str(generate("ann@desk").verifier)
    assert policy.given([KEYS[0], newer, KEYS[0]]) == ("ann@desk",)
    assert policy.missing([KEYS[0], newer]) == ("bob@desk",)
    assert policy.missing(KEYS) == ()


def test_a_policy_may_name_one_key_of_a_person() -> None:
    policy = Approvals(1, ("ann@desk+" + ANN.verifier.id.hex(),))
    assert policy.given(KEYS) == policy.keys
    assert policy.given([str(generate("ann@desk").verifier)]) == ()
    assert policy.given([str(EVE.verifier)]) == ()
