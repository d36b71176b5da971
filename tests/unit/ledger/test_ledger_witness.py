"""A witness cosigns what continues what it saw, and nothing else; the ledger gathers cosignatures, and a verifier counts them."""

from __future__ import annotations

import base64

import pytest

from vitrify.core.diagnostic import TargetUnreachable
from vitrify.core.ledger_report import Cosigned
from vitrify.ledger.checkpoint import note_text
from vitrify.ledger.cosignature import Cosigner, WitnessKey
from vitrify.ledger.cosigning import cosign
from vitrify.ledger.keys import generate
from vitrify.ledger.log import Log
from vitrify.ledger.receipt import receipt
from vitrify.ledger.stored import LedgerStore
from vitrify.ledger.verify import Policy, verify
from vitrify.ledger.verify.receipt import check_receipt
from vitrify.ledger.witness import SIZE, Answer, Known, Witness
from vitrify.testing.memory_ledger import MemoryLedgerStore

ORIGIN = "vitrify.dev/ledger/0123456789abcdef"
ADA, EVE = generate("ada@laptop"), generate("eve@cellar")
W1, W2 = Cosigner(generate("w1.example")), Cosigner(generate("w2.example"))


class Noon:
    def now(self) -> float:
        return 1_770_091_506.789


class Killed(BaseException):
    pass


class DyingStore(MemoryLedgerStore):
    """Its process is killed as soon as something was kept."""

    def write(self, path: str, content: bytes) -> None:
        super().write(path, content)
        raise Killed


class Near:
    """A witness that is called directly, and can be away."""

    def __init__(self, cosigner: Cosigner = W1, *, away: bool = False) -> None:
        self.witness = Witness(cosigner, {ORIGIN: Known((str(ADA.verifier),))}, MemoryLedgerStore(), Noon())
        self.away = away
        self.answers: list[int] = []

    @property
    def key(self) -> WitnessKey:
        return self.witness.cosigner.key

    def add_checkpoint(self, request: bytes) -> Answer:
        if self.away:
            raise TargetUnreachable("nobody answers")
        answer = self.witness.add_checkpoint(request)
        self.answers.append(answer.status)
        return answer


def a_log(size: int = 0, *, what: str = "plan.made") -> Log:
    log = Log(MemoryLedgerStore(), origin=ORIGIN, signer=ADA, clock=Noon())
    log.extend([(what, {"n": number}) for number in range(size)])
    return log


def files_of(store: LedgerStore) -> dict[str, bytes]:
    assert isinstance(store, MemoryLedgerStore)
    return store.files


def note(log: Log) -> bytes:
    found = log.store.read("checkpoint")
    assert found is not None
    return found


def request(log: Log, *, old: int, size: int | None = None) -> bytes:
    proof = log.consistency(old) if old <= log.size else ()
    lines = b"".join(base64.b64encode(part) + b"\n" for part in proof)
    return b"old %d\n" % (old if size is None else size) + lines + b"\n" + note(log)


def policy(*keys: WitnessKey, quorum: int) -> Policy:
    return Policy((str(ADA.verifier),), witnesses=tuple(map(str, keys)), quorum=quorum)


def test_a_witness_s_key_says_its_name_and_type_and_is_read_back() -> None:
    assert WitnessKey.parse(str(W1.key)) == W1.key
    assert base64.b64decode(str(W1.key).split("+", 2)[2])[0] == 4
    with pytest.raises(Exception, match="no public key of a witness"):
        WitnessKey.parse(str(ADA.verifier))


def test_a_first_checkpoint_is_cosigned_and_so_is_what_continues_it() -> None:
    near, log = Near(), a_log(3)
    assert cosign(log, [near]) == Cosigned(3, ("w1.example",))
    log.extend([("plan.made", {})] * 300)
    assert cosign(log, [near]) == Cosigned(303, ("w1.example",))
    assert near.answers == [200, 409, 200]
    assert verify(log.store.read, trust=policy(W1.key, quorum=1), paths=log.store.paths("")).problems == ()
    assert cosign(log, [near]) == Cosigned(303, ("w1.example",)), "what is cosigned is not asked for again"
    assert len(near.answers) == 3


def test_a_verifier_counts_the_witnesses_that_it_trusts() -> None:
    log = a_log(2)
    seen = verify(log.store.read, trust=policy(W1.key, W2.key, quorum=1))
    assert seen.problems == ("the checkpoint of 2 entries is cosigned by 0 of 1 witnesses",)
    told = cosign(log, [Near(), Near(W2, away=True)])
    assert told.missing == (("w2.example", "nobody answers"),)
    assert verify(log.store.read, trust=policy(W1.key, W2.key, quorum=1)).details["witnessed_by"] == ["w1.example"]
    assert verify(log.store.read, trust=policy(W1.key, W2.key, quorum=2)).problems


def test_a_cosignature_over_another_text_or_at_another_time_is_seen() -> None:
    log = a_log(2)
    cosign(log, [Near()])
    text, lines = note_text(note(log)), note(log)
    whole = lines.rsplit(b" ", 1)
    moved = bytearray(base64.b64decode(whole[1]))
    moved[11] ^= 1  # the last byte of the time
    forged = whole[0] + b" " + base64.b64encode(bytes(moved)) + b"\n"
    assert W1.key.among(text, forged[len(text) + 1 :]) is None
    store = MemoryLedgerStore({**files_of(log.store), "checkpoint": forged})
    assert "wrong signature by w1.example" in verify(store.read, trust=policy(W1.key, quorum=1)).problems[0]


