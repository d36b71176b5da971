"""Turns what a resource declares by name (templates, sources, folders, secrets) into what travels by digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from vitrify.core.diagnostic import Location, VitrifyError
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.resource import Kinds
from vitrify.core.schema import Schema, Type
from vitrify.core.unit import environment_file
from vitrify.project.contents import Contents
from vitrify.project.node import Node, plain, scalars
from vitrify.project.problems import Problems
from vitrify.project.secrets import DeclaredSecrets, reference
from vitrify.project.templates import Templates


@dataclass(frozen=True)
class Workshop:
    """What making resources draws on; one for each load."""

    kinds: Kinds
    contents: Contents
    templates: Templates
    secrets: DeclaredSecrets
    problems: Problems


@dataclass(frozen=True)
class Made:
    """The fields that travel, whether a content holds a secret, and the secrets of a process environment."""

    fields: JSONObject
    secret: bool = False
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


class Resolving:
    """One resource on its way from the form that is declared to the form that travels."""

    def __init__(self, known: Schema, written: Node, workshop: Workshop, *, image: bool) -> None:
        self._known = known.fields
        self._written = written
        self._shop = workshop
        self._image = image
        self._failed = False

    def made(self, values: Mapping[str, JSON], *, absent: bool) -> Made | None:
        """The resource's fields; None where a content or secret cannot be had, which is noted where it is named."""
        travels: JSONObject = {name: value for name, value in values.items() if not self._known[name].control}
        secret, secrets = False, dict[str, str]()
        texts = [name for name, known in self._known.items() if known.type is Type.TEXT and self._by_digest(name) and not known.control]
        for name in texts:
            travels.pop(name, None)
        if not absent:
            for name in texts:
                several = name == "content" and self._says_content()
                held = self._content(values, travels) if several else name in values and self._text(name, values, travels)
                secret = secret or held
            if "from" in values and self._known["from"].control:
                self._tree(str(values["from"]), travels)
            if "key_source" in values:
                self._key(str(values["key_source"]), travels)
            secrets = self._environment(values, travels)
        return None if self._failed else Made(travels, secret, secrets)

    def _by_digest(self, name: str) -> bool:
        return self._known[name].secret or (name == "content" and self._says_content())

    def _says_content(self) -> bool:
        """Whether `content` is one of several ways to say what a file holds, and so travels as a digest."""
        return "content" in self._known and any(name in self._known and self._known[name].control for name in ("template", "source"))

    def _note(self, error: VitrifyError, at: Location) -> None:
        self._failed = True
        if not self._shop.problems.told(at):
            first = error.diagnostics[0]
            self._shop.problems.add(first.summary, at, why=first.why, hint=first.hint)

    def _node(self, name: str) -> Node:
        return self._written.entries[name].node

    def _content(self, values: Mapping[str, JSON], travels: JSONObject) -> bool:
        """Put the digest of the content in place; true where it holds a secret."""
        secret = self._holds_secret([self._node(name) for name in ("content", "vars") if name in values])
        if self._failed:
            return secret
        way = next((name for name in ("source", "template", "content") if name in values), "")
        at = self._node(way).at if way else self._written.at
        try:
            if way == "source":
                travels["content"] = self._shop.contents.file(str(values["source"]))
            elif way:
                told = {name: self._revealed(self._node(name)) for name in ("content", "vars") if name in values}
                if not self._failed:
                    if way == "template":
                        text = self._rendered(str(values["template"]), told.get("vars"), secret=secret)
                    else:
                        text = str(told["content"] if secret else values["content"])
                    travels["content"] = self._shop.contents.text(text, secret=secret)
        except VitrifyError as error:
            self._note(error, at)
        return secret

    def _text(self, name: str, values: Mapping[str, JSON], travels: JSONObject) -> bool:
        """Put the digest of one text in place; true where it is a secret."""
        node = self._node(name)
        secret = self._holds_secret([node])
        told = self._revealed(node) if secret and not self._failed else values[name]
        try:
            if not self._failed:
                travels[name] = self._shop.contents.text(str(told), secret=secret)
        except VitrifyError as error:
            self._note(error, node.at)
        return secret

    def _holds_secret(self, nodes: list[Node]) -> bool:
        """Whether a secret is part of a value; in an image each is noted, for whoever has the image could read it."""
        references = [found for node in nodes for found in _references(node)]
        for found in references if self._image else ():
            self._note(VitrifyError("an image cannot hold a secret", hint="give it to the process: `env: {NAME: secret:…}`"), found.at)
        return bool(references)

    def _rendered(self, template: str, told: JSON, *, secret: bool) -> str:
        return self._shop.templates.render(template, told if isinstance(told, dict) else {}, withhold=secret)

    def _revealed(self, node: Node) -> JSON:
        """The value with its secrets in clear, for the content that is about to be digested."""
        if isinstance(node.value, dict):
            return {key: self._revealed(entry.node) for key, entry in node.value.items()}
        if isinstance(node.value, tuple):
            return [self._revealed(item) for item in node.value]
        name = reference(node.value)
        return plain(node) if name is None else self._resolved(name, node.at)

    def _resolved(self, name: str, at: Location) -> str:
        try:
            return self._shop.secrets.resolve(name)
        except VitrifyError as error:
            self._note(error, at)
            return ""

    def _tree(self, source: str, travels: JSONObject) -> None:
        try:
            travels["entries"] = self._shop.contents.tree(source)
        except VitrifyError as error:
            self._note(error, self._node("from").at)

    def _key(self, source: str, travels: JSONObject) -> None:
        """A public key, armoured."""
        try:
            travels["key_content"] = self._shop.contents.key(source)
        except VitrifyError as error:
            self._note(error, self._node("key_source").at)

    def _environment(self, values: Mapping[str, JSON], travels: JSONObject) -> dict[str, str]:
        """The secrets of a process. On a host they travel as one file, which only its owner can read."""
        maps = [name for name in values if self._known[name].type is Type.MAP and self._known[name].secret]
        entries = [(variable, entry.node) for name in maps for variable, entry in self._node(name).entries.items()]
        used = [(variable, node, reference(node.value)) for variable, node in entries]
        secrets: dict[str, str] = {}
        environment: dict[str, str] = {}
        for variable, node, name in used:
            if name is not None:
                secrets[name] = environment[variable] = self._resolved(name, node.at)
                self._fits(variable, environment[variable], node.at)
        if environment and not self._image and not self._failed:
            travels["environment_file"] = self._shop.contents.text(environment_file(environment), secret=True)
        return secrets

    def _fits(self, variable: str, value: str, at: Location) -> None:
        try:
            environment_file({variable: value})
        except VitrifyError as error:
            self._note(error, at)


def _references(node: Node) -> Iterator[Node]:
    return (found for found in scalars(node) if reference(found.value))
