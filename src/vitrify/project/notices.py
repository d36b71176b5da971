"""The key `notices`: who is told of what happened, by a webhook or a command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from vitrify.core.entry_kinds import KINDS
from vitrify.core.notice import Notice
from vitrify.core.schema import near
from vitrify.project.hooks import settled
from vitrify.project.node import Node
from vitrify.project.part import Part, read
from vitrify.project.problems import Problems
from vitrify.project.secrets import DeclaredSecrets, reference
from vitrify.project.values import Duration, Given, refuse
from vitrify.project.variables import Scope, fill

LONGEST = 30.0
"""Seconds: a command does not wait longer for one that does not answer."""


def _url(value: str) -> str:
    if reference(value) is None:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            refuse(f"{value!r} is not the address of a webhook", "as in https://hooks.example/vitrify, or `secret:NAME` where it is secret")
        if parts.username is not None:
            refuse(
                "a password has no place in a declaration", "`headers: {Authorization: secret:NAME}`, or the whole address as `secret:NAME`"
            )
    return value


Address: TypeAlias = Annotated[str, AfterValidator(_url)]


def _event(value: str) -> str:
    # A kind that counts has a number for its last part: `canary.5` is asked for as well as `canary.*`.
    if not any(fnmatchcase(kind, value) or fnmatchcase(value, kind) for kind in KINDS):
        refuse(f"there is no event `{value}`", near(value, KINDS) or f"events: {', '.join(KINDS)}; `*` stands for any part of one")
    return value


EventKind: TypeAlias = Annotated[str, AfterValidator(_event)]


def _patience(value: float) -> float:
    if not 0 < value <= LONGEST:
        refuse("nobody waits that long for a notice", f"more than nothing, and at most {LONGEST:g}s")
    return value


class NoticePart(Part):
    """Somebody who is told of what happened: by a webhook, or by a command that reads it."""

    webhook: Annotated[Address | None, Given] = None
    headers: dict[str, str] = Field(default_factory=dict)
    command: Annotated[list[str] | None, Given] = Field(default=None, min_length=1)
    env: dict[str, str] = Field(default_factory=dict)
    on: Annotated[list[EventKind] | None, Given] = Field(default=None, min_length=1)
    servers: Annotated[list[str] | None, Given] = Field(default=None, min_length=1)
    timeout: Annotated[Duration, AfterValidator(_patience)] = 5.0
    retries: int = Field(default=2, ge=0, le=5)

    @model_validator(mode="after")
    def _one(self) -> NoticePart:
        if (self.webhook is None) == (self.command is None):
            refuse("a notice goes one way", "`webhook: https://…`, or `command: [./tell.sh]`")
        if self.command is not None and self.headers:
            refuse("only a webhook has headers", "`env` gives variables to a command")
        if self.webhook is not None and self.env:
            refuse("only a command has an environment", "`headers` go to a webhook")
        return self


def notices(section: Node | None, scope: Scope, secrets: DeclaredSecrets, problems: Problems) -> Iterator[Notice]:
    """Who is told, with secrets filled in."""
    for item in section.items if section else ():
        node = fill(item, scope, problems)
        part = read(NoticePart, node, owner=node.at, problems=problems)
        if part is None:
            continue
        own: Mapping[str, str] = {"": part.webhook or ""}
        yield Notice(
            url=settled(own, node, ("webhook",), secrets, problems)[""],
            headers=settled(part.headers, node, ("headers",), secrets, problems),
            command=tuple(part.command or ()),
            env=settled(part.env, node, ("env",), secrets, problems),
            on=tuple(part.on or ()),
            servers=tuple(part.servers or ()),
            timeout=part.timeout,
            retries=part.retries,
            where=f"{Path(node.at.file).name}:{node.at.line}",
        )
