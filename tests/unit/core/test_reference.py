from __future__ import annotations

import pytest

from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.reference import Reference

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("debian", "docker.io/library/debian"),
        ("debian:bookworm", "docker.io/library/debian:bookworm"),
        ("team/shop:1", "docker.io/team/shop:1"),
        ("docker.io/debian", "docker.io/library/debian"),
        ("index.docker.io/library/debian", "docker.io/library/debian"),
        (f"debian:bookworm@{DIGEST}", f"docker.io/library/debian:bookworm@{DIGEST}"),
        ("localhost/shop:1", "localhost/shop:1"),
        ("localhost:5000/team/shop", "localhost:5000/team/shop"),
        ("127.0.0.1:5000/a/b__c/d-e.f:V1_x", "127.0.0.1:5000/a/b__c/d-e.f:V1_x"),
        ("[::1]:5000/shop:1", "[::1]:5000/shop:1"),
        (f"registry.example/a@{DIGEST}", f"registry.example/a@{DIGEST}"),
    ],
)
def test_a_reference_is_read_as_everybody_reads_it(text: str, whole: str) -> None:
    found = Reference.parse(text)

    assert str(found) == whole
    assert Reference.parse(whole) == found


WRONG = [
    "",
    ":",
    "UPPER",
    "a//b",
    "../a",
    "a/../b",
    "a:b:c",
    "a@sha256:12",
    "a@md5:12",
    "a b",
    "registry.example/",
    "http://a/b",
    "a:",
    "a/b:-x",
]


@pytest.mark.parametrize("text", [*WRONG, "x" * 256])
def test_what_is_no_reference_is_refused_with_how_one_is_written(text: str) -> None:
    with pytest.raises(UsageInvalid, match="not a reference") as refused:
        Reference.parse(text)

    assert "REGISTRY/REPOSITORY" in refused.value.diagnostics[0].hint


def test_a_registry_is_asked_for_the_digest_before_the_tag() -> None:
    assert Reference.parse("a").name == "latest"
    assert Reference.parse("a:1").name == "1"
    assert Reference.parse(f"a:1@{DIGEST}").name == DIGEST
    assert Reference.parse("a:1").at(DIGEST) == Reference.parse(f"a:1@{DIGEST}")
