"""Whatever bytes are given to a parser of the ledger, it ends at once in a value or in a refusal, and believes no wrong signature."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.amount import amount

from spoiling import spoiled
from vitrify.core.diagnostic import DeclarationInvalid, IntegrityFailed, UsageInvalid
from vitrify.ledger.approval import Subject, approve, judged
from vitrify.ledger.checkpoint import Verifier, open_checkpoint
from vitrify.ledger.cosignature import Cosigner, WitnessKey
from vitrify.ledger.entry import Entry, decode
from vitrify.ledger.keys import generate
from vitrify.ledger.log import Log
from vitrify.ledger.receipt import receipt
from vitrify.ledger.stored import join_bundle, split_bundle
from vitrify.ledger.verify import Policy
from vitrify.ledger.verify.entry import entry_problem
from vitrify.ledger.verify.files import sort_paths
from vitrify.ledger.verify.note import read_head, trusted_keys
from vitrify.ledger.verify.problems import Problems
from vitrify.ledger.verify.receipt import check_receipt
from vitrify.ledger.witness import Known, Witness
from vitrify.project import identity
from vitrify.testing.memory_ledger import MemoryLedgerStore

N = amount("ledger-fuzz", daily=3_000)
LONGEST = 1.0
"""Seconds of a processor that one input may take."""
ORIGIN = "vitrify.dev/ledger/0123456789abcdef"
ADA, EVE = generate("ada@laptop"), generate("eve@cellar")
W1 = Cosigner(generate("w1.example"))
SUBJECT = Subject("0123456789abcdef", "sha256:" + "a" * 64, "sha256:" + "b" * 64)


class Noon:
    def now(self) -> float:
        return 1_770_091_506.789


def a_log(size: int) -> Log:
    log = Log(
        MemoryLedgerStore(), origin=ORIGIN, signer=ADA, clock=Noon(), actor={"user": "ada", "host": "laptop", "ci": {"system": "gitlab"}}
    )
    log.extend([("plan.made", {"n": number, "näme": [True, None, {"a": "\u2028", "\U0001f600": ""}]}) for number in range(size)])
    return log


LOG = a_log(5)
NOTE = LOG.store.read("checkpoint") or b""
TEXT = NOTE.partition(b"\n\n")[0] + b"\n"
COSIGNED = NOTE + W1.line(TEXT, at=Noon().now())
ENTRIES = tuple(entry.encode() for entry in LOG.entries())
POLICY = Policy((str(ADA.verifier),), {str(EVE.verifier): 3}, (str(W1.key),), 1)
TRUSTED = trusted_keys(POLICY, Problems())
APPROVAL = approve(SUBJECT, ADA, now=Noon().now()).encode()
KEYS = f"""\
# us
project 0123456789abcdef
author {ADA.verifier} until 2030-01-01
retired {EVE.verifier} 7
witness {W1.key} http://w1:1/
quorum 1
"""
WITNESS = Witness(W1, {ORIGIN: Known((str(ADA.verifier),))}, MemoryLedgerStore(), Noon())
REQUEST = b"old 0\n\n" + NOTE
PATHS = b"checkpoint\nstate\ntile/0/000.p/5\ntile/entries/000.p/5\ntile/0/x001/234\ntile/63/x001/x234/067.p/255"


def a_head(data: bytes) -> None:
    head = read_head(data, "the note", TRUSTED, Problems())
    if head is not None and head.signed_by:
        assert data.startswith(TEXT), "a text was believed that nobody signed"


def a_checkpoint(data: bytes) -> None:
    open_checkpoint(data, origin=ORIGIN, trusted=[ADA.verifier])
    assert data.startswith(TEXT), "a text was believed that nobody signed"


def an_entry(data: bytes) -> None:
    if entry_problem(data, 2) == "":
        found = decode(data)
        assert found.encode() == data, "two readings of one entry"


def an_entry_again(data: bytes) -> None:
    entry = decode(data)
    assert isinstance(entry, Entry)


def a_bundle(data: bytes) -> None:
    entries = split_bundle(data)
    assert entries is None or join_bundle(entries) == data


def a_receipt(data: bytes) -> None:
    found = check_receipt(data, trust=POLICY, origin=ORIGIN)
    if not found.problems:
        assert found.entry == ENTRIES[found.number], "an entry was believed that is not there"


def an_approval(data: bytes) -> None:
    (found,) = judged([data.decode("utf-8", "replace")], SUBJECT, [str(ADA.verifier)])
    if not found.wrong:
        assert data.partition(b"\n\n")[0] == APPROVAL.partition(b"\n\n")[0]


def a_witness_s_request(data: bytes) -> None:
    answer = WITNESS.add_checkpoint(data)
    assert answer.status in (200, 400, 403, 404, 409, 422)
    if answer.status == 200:
        assert data.partition(b"\n\n")[2].startswith(TEXT), "a text was cosigned that no author signed"


def cosignatures(data: bytes) -> None:
    line = W1.key.among(TEXT, data)
    assert line is None or line in COSIGNED, "a cosignature was believed that nobody made"


def a_key(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for parse in (Verifier.parse, WitnessKey.parse):
        try:
            assert str(parse(text)) == text
        except UsageInvalid:
            continue


def keys_of_a_project(data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    found = identity._parsed(Path("vitrify.keys"), text)  # noqa: SLF001  a million files would take longer
    assert not {*found.authors} & {*found.former}


def paths(data: bytes) -> None:
    sort_paths(data.decode("utf-8", "replace").split("\n"), 5, Problems())


PARSERS: dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]] = {
    "note, as a verifier reads it": (a_head, (NOTE, COSIGNED, EVE.sign(TEXT))),
    "checkpoint, as a writer reads it": (a_checkpoint, (NOTE, COSIGNED)),
    "entry, as a verifier reads it": (an_entry, ENTRIES),
    "entry, as a writer reads it": (an_entry_again, ENTRIES),
    "bundle": (a_bundle, (join_bundle(ENTRIES), join_bundle(ENTRIES[:1]))),
    "receipt": (a_receipt, (receipt(LOG, 3).replace(NOTE, COSIGNED), receipt(LOG, 0))),
    "approval": (an_approval, (APPROVAL, NOTE)),
    "request to a witness": (a_witness_s_request, (REQUEST, b"old 5\n\n" + NOTE)),
    "cosignatures": (cosignatures, (COSIGNED[len(NOTE) :], NOTE)),
    "key": (a_key, (str(ADA.verifier).encode(), str(W1.key).encode())),
    "vitrify.keys": (keys_of_a_project, (KEYS.encode(),)),
    "paths of a ledger": (paths, (PATHS,)),
}


@pytest.mark.parametrize("name", PARSERS)
def test_no_input_makes_a_parser_of_the_ledger_fail_hang_or_believe(name: str, record_property: Callable[[str, object], None]) -> None:
    parse, seeds = PARSERS[name]
    seed = random.randrange(2**32)  # noqa: S311 - a test's choices, not a secret
    chance, longest, refused = random.Random(seed), 0.0, 0  # noqa: S311 - the same
    for seed_input in seeds:
        tried(parse, seed_input)
    for _ in range(N):
        data = spoiled(seeds, chance)
        begun = time.process_time()
        refused += tried(parse, data, told=f"seed {seed}")
        longest = max(longest, time.process_time() - begun)
    assert longest < LONGEST
    record_property("note", f"ledger-fuzz: {name}: {N} inputs, {refused} refused by an error of ours, none failed, seed {seed}")


def tried(parse: Callable[[bytes], None], data: bytes, *, told: str = "") -> bool:
    """Whether it was refused; anything but a value or a refusal fails, and tells the input."""
    try:
        parse(data)
    except (IntegrityFailed, UsageInvalid, DeclarationInvalid):
        return True
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error} for {data!r} {told}") from error
    return False
