"""A host keeps of a ledger what continues what it saw, and refuses what contradicts it; it checks that without a signature."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from vitrify.core.diagnostic import Busy
from vitrify.core.digest import JSONObject
from vitrify.core.event import silence
from vitrify.core.growth import grown
from vitrify.core.step import carry_on
from vitrify.ledger.keys import generate
from vitrify.ledger.log import Log
from vitrify.ledger.mirror import Mirror, concerns
from vitrify.ledger.proof import consistency
from vitrify.ledger.tree import leaf, root
from vitrify.onhost.context import Context
from vitrify.onhost.scope import Here
from vitrify.onhost.testimony import keep, seen, tree_of
from vitrify.resources.registry import all_kinds
from vitrify.testing.memory_ledger import MemoryLedgerStore

ORIGIN = "vitrify.dev/ledger/0123456789abcdef"
ADA = generate("ada@laptop")
LEAVES = [leaf(str(number).encode()) for number in range(300)]


class Noon:
    def now(self) -> float:
        return 1_770_091_506.789


def hash_at(height: int, index: int) -> bytes:
    return root(LEAVES[index << height : (index + 1) << height])


def a_mirror(size: int) -> Mirror:
    log = Log(MemoryLedgerStore(), origin=ORIGIN, signer=ADA, clock=Noon())
    log.extend([("plan", {"n": number}) for number in range(size)])
    return Mirror(log, "ada@laptop, in /home/ada")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 33, 64, 255, 256, 257, 300])
def test_a_tree_that_grew_is_told_from_one_that_did_not(size: int) -> None:
    for old in range(size + 1):
        before, after = (old, root(LEAVES[:old])), (size, root(LEAVES[:size]))
        proof = consistency(old, size, hash_at)
        assert grown(before, after, proof)
        if old and old < size:
            assert not grown((old, leaf(b"x")), after, proof)
            assert not grown(before, (size, leaf(b"x")), proof)
            assert not grown(before, after, proof[:-1])
            assert not grown(before, after, (*proof, LEAVES[0]))
            assert not grown(before, after, (LEAVES[299], *proof[1:]))
    assert not grown((size + 1, LEAVES[0]), (size, root(LEAVES[:size])), ())


def test_a_host_hears_of_what_concerns_it_and_of_what_concerns_nobody() -> None:
    mirror = a_mirror(2)
    mirror.log.append("apply.intended", {"host": "a"})
    mirror.log.append("apply.intended", {"host": "b"})
    mirror.log.append("batch.tried", {"hosts": ["a", "b"]})
    told = mirror.news("a", since=1)["ledger"]
    assert isinstance(told, dict)
    entries = told["entries"]
    assert isinstance(entries, list)
    assert [json.loads(str(entry))["sequence"] for entry in entries] == [1, 2, 4]
    assert mirror.news("a", since=1) == {}, "it was told already"
    assert [concerns(entry, "c") for entry in mirror.log.entries()] == [True, True, False, False, False]


def test_a_host_s_word_is_judged_by_who_signed_it() -> None:
    mirror, other = a_mirror(5), a_mirror(9)
    assert mirror.judged({}, "a") == 0
    assert mirror.judged({"checkpoint": note(a_mirror(3)), "home": "elsewhere"}, "a") == 3
    assert mirror.judged({"checkpoint": note(a_mirror(3)).replace("3", "4", 1), "home": "elsewhere"}, "a") == 0
    with pytest.raises(Busy, match="lives at bob@desk"):
        mirror.judged({"checkpoint": note(other), "home": "bob@desk"}, "a")


def note(mirror: Mirror) -> str:
    return (mirror.log.store.read("checkpoint") or b"").decode()


@pytest.mark.parametrize("text", ["", "x", "a\n-1\nAA==\n", "a\n1\n!\n", "a\n²\nAA==\n"])
def test_what_is_no_checkpoint_says_no_tree(text: str) -> None:
    assert tree_of(text) is None


def test_a_checkpoint_says_its_tree() -> None:
    mirror = a_mirror(3)
    assert tree_of(note(mirror)) == (3, mirror.log.head().root)


def the_call(folder: Path, news: JSONObject) -> JSONObject:
    """What `keep` is given, without a whole target around it."""
    return {"scope": {"target": "folder", "root": str(folder), "project": "shop", "server": "db", "memory": f"{folder}/memory"}, **news}


def test_a_fork_is_refused_and_what_was_seen_stays(tmp_path: Path) -> None:
    context = Context(emit=silence, blob=lambda _: b"", reached=carry_on, kinds=all_kinds(), clock=lambda: 0.0)
    first, fork = a_mirror(3), a_mirror(2)
    fork.log.extend([("plan.forged", {})] * 3)
    here = Here.at(context, the_call(tmp_path, {}))
    here.memory.prepare()
    keep(here, first.news("a", since=0))
    before = seen(here)
    assert before == {"checkpoint": note(first), "home": "ada@laptop, in /home/ada"}
    with pytest.raises(Busy, match="lives at ada@laptop"):
        keep(here, fork.news("a", since=3))
    same = a_mirror(2)
    same.log.append("plan.forged", {})
    with pytest.raises(Busy):
        keep(here, same.news("a", since=0))
    keep(here, a_mirror(2).news("a", since=0))
    assert seen(here) == before, "what is older is not gone back to"
    first.log.append("plan", {})
    keep(here, first.news("a", since=3))
    assert str(seen(here)["checkpoint"]).split("\n")[1] == "4"
    assert base64.b64decode(str(seen(here)["checkpoint"]).split("\n")[2]) == first.log.head().root
