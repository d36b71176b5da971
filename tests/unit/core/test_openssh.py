"""Public keys as OpenSSH writes and reads them."""

from __future__ import annotations

import pytest

from vitrify.core.openssh import hashed, host_matches, keys, parse, problems

DATA = "AAAAC3NzaC1lZDI1NTE5AAAAIBgZzkEnUzIC6w1BDrmcE1IAM6xLKswyVWzFTS8kbcxL"
KEY = f"ssh-ed25519 {DATA}"


@pytest.mark.parametrize(
    ("line", "options", "comment"),
    [
        (KEY, "", ""),
        (f"{KEY} ada at home", "", "ada at home"),
        (f"  {KEY}\t x ", "", "x"),
        (f"no-pty {KEY}", "no-pty", ""),
        (f'command="echo \\"a b\\"",no-pty {KEY} x', 'command="echo \\"a b\\"",no-pty', "x"),
    ],
)
def test_a_key_is_told_from_what_stands_around_it(line: str, options: str, comment: str) -> None:
    key = parse(line)

    assert key is not None
    assert (key.options, key.type, key.data, key.comment) == (options, "ssh-ed25519", DATA, comment)


@pytest.mark.parametrize(
    "line", ["", "# x", f"#{KEY}", "ssh-ed25519", f"ssh-rsa {DATA}", f"ssh-ed25519 {DATA[:-8]}!", "ssh-ed25519 AAAA", "hello world"]
)
def test_what_is_no_key_is_none(line: str) -> None:
    assert parse(line) is None


def test_a_fingerprint_is_the_one_that_ssh_keygen_prints() -> None:
    (key,) = keys(f"# of ada\n{KEY}\n")

    assert key.fingerprint == "SHA256:UTIbOdOoziTYagQ3YkrIccCCT/cHQzHGvGiCcSNOCk8"


def test_a_private_key_is_refused_without_being_repeated() -> None:
    (problem,) = problems("key", "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n")

    assert problem.summary == "this is a private key"
    assert "c2VjcmV0" not in problem.summary + problem.hint


@pytest.mark.parametrize(
    ("text", "said"), [("", "there is no key in it"), ("ssh-rsa nonsense", "is not a public key"), (f"{KEY}\nx", "'x' is not a public key")]
)
def test_what_is_no_list_of_keys_is_refused(text: str, said: str) -> None:
    assert said in problems("key", text)[0].summary


def test_a_host_is_known_by_name_and_by_hash() -> None:
    salt = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM="

    assert host_matches("a.example,10.0.0.1", "10.0.0.1")
    assert not host_matches("a.example,10.0.0.1", "a")
    assert host_matches(hashed("a.example", salt), "a.example")
    assert not host_matches(hashed("b.example", salt), "a.example")
    assert not host_matches("|1|nonsense", "a.example")
