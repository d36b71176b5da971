"""What apt's simulation says is read as it is, and each side effect belongs to the wish that explains it."""

from __future__ import annotations

import pytest

from vitrify.core.packaging import Effect
from vitrify.core.simulation import Needs, Record, attributed, complaint, for_security, origins, record, steps, unknown

OUTPUT = """\
Reading package lists...
The following packages will be REMOVED:
  postfix
Remv postfix [3.7.11-0+deb12u1]
Inst libssl3:i386 (3.0.15-1 Debian:12.9/stable, Debian-Security:12/stable-security [i386])
Inst libc6 [2.36-9] (2.36-10 Debian:12.9/stable [amd64]) [libc6-dev:amd64 ]
Inst local (1 [all])
Purg old []
Conf libc6 (2.36-10 Debian:12.9/stable [amd64])
"""


def test_a_simulation_is_read_line_by_line() -> None:
    assert [(str(step.effect), step.origin) for step in steps(OUTPUT)] == [
        ("remove postfix 3.7.11-0+deb12u1", ""),
        ("install libssl3:i386 3.0.15-1", "Debian:12.9/stable, Debian-Security:12/stable-security"),
        ("change libc6 2.36-9 2.36-10", "Debian:12.9/stable"),
        ("install local 1", ""),
        ("remove old", ""),
    ]


@pytest.mark.parametrize("effect", [step.effect for step in steps(OUTPUT)] + [Effect("remove", "x"), Effect("install", "x", new="1:2~3")])
def test_an_effect_is_the_same_once_written_and_read(effect: Effect) -> None:
    assert Effect.parse(str(effect)) == effect


def test_the_names_that_apt_does_not_know_are_found_in_what_it_says() -> None:
    said = "E: Unable to locate package nope\nE: Version '9' for 'foo' was not found\nE: Package 'virtual' has no installation candidate\n"

    assert unknown(said) == ("nope", "virtual", "foo")
    assert complaint("The following packages have unmet dependencies:\n foo : Depends: bar but it is not going to be installed\n") == (
        "foo : Depends: bar but it is not going to be installed"
    )


def made(name: str, *needs: str, provides: str = "") -> Record:
    return record({"Package": name, "Version": "1", "Depends": ", ".join(needs), "Provides": provides})


def test_a_dependency_belongs_to_the_first_wish_that_needs_it_directly_or_not() -> None:
    needs = Needs(
        [
            made("a", "lib (>= 1) | other"),
            made("b", "deep"),
            made("deep", "virtual:any"),
            made("real", provides="virtual (= 2)"),
            made("lib"),
        ]
    )
    effects = [Effect("install", name, new="1") for name in ("lib", "deep", "real", "stray")]

    found = attributed(effects, ["a", "b"], needs, removing=False)

    assert {wish: [effect.name for effect in own] for wish, own in found.items()} == {"a": ["lib", "stray"], "b": ["deep", "real"]}


def test_what_a_removal_takes_along_belongs_to_the_wish_that_it_needs() -> None:
    needs = Needs([made("app", "lib"), made("tool", "other"), made("lib"), made("other")])
    effects = [Effect("remove", name, old="1") for name in ("app", "tool")]

    found = attributed(effects, ["other", "lib"], needs, removing=True)

    assert {wish: [effect.name for effect in own] for wish, own in found.items()} == {"lib": ["app"], "other": ["tool"]}


def test_packages_that_need_each_other_are_followed_to_an_end() -> None:
    assert Needs([made("a", "b"), made("b", "a")]).closure("a") == {"a", "b"}


def test_an_origin_is_for_security_as_its_distribution_labels_it() -> None:
    told = {
        one: for_security(one) for one in origins("Debian:12.9/stable, Debian-Security:12/stable-security, Ubuntu:22.04/jammy-security")
    }

    assert list(told.values()) == [False, True, True]
    assert not for_security("security-tools:stable")
