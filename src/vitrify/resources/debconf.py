"""The kind `debconf`: the answer to a question that a Debian package asks when it is set up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import AbstractSet, Dict, List, Mapping, Optional, Sequence, Tuple

from vitrify.core import dpkg
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.packaging import demand
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import System, digest_like

ANSWERS, PASSWORDS = "/var/cache/debconf/config.dat", "/var/cache/debconf/passwords.dat"
PASSWORD = "password"  # noqa: S105  a type of question
LARGEST = 1024
"""An old answer beyond this many characters is not remembered."""
_WORD = re.compile(r"\S+")


def _rules(values: Mapping[str, JSON]) -> List[Problem]:
    named = [name for name in ("question", "package") if not _WORD.fullmatch(str(values[name]))]
    found = [Problem((name,), f"{values[name]!r} is not one word") for name in named]
    if "\n" in str(values.get("value", "")):
        found.append(Problem(("value",), "an answer is one line"))
    return found


class Debconf(Kind):
    """An answer to a question of a package, given before the package is installed or set up again.

    An answer to a package that is set up already is noted, and changes nothing by itself. The answer to a question of the type
    `password` is forgotten by most packages once they have it: where the package is installed it counts as given.
    """

    name = "debconf"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    together = True
    schema = Schema(
        fields={
            "question": Field(Type.TEXT, "the name of the question, as in postfix/main_mailer_type", required=True),
            "package": Field(Type.TEXT, "the package that asks it", required=True),
            "vtype": Field(
                Type.TEXT,
                "the type of the question",
                choices=("string", "boolean", "select", "multiselect", "password", "note", "text", "title", "error"),
            ),
            "value": Field(Type.TEXT, "the answer", secret=True),
        },
        needs_one_of=(("value",), ("vtype",)),
        rules=(_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The question."""
        return str(fields["question"])

    def desired(self, resource: Resource) -> Properties:
        """That the question is answered so."""
        return MISSING if resource.absent else {"type": "debconf", "value": resource.fields["value"]}

    def observe(self, resource: Resource, system: System) -> Observation:
        """See `observe_all`."""
        return self.observe_all([resource], system)[0]

    def observe_all(self, resources: Sequence[Resource], system: System) -> Tuple[Observation, ...]:
        """One read of all answers."""
        answers = _Answers(_answers(ANSWERS, system), _answers(PASSWORDS, system))
        installed = dpkg.look([str(one.fields["package"]) for one in resources], system)
        there = {name for name, package in installed.items() if package.version}
        return tuple(Observation(one.address, answers.properties(one, there, system)) for one in resources)

    def enact(self, change: Change, system: System) -> None:
        """See `enact_all`."""
        self.enact_all([change], system)

    def enact_all(self, changes: Sequence[Change], system: System) -> None:
        """Give all answers at once."""
        lines = [_line(change, system) for change in changes if change.action is not Action.REMOVE]
        if lines:
            demand(system, ("debconf-set-selections",), stdin=b"".join(lines), hint="it belongs to the package debconf")
        for change in changes:
            if change.action is Action.REMOVE and not _unregistered(change.resource, system):
                question, package = (str(change.resource.fields[name]) for name in ("question", "package"))
                demand(system, ("debconf-communicate", package), stdin=f"UNREGISTER {question}\n".encode())

    def undoable(self, change: Change) -> bool:
        """Not where the old answer is not for everybody to see, and so is not remembered."""
        return change.before.get("type") == MISSING["type"] or "answer" in change.before

    def inverse(self, change: Change) -> Optional[Change]:
        """The old answer, or none."""
        if change.before.get("type") == MISSING["type"]:
            return Change(change.resource.gone(), Action.REMOVE, before=change.after, after=MISSING)
        after: Dict[str, JSON] = {"type": "debconf", "answer": change.before.get("answer"), "value": change.before.get("value")}
        return Change(change.resource, Action.UPDATE, before=change.after, after=after)

    def leads(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """The package that asks."""
        package = Address("package", str(resource.fields["package"]))
        return (package,) if package in others and not resource.absent else ()

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit an answer."""
        words = {"is missing": "is not answered", "value differs": "is answered otherwise"}
        return tuple(words.get(reason, reason) for reason in change.because)


def _line(change: Change, system: System) -> bytes:
    fields = change.resource.fields
    answer = change.after.get("answer")
    value = str(answer).encode() if answer is not None else system.blob(str(fields["value"]))
    if b"\n" in value:
        raise TargetFailed(f"the answer to {fields['question']} is more than one line", hint="an answer is one line")
    return f"{fields['package']} {fields['question']} {fields['vtype']} ".encode() + value + b"\n"


def _answers(path: str, system: System) -> Mapping[str, Mapping[str, str]]:
    found = system.stat(path)
    if found is None or found.type != "file":
        return {}
    text = system.read(path).decode("utf-8", "replace")
    return {fields.get("Name", ""): fields for fields in dpkg.stanzas(text)}


def _unregistered(resource: Resource, system: System) -> bool:
    question = str(resource.fields["question"])
    return question not in _answers(ANSWERS, system) and question not in _answers(PASSWORDS, system)


@dataclass(frozen=True)
class _Answers:
    """All questions that were ever asked, by name; the hidden ones are not for everybody to see."""

    public: Mapping[str, Mapping[str, str]]
    hidden: Mapping[str, Mapping[str, str]]

    def properties(self, resource: Resource, there: AbstractSet[str], system: System) -> Properties:
        """How a question is answered; `there` are the packages that are installed."""
        question, wished = str(resource.fields["question"]), str(resource.fields.get("value", ""))
        if resource.fields["package"] in there and resource.fields.get("vtype") == PASSWORD and not resource.absent:
            return {"type": "debconf", "value": wished}
        fields = self.public.get(question) or self.hidden.get(question)
        if fields is None or ("Value" not in fields and not resource.absent):
            return MISSING
        value = fields.get("Value", "")
        digest = digest_like(wished, value.encode(), system)
        shown = question in self.public and not resource.secret and len(value) <= LARGEST
        return {"type": "debconf", "value": digest, **({"answer": value} if shown else {})}
