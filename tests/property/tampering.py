"""Honest ledgers, and every way of tampering with one that the format's threat table names."""

from __future__ import annotations

import random
from collections.abc import Callable

from vitrify.core.report import Verified
from vitrify.ledger.checkpoint import Checkpoint
from vitrify.ledger.cosignature import Cosigner
from vitrify.ledger.keys import generate
from vitrify.ledger.log import Log
from vitrify.ledger.stored import join_bundle, split_bundle
from vitrify.ledger.tree import leaf
from vitrify.ledger.verify import Kept, Policy, verify
from vitrify.testing.forged_ledger import forge
from vitrify.testing.memory_ledger import MemoryLedgerStore

ORIGIN = "vitrify.dev/0123456789abcdef"
ADA, EVE = generate("ada@laptop"), generate("eve@cellar")
W1, W2, MALLORY = (Cosigner(generate(name)) for name in ("w1.example", "w2.example", "w1.example"))
SIZES = (2, 3, 100, 255, 256, 257, 300)

Files = dict[str, bytes]
Tamper = Callable[[Files, random.Random], Files]


class Noon:
    def now(self) -> float:
        return 1_770_091_506.789


def honest(size: int, *, what: str = "plan.made") -> Files:
    store = MemoryLedgerStore()
    Log(store, origin=ORIGIN, signer=ADA, clock=Noon()).extend([(what, {"n": number}) for number in range(size)])
    return store.files


def look(files: Files, *, held: bytes | None = None, quorum: int = 0, proved: bytes | None = None) -> Verified:
    store = MemoryLedgerStore(files)
    trust = Policy((str(ADA.verifier),), {}, (str(W1.key), str(W2.key)), quorum)
    return verify(store.read, trust=trust, origin=ORIGIN, kept=Kept(held, proved), paths=store.paths(""))


def cosigned(files: Files, *witnesses: Cosigner) -> Files:
    note = files["checkpoint"]
    text = note.rpartition(b"\n\n")[0] + b"\n"
    return files | {"checkpoint": note + b"".join(witness.line(text, at=Noon().now()) for witness in witnesses)}


def size_of(files: Files) -> int:
    return int(files["checkpoint"].split(b"\n")[1])


def some(files: Files, prefix: str, chance: random.Random) -> str:
    return chance.choice(sorted(path for path in files if path.startswith(prefix)))


def entries_of(files: Files) -> list[bytes]:
    bundles = sorted(path for path in files if path.startswith("tile/entries"))
    return [entry for path in bundles for entry in split_bundle(files[path]) or ()]


def rebundled(change: Callable[[list[bytes], random.Random], list[bytes]]) -> Tamper:
    """Change the entries of one bundle, and leave everything else as it was."""

    def tamper(files: Files, chance: random.Random) -> Files:
        path = some(files, "tile/entries", chance)
        return files | {path: join_bundle(change(list(split_bundle(files[path]) or ()), chance))}

    return tamper


def renoted(change: Callable[[bytes], bytes]) -> Tamper:
    """Change the checkpoint and its copy in the state."""

    def tamper(files: Files, _: random.Random) -> Files:
        note = change(files["checkpoint"])
        assert note != files["checkpoint"]
        return files | {"checkpoint": note, "state": note}

    return tamper


def resigned(change: Callable[[str], str]) -> Tamper:
    """Change the checkpoint's text and sign it with the true key: what its thief could do."""
    return renoted(lambda note: ADA.sign(change(note.decode().rpartition("\n\n")[0] + "\n").encode()))


def reforged(change: Callable[[list[bytes], random.Random], list[bytes]]) -> Tamper:
    """Change the entries and make every hash and signature anew with the true key: malformed entries must still be seen."""
    return lambda files, chance: forge(change(entries_of(files), chance), origin=ORIGIN, signer=ADA)


def without_one(parts: list[bytes], chance: random.Random) -> list[bytes]:
    at = chance.randrange(len(parts))
    return parts[:at] + parts[at + 1 :]


