"""What a proof stands for."""

from __future__ import annotations

from dataclasses import replace

from tools.prove import PROOFS, ROOT, digest


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
