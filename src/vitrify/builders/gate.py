"""The gate before a layer: refuses a file that holds what can only be a secret. Few rules, each precise, none by guessing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vitrify.core.declaration import AllowedSecret
from vitrify.core.diagnostic import Denied


@dataclass(frozen=True)
class Rule:
    """One shape of secret. `marker` is looked for first, because most files do not hold it; then all of `patterns`."""

    name: str
    marker: bytes
    patterns: tuple[re.Pattern[bytes], ...]


def _rule(name: str, marker: bytes, *patterns: bytes) -> Rule:
    return Rule(name, marker, tuple(re.compile(pattern) for pattern in patterns))


_LINE_END: Final = rb"(?:\r?\n|\\r\\n|\\n)"

RULES: Final = (
    # A key has a body: at least 60 characters of base64 right behind its first line and optional headers. Code that
    # merely names the marker (every TLS library does) has none.
    _rule(
        "private key",
        b"PRIVATE KEY",
        rb"-----BEGIN (?:[A-Z]+ ){0,2}PRIVATE KEY(?: BLOCK)?-----"
        + _LINE_END
        + rb"(?:[A-Za-z-]+: [^\n]{0,200}"
        + _LINE_END
        + rb"){0,8}(?:"
        + _LINE_END
        + rb")?[A-Za-z0-9+/=]{60,}",
    ),
    _rule(
        "AWS access key",
        b"KIA",
        rb"(?<![A-Z0-9])AKIA[A-Z2-7]{16}(?![A-Za-z0-9])",
        rb"(?i)secret_?(?:access_?)?key[\"']?\s{0,9}[=:]\s{0,9}[\"']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
    ),
    _rule("GitHub token", b"gh", rb"(?<![A-Za-z0-9_])gh[oprsu]_[A-Za-z0-9]{36}(?![A-Za-z0-9_])"),
    _rule("GitHub token", b"github_pat_", rb"(?<![A-Za-z0-9_])github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}(?![A-Za-z0-9_])"),
    _rule("GitLab token", b"glpat-", rb"(?<![A-Za-z0-9_-])glpat-[A-Za-z0-9_-]{20}(?![A-Za-z0-9_-])"),
    _rule("Slack token", b"xox", rb"(?<![A-Za-z0-9])xox[bpars]-[0-9]{10,13}-[0-9]{10,13}-[A-Za-z0-9-]{24,}"),
    _rule("Stripe live key", b"k_live_", rb"(?<![A-Za-z0-9])[rs]k_live_[A-Za-z0-9]{24,}"),
    _rule("PyPI token", b"pypi-AgE", rb"pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}"),
    _rule("age identity", b"AGE-SECRET-KEY-1", rb"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
)


def refuse_secrets(path: str, content: bytes, *, allowed: Sequence[AllowedSecret] = ()) -> None:
    """Raise Denied, naming the path and the rule (never the secret), where a file's content holds one that is not allowed there."""
    for rule in RULES:
        if any((one.path, one.rule) == (path, rule.name) for one in allowed):
            continue
        if rule.marker in content and all(_holds(pattern, content) for pattern in rule.patterns):
            raise Denied(
                f"{path} would put a secret into the image: {rule.name}",
                why="an image is copied and kept; what is in it is known to all who can read it",
                hint="take the file out of the declaration (a process gets a secret by `env: {NAME: secret:NAME}`), or say why it may be "
                f"there: `allow_secrets: [{{path: {path}, rule: {rule.name}, reason: …}}]`",
            )


def _holds(pattern: re.Pattern[bytes], content: bytes) -> bool:
    return any(not _is_placeholder(match.group()) for match in pattern.finditer(content))


def _is_placeholder(text: bytes) -> bool:
    """Whether this is a specimen: documentation's EXAMPLE, or a run of few different characters (`ghp_xxxx…`)."""
    return b"EXAMPLE" in text.upper() or len(set(text[-16:])) < 6
