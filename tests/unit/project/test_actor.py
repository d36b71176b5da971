"""Who was at work: the person, the machine, and the pipeline by what it says of itself; nothing else of the environment."""

from __future__ import annotations

import pytest

from vitrify.project.actor import actor


def told(**environ: str) -> object:
    return actor(environ, user="ann", host="desk").get("ci")


def test_somebody_at_a_keyboard_is_a_person_and_a_machine() -> None:
    assert actor({"SUDO_USER": "carl", "HOME": "/x"}, user="root", host="desk") == {"user": "root", "host": "desk", "sudo": "carl"}
    assert actor({"SUDO_USER": "root"}, user="root", host="desk") == {"user": "root", "host": "desk"}


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "eve", "GITHUB_SHA": "c0ffee"},
            {"system": "github-actions", "by": "eve", "commit": "c0ffee"},
        ),
        ({"GITLAB_CI": "true", "CI_PIPELINE_ID": "7", "CI_JOB_ID": "8"}, {"system": "gitlab", "run": "7", "job": "8"}),
        ({"JENKINS_URL": "https://x", "BUILD_NUMBER": "9"}, {"system": "jenkins", "run": "9"}),
        ({"BUILDKITE": "true", "BUILDKITE_BRANCH": "main"}, {"system": "buildkite", "ref": "main"}),
        ({"CIRCLECI": "true", "CIRCLE_JOB": "deploy"}, {"system": "circleci", "workflow": "deploy"}),
        ({"TF_BUILD": "True", "BUILD_BUILDID": "5"}, {"system": "azure-pipelines", "run": "5"}),
        ({"FORGEJO_ACTIONS": "true", "FORGEJO_RUN_ID": "5"}, {"system": "forgejo-actions", "run": "5"}),
        ({"CI": "true"}, {"system": "other"}),
        ({}, None),
    ],
)
def test_a_pipeline_says_which_it_is(environ: dict[str, str], said: object) -> None:
    assert told(**environ, GITHUB_TOKEN="s3cret", CI_JOB_TOKEN="s3cret") == said  # noqa: S106  no secret may be told


def test_what_cannot_be_written_or_is_endless_is_made_fit() -> None:
    assert told(GITLAB_CI="1", CI_JOB_NAME="x" * 999, CI_PROJECT_PATH="\udcff") == {
        "system": "gitlab",
        "workflow": "x" * 200,
        "repository": "?",
    }
