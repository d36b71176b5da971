"""Answers to packages, alternatives and diversions, made by the real programs of a Debian machine and taken back again."""

from __future__ import annotations

from typing import Any

import pytest

from debs import Deb
from live_host import PROJECT
from packaged import Site

pytestmark = [pytest.mark.e2e, pytest.mark.root]

QUESTIONS = """\
Template: asker/port
Type: string
Default: 80
Description: Which port?

Template: asker/secret
Type: password
Description: Which password?
"""
ASKER = Deb(
    "asker",
    fields={"Depends": "debconf"},
    templates=QUESTIONS,
    scripts={
        "config": ". /usr/share/debconf/confmodule\ndb_input high asker/port || true\ndb_input high asker/secret || true\ndb_go || true",
        "postinst": '. /usr/share/debconf/confmodule\ndb_get asker/port\necho "$RET" > /srv/port\n'
        'db_get asker/secret\necho "$RET" > /srv/secret\ndb_set asker/secret ""',
    },
)


def answer(question: str, value: str, vtype: str = "string") -> dict[str, Any]:
    return {"debconf": {"package": "asker", "question": f"asker/{question}", "vtype": vtype, "value": value}}


def test_a_package_is_set_up_with_the_answers_that_were_declared(site: Site) -> None:
    site.archive.publish(ASKER)
    site.host.run("apt-get", "update")
    wishes = ({"package": "asker"}, answer("port", "8080 and more"), answer("secret", "hunter2 !", "password"))
    site.declare(*wishes)
    assert list(site.plan()) == ["debconf:asker/port", "debconf:asker/secret", "package:asker"]

    site.host.vitrify("apply")

    assert site.host.path("/srv/port").read_text() == "8080 and more\n"
    assert site.host.path("/srv/secret").read_text() == "hunter2 !\n"
    assert site.settled


def test_a_secret_answer_is_in_clear_at_its_destination_alone(site: Site) -> None:
    site.archive.publish(ASKER)
    site.host.run("apt-get", "update")
    (site.host.path(PROJECT) / "password").write_text("canary-in-the-mine\n")
    secret = answer("secret", "secret:ldap", "password")
    site.declare(secret, {"package": "asker"}, secrets={"ldap": {"file": "password"}})

    said = site.host.vitrify("apply", "-v")

    assert site.host.path("/srv/secret").read_text() == "canary-in-the-mine\n"
    assert "canary" not in said.stdout + said.stderr
    assert (
        site.host.run(
            "grep", "-rl", "canary-in-the-mine", "/var/lib/vitrify", "/var/cache/debconf", f"{PROJECT}/../.local", expect=None
        ).stdout
        == ""
    )
    assert site.settled


def test_an_answer_goes_back_to_what_it_was(site: Site) -> None:
    site.apply(answer("port", "80"))
    site.apply(answer("port", "81"))
    site.host.vitrify("undo", "web")
    assert "Value: 80" in site.host.path("/var/cache/debconf/config.dat").read_text()

    site.host.vitrify("undo", "web")

    assert "asker/port" not in site.host.path("/var/cache/debconf/config.dat").read_text()


@pytest.fixture
def tools(site: Site) -> Site:
    for name in ("one", "two"):
        site.host.path(f"/srv/{name}").write_text(f"#!/bin/sh\necho {name}\n")
        site.host.path(f"/srv/{name}").chmod(0o755)
    return site


def tool(path: str, **more: object) -> dict[str, Any]:
    return {"alternative": {"name": "tool", "path": path, **more}}


def test_a_name_stands_for_the_path_that_was_declared(tools: Site) -> None:
    registered = (tool("/srv/one", link="/usr/bin/tool", priority=7), tool("/srv/two", link="/usr/bin/tool", priority=9, selected=False))
    tools.apply(*registered)
    assert tools.host.run("tool").stdout == "one\n"
    assert tools.settled
    tools.apply(tool("/srv/two"), tool("/srv/one", link="/usr/bin/tool", priority=7, selected=False))
    assert tools.host.run("tool").stdout == "two\n"
    assert tools.settled

    tools.host.vitrify("undo", "web")
    assert tools.host.run("tool").stdout == "one\n"
    tools.host.vitrify("undo", "web")

    assert not tools.host.path("/usr/bin/tool").is_symlink()


def test_a_path_that_leaves_gives_the_name_to_the_best_that_is_left(tools: Site) -> None:
    tools.host.run("update-alternatives", "--install", "/usr/bin/tool", "tool", "/srv/two", "5")
    tools.apply(tool("/srv/one", link="/usr/bin/tool", priority=7))
    assert tools.host.run("tool").stdout == "one\n"

    tools.apply()

    assert tools.host.run("tool").stdout == "two\n"


def test_a_path_that_a_package_registered_stays_registered_when_the_choice_leaves(tools: Site) -> None:
    install = "update-alternatives --install /usr/bin/tool tool /srv/{} {}"
    tools.archive.publish(Deb("tools", scripts={"postinst": f"{install.format('one', 5)}\n{install.format('two', 9)}"}))
    tools.host.run("apt-get", "update")
    tools.apply({"package": "tools"}, tool("/srv/one"))
    assert tools.host.run("tool").stdout == "one\n"
    assert tools.settled

    tools.apply({"package": "tools"})

    assert tools.host.run("tool").stdout == "two\n"
    assert "/srv/one" in tools.host.run("update-alternatives", "--list", "tool").stdout


def test_a_diverted_file_gives_way_now_and_after_an_upgrade(site: Site) -> None:
    path = "/usr/share/lone/version"
    site.apply({"package": "lone"})
    site.archive.publish(Deb("lone", "2.0"))
    site.host.run("apt-get", "update")
    wishes = ({"file": {"path": path, "content": "mine\n"}}, {"divert": path})

    site.apply(*wishes, {"package": {"name": "lone", "version": "2.0"}})

    assert site.host.path(path).read_text() == "mine\n"
    assert site.host.path(f"{path}.distrib").read_text() == "2.0\n"
    assert site.settled
    site.host.vitrify("undo", "web")
    assert site.host.path(path).read_text() == "1.0\n"
    assert not site.host.path(f"{path}.distrib").exists()


def test_a_diversion_moves_to_another_place(site: Site) -> None:
    path = "/usr/share/lone/version"
    site.apply({"package": "lone"}, {"divert": path})
    site.apply({"package": "lone"}, {"divert": {"path": path, "to": "/srv/version"}})
    assert site.host.path("/srv/version").read_text() == "1.0\n"

    site.apply({"package": "lone"})

    assert site.host.path(path).read_text() == "1.0\n"
    assert not site.host.path("/srv/version").exists()