def with_one_more(parts: list[bytes], chance: random.Random) -> list[bytes]:
    at = chance.randrange(len(parts))
    return [*parts[:at], b"{}", *parts[at:]]


def with_one_twice(parts: list[bytes], chance: random.Random) -> list[bytes]:
    at = chance.randrange(len(parts))
    return [*parts[: at + 1], *parts[at:]]


def with_two_swapped(parts: list[bytes], _: random.Random) -> list[bytes]:
    return parts[::-1] if len(parts) > 1 else [b"{}"]


def with_two_as_one(parts: list[bytes], _: random.Random) -> list[bytes]:
    return [parts[0] + len(parts[1]).to_bytes(2, "big") + parts[1], *parts[2:]] if len(parts) > 1 else []


def with_one_edited(parts: list[bytes], chance: random.Random) -> list[bytes]:
    at = chance.randrange(len(parts))
    return [*parts[:at], parts[at].replace(b"ada@laptop", b"bob@laptop"), *parts[at + 1 :]]


def with_one_spaced(parts: list[bytes], chance: random.Random) -> list[bytes]:
    at = chance.randrange(len(parts))
    return [*parts[:at], parts[at].replace(b'"body":', b'"body": '), *parts[at + 1 :]]


def with_a_name_twice(parts: list[bytes], _: random.Random) -> list[bytes]:
    return [parts[0].replace(b'"at":', b'"at":"2026-02-03T04:05:06.789Z","at":'), *parts[1:]]


def bundle_and_tile_together(files: Files, chance: random.Random) -> Files:
    bundle = some(files, "tile/entries", chance)
    entries = with_one_edited(list(split_bundle(files[bundle]) or ()), chance)
    tile = bundle.replace("entries", "0")
    return files | {bundle: join_bundle(entries), tile: b"".join(map(leaf, entries))}


def moved(source: str, target: str) -> Tamper:
    def tamper(files: Files, chance: random.Random) -> Files:
        path = some(files, source, chance)
        return {name: content for name, content in files.items() if name != path} | {path.replace(source, target, 1): files[path]}

    return tamper


def shortened(prefix: str, by: int) -> Tamper:
    def tamper(files: Files, chance: random.Random) -> Files:
        path = some(files, prefix, chance)
        return files | {path: files[path][:-by]}

    return tamper


def lengthened(prefix: str, by: bytes) -> Tamper:
    def tamper(files: Files, chance: random.Random) -> Files:
        path = some(files, prefix, chance)
        return files | {path: files[path] + by}

    return tamper


def removed(prefix: str) -> Tamper:
    def tamper(files: Files, chance: random.Random) -> Files:
        path = some(files, prefix, chance)
        return {name: content for name, content in files.items() if name != path}

    return tamper


def added(path: str, content: bytes = b"x" * 32) -> Tamper:
    return lambda files, _: files | {path: content}


def flipped(prefix: str) -> Tamper:
    def tamper(files: Files, chance: random.Random) -> Files:
        path = some(files, prefix, chance)
        content = bytearray(files[path])
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        return files | {path: bytes(content)}

    return tamper


def of_another_ledger(prefix: str) -> Tamper:
    def tamper(files: Files, chance: random.Random) -> Files:
        other = honest(size_of(files), what="plan.forged")
        path = some(files, prefix, chance)
        return files | {path: other[path]}

    return tamper


def wider_partial(files: Files, chance: random.Random) -> Files:
    """A partial tile under the name of another width."""
    path = some(files, "tile/0/", chance)
    width = path.rpartition("/")[2] if ".p/" in path else ""
    renamed = f"{path.rpartition('/')[0]}/{int(width) - 1}" if width not in ("", "1") else f"{path}.p/7"
    return {name: content for name, content in files.items() if name != path} | {renamed: files[path]}