def test_the_state_of_a_cosigned_ledger_needs_no_mending_and_the_next_append_goes_on() -> None:
    log = a_log(2)
    cosign(log, [Near()])
    before = note(log)
    log.recover()
    assert note(log) == before
    log.append("plan.made", {})
    assert verify(log.store.read, trust=policy(W1.key, quorum=0)).problems == ()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda sent: sent[:0], 400),
        (lambda sent: sent.replace(b"old 2", b"old 02", 1), 400),
        (lambda sent: sent.replace(b"old 2", b"old -2", 1), 400),
        (lambda sent: sent.replace(b"old 2", b"old 7", 1), 400),
        (lambda sent: sent.replace(b"old 2", b"old 1", 1), 409),
        (lambda sent: sent.replace(b"\n", b"\nnot base64\n", 1), 400),
        (lambda sent: sent.replace(b"\n", b"\n" + base64.b64encode(b"x" * 32) + b"\n", 1), 422),
        (lambda sent: sent.replace(ORIGIN.encode(), b"vitrify.dev/ledger/ffffffffffffffff"), 404),
        (lambda sent: sent.replace(b"\n5\n", b"\n6\n"), 403),
        (lambda sent: sent[: sent.index("— ".encode())], 400),
        (lambda sent: sent + b"x" * (1 << 16), 400),
        (lambda sent: sent, 200),
    ],
)
def test_every_request_gets_the_answer_that_the_protocol_gives_it(change: object, status: int) -> None:
    assert callable(change)
    near, log = Near(), a_log(2)
    near.add_checkpoint(request(log, old=0))
    log.extend([("plan.made", {})] * 3)
    kept = dict(files_of(near.witness.store))
    answer = near.witness.add_checkpoint(change(request(log, old=2)))
    assert answer.status == status, answer
    if status == 409:
        assert (answer.body, answer.media) == (b"2\n", SIZE)
    if status != 200:
        assert files_of(near.witness.store) == kept


def test_a_rollback_a_fork_and_a_stranger_s_signature_are_refused() -> None:
    near, log = Near(), a_log(5)
    near.add_checkpoint(request(log, old=0))
    shorter, fork = a_log(4), a_log(5, what="plan.forged")
    assert near.witness.add_checkpoint(request(shorter, old=4)).status == 409
    assert near.witness.add_checkpoint(request(shorter, old=5)).status == 400
    assert near.witness.add_checkpoint(request(fork, old=5)).status == 409
    longer = a_log(9, what="plan.forged")
    assert near.witness.add_checkpoint(request(longer, old=5)).status == 422
    stranger = Log(MemoryLedgerStore(), origin=ORIGIN, signer=EVE, clock=Noon())
    stranger.extend([("plan.made", {"n": number}) for number in range(6)])
    assert near.witness.add_checkpoint(request(stranger, old=5)).status == 403
    told = cosign(shorter, [near])
    assert told.missing == (("w1.example", "the witness w1.example saw another ledger than this one: 5 entries, not 4"),)


def test_what_was_cosigned_is_kept_before_the_cosignature_is_given() -> None:
    store, log = DyingStore(), a_log(2)
    known = {ORIGIN: Known((str(ADA.verifier),))}
    with pytest.raises(Killed):
        Witness(W1, known, store, Noon()).add_checkpoint(request(log, old=0))
    again = Witness(W1, known, MemoryLedgerStore(store.files), Noon())
    assert again.add_checkpoint(request(log, old=0)).body == b"2\n"
    assert again.add_checkpoint(request(log, old=2)).status == 200


def test_a_former_author_s_signature_counts_up_to_where_the_key_was_given_up() -> None:
    log = a_log(3)
    known = Known((str(EVE.verifier),), {str(ADA.verifier): 3})
    witness = Witness(W1, {ORIGIN: known}, MemoryLedgerStore(), Noon())
    assert witness.add_checkpoint(request(log, old=0)).status == 200
    log.append("plan.made", {})
    assert witness.add_checkpoint(request(log, old=3)).status == 403


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 300])
def test_a_receipt_proves_its_entry_to_a_stranger(size: int) -> None:
    log = a_log(size)
    cosign(log, [Near()])
    for number in {0, size // 2, size - 1}:
        shown = check_receipt(receipt(log, number), trust=policy(W1.key, quorum=1), origin=ORIGIN)
        assert (shown.problems, shown.number, shown.size) == ((), number, size)
        assert shown.entry == next(log.entries(number)).encode()


def test_no_altered_receipt_is_believed() -> None:
    data = receipt(a_log(5), 3)
    for at in range(len(data)):
        altered = data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]
        assert check_receipt(altered, trust=policy(quorum=0), origin=ORIGIN).problems, at
    assert check_receipt(data.replace(b"index 3", b"index 2"), trust=policy(quorum=0)).problems
    assert check_receipt(data, trust=policy(quorum=0), origin="vitrify.dev/ledger/x").problems
    assert check_receipt(data, trust=Policy((str(EVE.verifier),))).problems
