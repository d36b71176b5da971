from __future__ import annotations

import pytest
from tests.trial import Project

from vitrify.core.hook import Hook
from vitrify.core.notice import Notice

HEAD = "version: 1\nproject: shop\n"
SERVER = "servers:\n  web:\n    lifecycle: mutable\n    hosts: [local]\n    resources: []\n"
DECLARED = "secrets: {token: {env: TOKEN}}\n"


def with_hook(hook: str) -> str:
    return f"{HEAD}hooks:\n  - {hook}\n{SERVER}"


def with_notice(notice: str) -> str:
    return f"{HEAD}{DECLARED}notices:\n  - {notice}\n{SERVER}"


def test_hooks_of_the_project_come_before_those_of_a_server_and_a_migration_after_them(project: Project) -> None:
    text = (
        f"{HEAD}{DECLARED}vars: {{where: /srv}}\nhooks:\n  - {{before: apply, command: [./check.sh, '${{var.where}}'], timeout: 5s}}\n"
        f"{SERVER}    hooks:\n      - {{after: switch, command: [warm], on: next, on_failure: warn, only: [release]}}\n"
        "      - {before: launch, command: [ask], on: host, env: {TOKEN: 'secret:token', A: b}}\n"
        "    rollout: {expand: [{command: [widen]}], contract: [{command: [narrow], on: control, timeout: 1h}]}\n"
    )

    (server,) = project.load(text, environ={"TOKEN": "t0p"}).servers

    assert server.hooks == (
        Hook("apply", ("./check.sh", "/srv"), timeout=5.0),
        Hook("switch", ("warm",), before=False, on="next", stops=False, only=("release",)),
        Hook("launch", ("ask",), on="host", env={"TOKEN": "secret:token", "A": "b"}),
        Hook("expand", ("widen",), on="next", timeout=600.0),
        Hook("contract", ("narrow",), on="control", timeout=3600.0),
    )
    assert server.secrets == {"token": "t0p"}


def test_a_hook_behind_which_there_is_no_way_back_only_warns(project: Project) -> None:
    found = project.load(with_hook("{after: drain, command: [a]}\n  - {after: probation, command: [a]}")).servers[0].hooks
    assert [hook.stops for hook in found] == [False, True]


@pytest.mark.parametrize(
    ("hook", "expected", "rest"),
    [
        ("{before: swich, command: [a]}", "4:14 `swich` is not one of", "did you mean `switch`?"),
        ("{command: [a]}", "4:5 a hook is run before a phase or after it", "before: switch"),
        ("{before: switch, after: switch, command: [a]}", "4:5 a hook is run before a phase or after it", ""),
        ("{before: switch}", "4:5 the key `command` is missing", "a list of words"),
        ("{before: switch, command: 'a b'}", "4:31 expected a list, not text", ""),
        ("{before: switch, command: []}", "4:31 nothing is written here", ""),
        ("{before: switch, comand: [a]}", "4:22 there is no key `comand`", "did you mean `command`?"),
        ("{before: switch, command: [a], on: nxt}", "4:40 `nxt` is not one of control, host, next", "did you mean `next`?"),
        ("{before: switch, command: [a], timeout: 30}", "4:45 a duration has a unit", "30s"),
        ("{before: switch, command: [a], on_failure: stop}", "4:48 `stop` is not one of abort, warn", ""),
        ("{before: launch, command: [a], on: next}", "4:5 no instance of the release runs before launch", "after: launch"),
        ("{before: apply, command: [a], on: next}", "4:5 no instance of the release runs before apply", ""),
        ("{after: abort, command: [a], on: next}", "4:5 no instance of the release runs after abort", ""),
        ("{after: drain, command: [a], on_failure: abort}", "4:5 nothing can be stopped any more after drain", "after: probation"),
        ("{before: bake, command: [a], only: [release]}", "4:5 `only` picks operations on a release", ""),
        ("{before: switch, command: [a], only: [relase]}", "4:43 `relase` is not one of", "did you mean `release`?"),
        ("{before: switch, command: [a], env: {A: 'secret:tken'}}", "there is no secret `tken`", ""),
    ],
)
def test_what_is_wrong_with_a_hook_is_told_where_it_stands(project: Project, hook: str, expected: str, rest: str) -> None:
    problems = [
        problem for problem in project.problems(with_hook(hook)) if "is missing" not in problem.summary or "command" in problem.summary
    ]
    told = [f"{problem.where.line}:{problem.where.column} {problem.summary}" for problem in problems if problem.where]
    assert any(expected in one for one in told), told
    assert rest in " ".join(problem.hint for problem in problems)


