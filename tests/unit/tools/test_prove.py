"""What a proof stands for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tools.parts import Parts
from tools.prove import PROOFS, ROOT, digest
from tools.results import Results


def test_every_proof_covers_code_that_exists() -> None:
    for name, proof in PROOFS.items():
        assert all(any(ROOT.glob(pattern)) for pattern in proof.covers), name


def test_every_proof_names_tests_that_exist() -> None:
    for name, proof in PROOFS.items():
        paths = [word for word in proof.tests if word.startswith("tests/")]
        assert paths, name
        assert all((ROOT / path).exists() for path in paths), name


def test_a_proof_of_another_size_is_another_proof() -> None:
    proof = next(iter(PROOFS.values()))

    assert digest(replace(proof, n=proof.n + 1)) != digest(proof)


def results(**figures: str) -> Results:
    return Results(tests=2, skipped=("one: why",), figures=figures)


def test_a_proof_that_was_interrupted_goes_on_with_its_seed_behind_what_it_finished(tmp_path: Path) -> None:
    begun = Parts.begin(tmp_path / "proof", covers="code", seed=None)
    begun.keep(1, results(note="first"), seconds=2.5)

    again = Parts.begin(tmp_path / "proof", covers="code", seed=None)

    assert again.seed == begun.seed
    assert again.finished(1) == (results(note="first"), 2.5)
    assert again.finished(2) is None


@pytest.mark.parametrize(("covers", "seed"), [("other code", None), ("code", 8)])
def test_other_code_and_another_seed_begin_anew(tmp_path: Path, covers: str, seed: int | None) -> None:
    Parts.begin(tmp_path / "proof", covers="code", seed=7).keep(1, results(), seconds=1)

    assert Parts.begin(tmp_path / "proof", covers=covers, seed=seed).finished(1) is None


def test_what_is_written_elsewhere_is_not_kept(tmp_path: Path) -> None:
    parts = Parts.begin(tmp_path / "proof", covers="code", seed=7)
    parts.keep(1, results(), seconds=1)

    parts.forget()

    assert Parts.begin(tmp_path / "proof", covers="code", seed=7).finished(1) is None