TAMPERS: dict[str, Tamper] = {
    "flip a bit of a bundle": flipped("tile/entries"),
    "flip a bit of a tile": flipped("tile/0"),
    "flip a bit of the checkpoint": flipped("checkpoint"),
    "flip a bit of the state": flipped("state"),
    "edit an entry": rebundled(with_one_edited),
    "delete an entry": rebundled(without_one),
    "insert an entry": rebundled(with_one_more),
    "duplicate an entry": rebundled(with_one_twice),
    "reorder entries": rebundled(with_two_swapped),
    "let one length swallow the next entry": rebundled(with_two_as_one),
    "edit an entry and its tile": bundle_and_tile_together,
    "cut a bundle short": shortened("tile/entries", 1),
    "cut a tile short": shortened("tile/0", 32),
    "append bytes to a bundle": lengthened("tile/entries", b"\x00\x00"),
    "append a hash to a tile": lengthened("tile/0", b"\x00" * 32),
    "remove a bundle": removed("tile/entries"),
    "remove a tile": removed("tile/0"),
    "remove the checkpoint": removed("checkpoint"),
    "swap a bundle and a tile": moved("tile/entries", "tile/0"),
    "take a bundle from another ledger": of_another_ledger("tile/entries"),
    "take a tile from another ledger": of_another_ledger("tile/0"),
    "give a tile another width": wider_partial,
    "add a tile beyond the tree": added("tile/0/007"),
    "add a bundle beyond the tree": added("tile/entries/x001/000.p/3"),
    "add a level beyond the tree": added("tile/3/000.p/1"),
    "add a path that is not canonical": added("tile/0/x000/000"),
    "add a width with a leading zero": added("tile/0/000.p/01"),
    "add a file that is no part of a ledger": added("tile/0/000.bak"),
    "sign with a foreign key": renoted(lambda note: EVE.sign(note.rpartition(b"\n\n")[0] + b"\n")),
    "sign with a foreign key of the same name": renoted(lambda note: generate("ada@laptop").sign(note.rpartition(b"\n\n")[0] + b"\n")),
    "edit the origin": renoted(lambda note: note.replace(b"vitrify.dev", b"vitrify.org")),
    "edit the size": renoted(lambda note: note.replace(b"\n", b"\n1", 1)),
    "edit the root": renoted(lambda note: note.replace(note.split(b"\n")[2], leaf(b"").hex().encode())),
    "strip the signature": renoted(lambda note: note.rpartition(b"\n\n")[0] + b"\n"),
    "repeat the signature": renoted(lambda note: note + note.rpartition(b"\n\n")[2]),
    "append to the checkpoint": renoted(lambda note: note + b"x\n"),
    "end the checkpoint without a newline": renoted(lambda note: note[:-1]),
    "use other line ends": renoted(lambda note: note.replace(b"\n", b"\r\n")),
    "spell the signature in another base64": renoted(lambda note: note[:-2] + (b"=\n" if note[-2:-1] != b"=" else b"\n")),
    "replay the checkpoint of another ledger": resigned(lambda text: text.replace("vitrify.dev/0", "vitrify.dev/1")),
    "sign a size with leading zeros": resigned(lambda text: text.replace("\n", "\n0", 1)),
    "sign a negative size": resigned(lambda text: text.replace("\n", "\n-", 1)),
    "sign another root": resigned(lambda text: Checkpoint(ORIGIN, int(text.split("\n")[1]), leaf(b"")).text().decode()),
    "sign an extension line": resigned(lambda text: text + "more\n"),
    "sign a smaller size": resigned(lambda text: text.replace(text.split("\n")[1], "1")),
    "forge: an entry that is not canonical": reforged(with_one_spaced),
    "forge: a name twice in an entry": reforged(with_a_name_twice),
    "forge: delete the first entry": reforged(lambda parts, _: parts[1:]),
    "forge: reorder entries": reforged(with_two_swapped),
    "forge: an entry of no bytes": reforged(lambda parts, _: [b"", *parts[1:]]),
}


def large(size: int) -> Files:
    """The same as `honest`, made in a fraction of its time."""
    sample = next(iter(entries_of(honest(1)))).decode()
    assert sample.count('"n":0') == sample.count('"sequence":0') == 1
    entries = [sample.replace('"n":0', f'"n":{at}').replace('"sequence":0', f'"sequence":{at}').encode() for at in range(size)]
    return forge(entries, origin=ORIGIN, signer=ADA)
