"""Nobody is asked for a password that is known, and nobody is asked twice."""

from __future__ import annotations

import asyncio

from vitrify.core.declaration import Host, Ssh
from vitrify.project.sudo import VARIABLE, SudoPassword

HOSTS = (Host("ssh://one", address="one"), Host("ssh://two", address="two"))


def asking(asked: list[str]) -> SudoPassword:
    async def ask(question: str) -> str:
        asked.append(question)
        await asyncio.sleep(0)
        return "typed"

    return SudoPassword(Ssh, {}, ask)


async def answers(password: SudoPassword) -> list[str]:
    return list(await asyncio.gather(*(password.answer(host) for host in HOSTS)))


def test_the_declared_password_comes_before_that_of_the_environment() -> None:
    declared = SudoPassword(lambda: Ssh(sudo_password="declared"), {VARIABLE: "given"})  # noqa: S106  the test's own
    given = SudoPassword(Ssh, {VARIABLE: "given"})

    assert asyncio.run(answers(declared)) == ["declared", "declared"]
    assert asyncio.run(answers(given)) == ["given", "given"]


def test_one_answer_is_for_all_hosts_also_when_they_ask_at_once_and_later() -> None:
    asked: list[str] = []
    password = asking(asked)

    assert asyncio.run(answers(password)) == ["typed", "typed"]
    assert asyncio.run(answers(password)) == ["typed", "typed"]
    assert asked == ["sudo password on ssh://one"]


def test_where_nobody_knows_and_nobody_can_be_asked_there_is_no_answer() -> None:
    assert not SudoPassword(Ssh, {}).answers
    assert SudoPassword(Ssh, {VARIABLE: "given"}).answers
    assert asking([]).answers
