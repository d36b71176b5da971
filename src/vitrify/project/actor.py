"""Who is at work, for the ledger: the person, the machine, and the pipeline where one runs us. Nothing secret is among it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vitrify.core.digest import JSONObject

_LONGEST = 200

_CI: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "GITHUB_ACTIONS": (
        "github-actions",
        {
            "repository": "GITHUB_REPOSITORY",
            "workflow": "GITHUB_WORKFLOW",
            "run": "GITHUB_RUN_ID",
            "by": "GITHUB_ACTOR",
            "ref": "GITHUB_REF",
            "commit": "GITHUB_SHA",
        },
    ),
    "GITLAB_CI": (
        "gitlab",
        {
            "repository": "CI_PROJECT_PATH",
            "workflow": "CI_JOB_NAME",
            "run": "CI_PIPELINE_ID",
            "job": "CI_JOB_ID",
            "by": "GITLAB_USER_LOGIN",
            "ref": "CI_COMMIT_REF_NAME",
            "commit": "CI_COMMIT_SHA",
        },
    ),
    "JENKINS_URL": ("jenkins", {"workflow": "JOB_NAME", "run": "BUILD_NUMBER", "by": "BUILD_USER_ID", "commit": "GIT_COMMIT"}),
    "BUILDKITE": (
        "buildkite",
        {
            "repository": "BUILDKITE_PIPELINE_SLUG",
            "run": "BUILDKITE_BUILD_NUMBER",
            "by": "BUILDKITE_BUILD_CREATOR_EMAIL",
            "ref": "BUILDKITE_BRANCH",
            "commit": "BUILDKITE_COMMIT",
        },
    ),
    "CIRCLECI": (
        "circleci",
        {
            "repository": "CIRCLE_PROJECT_REPONAME",
            "workflow": "CIRCLE_JOB",
            "run": "CIRCLE_BUILD_NUM",
            "by": "CIRCLE_USERNAME",
            "commit": "CIRCLE_SHA1",
        },
    ),
    "TF_BUILD": (
        "azure-pipelines",
        {
            "repository": "BUILD_REPOSITORY_NAME",
            "workflow": "BUILD_DEFINITIONNAME",
            "run": "BUILD_BUILDID",
            "by": "BUILD_REQUESTEDFOREMAIL",
            "commit": "BUILD_SOURCEVERSION",
        },
    ),
    "FORGEJO_ACTIONS": (
        "forgejo-actions",
        {"repository": "FORGEJO_REPOSITORY", "run": "FORGEJO_RUN_ID", "by": "FORGEJO_ACTOR", "commit": "FORGEJO_SHA"},
    ),
}
"""The variable that a pipeline sets -> its name, and what it calls what we record."""


def actor(environ: Mapping[str, str], *, user: str, host: str) -> JSONObject:
    """The `actor` of an entry: `user` and `host`, who called sudo, and what a pipeline says of itself."""
    behind = environ.get("SUDO_USER", "")
    sudo: JSONObject = {"sudo": _kept(behind)} if behind and behind != user else {}
    pipeline = next((found for variable, found in _CI.items() if environ.get(variable)), None)
    if pipeline is None:
        return {"user": _kept(user), "host": _kept(host), **sudo, **({"ci": {"system": "other"}} if environ.get("CI") else {})}
    system, names = pipeline
    said: JSONObject = {name: _kept(environ[variable]) for name, variable in names.items() if environ.get(variable)}
    return {"user": _kept(user), "host": _kept(host), **sudo, "ci": {"system": system, **said}}


def _kept(text: str) -> str:
    """What the ledger can hold of it: whole characters, and not too many."""
    return text.encode("utf-8", "replace").decode("utf-8")[:_LONGEST]
