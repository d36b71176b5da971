from __future__ import annotations

from pathlib import Path

import pytest

from vitrify.core.diagnostic import DeclarationInvalid, Location, UsageInvalid
from vitrify.ledger.checkpoint import Verifier
from vitrify.ledger.cosignature import WitnessKey
from vitrify.project.identity import Identity, add_author, create, ensure, read, write

ID = "0123456789abcdef"
ANNA = str(Verifier("anna@laptop", b"a" * 32))
BERT = str(Verifier("bert@desk", b"b" * 32))


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    create(str(tmp_path), project_id=ID, authors=(ANNA,))

    assert read(str(tmp_path)) == Identity(ID, (ANNA,))
    assert (tmp_path / "vitrify.keys").stat().st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["vitrify.keys"]


def test_a_project_without_the_file_has_no_identity(tmp_path: Path) -> None:
    assert read(str(tmp_path)) is None


def test_an_identity_is_never_replaced(tmp_path: Path) -> None:
    create(str(tmp_path), project_id=ID)

    with pytest.raises(UsageInvalid, match="keeps its identity"):
        create(str(tmp_path), project_id="f" * 16)


def test_ensuring_makes_one_identity_and_adds_each_author_once(tmp_path: Path) -> None:
    first = ensure(str(tmp_path), author=ANNA, new_id=lambda: ID)
    ensure(str(tmp_path), author=BERT)

    assert first == Identity(ID, (ANNA,))
    assert ensure(str(tmp_path), author=ANNA) == read(str(tmp_path)) == Identity(ID, (ANNA, BERT))


def test_comments_and_empty_lines_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "vitrify.keys").write_text(f"# who\n\nproject {ID}\n  author {ANNA}\n")

    assert read(str(tmp_path)) == Identity(ID, (ANNA,))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", 1),
        (b"project xyz\n", 1),
        (b"project 0123456789abcdef\nauthor nobody\n", 2),
        (b"project 0123456789abcdef\nproject 0123456789abcdef\n", 2),
        (b"# x\nowner me\n", 2),
        (b"\xff\n", 1),
    ],
)
def test_a_damaged_file_is_told_with_its_line(tmp_path: Path, content: bytes, line: int) -> None:
    (tmp_path / "vitrify.keys").write_bytes(content)

    with pytest.raises(DeclarationInvalid) as error:
        read(str(tmp_path))

    assert error.value.diagnostics[0].where
    assert error.value.diagnostics[0].where.line == line


def test_an_author_needs_a_project(tmp_path: Path) -> None:
    with pytest.raises(UsageInvalid):
        add_author(str(tmp_path), ANNA)


def test_a_key_that_is_none_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UsageInvalid):
        create(str(tmp_path), project_id=ID, authors=("two words",))
    assert not (tmp_path / "vitrify.keys").exists()


def test_a_folder_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageInvalid, match="cannot be written"):
        create(str(tmp_path / "nowhere"), project_id=ID)


FORMER = "ann@desk+00000007+AAAA"
WITNESS = str(WitnessKey("w1.example", b"w" * 32))


def test_former_keys_days_witnesses_and_the_quorum_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    lines = (f"author {ANNA} until 2030-01-31", f"retired {FORMER} 7", f"revoked {BERT} 0", f"witness {WITNESS} https://w1/x", "quorum 1")
    (tmp_path / "vitrify.keys").write_text("\n".join((f"project {ID}", *lines, "")))
    known = read(str(tmp_path))
    assert known is not None
    assert (known.authors, known.until, known.former) == ((ANNA,), {ANNA: "2030-01-31"}, {FORMER: 7, BERT: 0})
    assert (known.revoked, known.witnesses, known.quorum) == (frozenset({BERT}), {WITNESS: "https://w1/x"}, 1)
    assert write(str(tmp_path), known) == read(str(tmp_path)) == known
    assert [known.expired(ANNA, today=day) for day in ("2030-01-30", "2030-01-31")] == [False, True]
    assert (known.approving(today="2029-01-01"), known.approving(today="2031-01-01")) == ((ANNA,), ())


@pytest.mark.parametrize(
    "line",
    [
        f"author {ANNA} until soon",
        f"retired {ANNA}",
        f"retired {ANNA} -1",
        f"revoked {ANNA} 7 7",
        f"witness {WITNESS}",
        f"witness {WITNESS} ftp://w1",
        "quorum none",
        f"witness {WITNESS[:-2]}A= https://w1",
        f"witness {ANNA} https://w1",
        f"witness w2.example+00000000+{WITNESS.split('+')[2]} https://w1",
        f"author {WITNESS}",
        "author ann@desk+00000007+AAAA",
        f"author {FORMER}",
    ],
)
def test_a_line_that_is_none_of_those_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    (tmp_path / "vitrify.keys").write_text(f"project 0123456789abcdef\nretired {FORMER} 7\n{line}\n")
    with pytest.raises(DeclarationInvalid) as invalid:
        read(str(tmp_path))
    assert invalid.value.diagnostics[0].where == Location(str(tmp_path / "vitrify.keys"), 3, 1)