def test_a_notice_has_its_secrets_filled_in_and_is_called_by_nothing_but_its_host(project: Project) -> None:
    text = with_notice(
        "{webhook: 'secret:token', headers: {Authorization: 'secret:token', A: b}, on: [release.*, finding], servers: [web], retries: 0}\n"
        "  - {command: [./tell.sh, a], env: {T: 'secret:token'}, timeout: 500ms}"
    )
    hook, command = project.load(text, environ={"TOKEN": "https://hooks.example/t0psecret"}).notices

    assert hook.url == "https://hooks.example/t0psecret"
    assert hook.headers == {"Authorization": hook.url, "A": "b"}
    assert (hook.name, hook.retries) == ("webhook at hooks.example (vitrify.yaml:5)", 0)
    assert "t0p" not in repr((hook, command))
    assert command == Notice(command=("./tell.sh", "a"), env={"T": "https://hooks.example/t0psecret"}, timeout=0.5, where="vitrify.yaml:6")
    assert [hook.wants(kind, {"server": "web"}) for kind in ("release.done", "apply.done", "finding")] == [True, False, True]
    assert not hook.wants("finding", {"server": "db"})
    assert [command.wants(kind, {}) for kind in ("finding", "plan")] == [True, False]


@pytest.mark.parametrize(
    "kind", ["accept.*", "accept.done", "audit.done", "health.left", "canary.5", "canary.*", "key.rotated", "*.intended"]
)
def test_any_kind_of_entry_can_be_asked_for(project: Project, kind: str) -> None:
    (notice,) = project.load(with_notice(f"{{webhook: 'http://a', on: ['{kind}']}}"), environ={"TOKEN": "t"}).notices

    assert notice.on == (kind,)


@pytest.mark.parametrize(
    ("notice", "expected", "rest"),
    [
        ("{on: [finding]}", "5:5 a notice goes one way", "webhook:"),
        ("{webhook: 'ftp://a', command: [a]}", "5:15 'ftp://a' is not the address of a webhook", "https://"),
        ("{webhook: 'http://u:p@a/'}", "5:15 a password has no place in a declaration", "secret:NAME"),
        ("{webhook: 'http://a', on: [release.dne]}", "5:32 there is no event `release.dne`", "did you mean `release.done`?"),
        ("{webhook: 'http://a', on: ['relase.*']}", "5:32 there is no event `relase.*`", ""),
        ("{webhook: 'http://a', on: [accept.don]}", "5:32 there is no event `accept.don`", "did you mean `accept.done`?"),
        ("{webhook: 'http://a', timeout: 1h}", "5:36 nobody waits that long for a notice", "30s"),
        ("{command: [a], headers: {A: b}}", "5:5 only a webhook has headers", "env"),
        ("{webhook: 'http://a', env: {A: b}}", "5:5 only a command has an environment", "headers"),
        ("{webhook: 'http://a', headers: {A: 'secret:tken'}}", "5:40 there is no secret `tken`", "did you mean `token`?"),
        ("{webhok: 'http://a'}", "5:6 there is no key `webhok`", "did you mean `webhook`?"),
    ],
)
def test_what_is_wrong_with_a_notice_is_told_where_it_stands(project: Project, notice: str, expected: str, rest: str) -> None:
    problems = project.problems(with_notice(notice), environ={"TOKEN": "t"})
    told = [f"{problem.where.line}:{problem.where.column} {problem.summary}" for problem in problems if problem.where]
    assert any(one.startswith(expected) for one in told), told
    assert rest in " ".join(problem.hint for problem in problems)
