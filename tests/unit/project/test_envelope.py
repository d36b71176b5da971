from __future__ import annotations

from pathlib import Path

import pytest
from tests.trial import Project

from vitrify.core.declaration import Base, Health, Host, Lifecycle, Rollout, Route, Router, Ssh
from vitrify.core.diagnostic import UsageInvalid
from vitrify.project.load import load
from vitrify.resources.registry import all_kinds

WHOLE = """\
version: 1
project: shop
routers:
  edge: {kind: caddy, listen: ":8080", tls: off}
servers:
  web:
    lifecycle: immutable
    hosts: [local, {at: "root:./machine"}]
    base: rootfs:./root
    runtime: bubblewrap
    replicas: 3
    writable: [/var/cache/app]
    health: {http: /healthz, status: 204, passes: 3, interval: 100ms, timeout: 3s, grace: 1m}
    route: {router: edge, host: shop.example, path: /shop}
    rollout: {strategy: blue-green, drain: 20s, probation: 500ms, keep_warm: 1h, retain: 7}
    vars: {unused: 1}
    resources:
      - process: {name: web, command: [/usr/bin/python3], port: 8000}
"""
PROCESS = "- process: {name: web, command: [/usr/bin/python3], port: 8000}"


def test_every_key_of_a_server_reaches_the_declaration(project: Project) -> None:
    declaration = project.load(WHOLE)

    (server,) = declaration.servers
    router = Router("edge", "caddy", ":8080", "off")
    assert (declaration.project, declaration.folder, declaration.routers) == ("shop", str(project.folder), (router,))
    assert (server.name, server.lifecycle, server.runtime, server.replicas) == ("web", Lifecycle.IMMUTABLE, "bubblewrap", 3)
    assert server.hosts == (Host("local"), Host("root:./machine", str(project.folder / "machine")))
    assert server.base == Base("rootfs", str(project.folder / "root"))
    assert server.writable == ("/var/cache/app",)
    assert server.health == Health(http="/healthz", status=204, passes=3, interval=0.1, timeout=3.0, grace=60.0)
    assert server.route == Route(router, "shop.example", "/shop", health="/shop/healthz")
    assert server.rollout == Rollout("blue-green", drain=20.0, probation=0.5, keep_warm=3600.0, retain=7)
    assert (server.where.line, server.where.column) == (6, 3)


@pytest.mark.parametrize(
    ("old", "new", "expected", "rest"),
    [
        ("version: 1", "version: 2", "1:10 this version of vitrify reads `version: 1`, not 2", ""),
        ("version: 1\n", "", "1:1 the key `version` is missing", "version: 1"),
        ("version: 1", "version: '1'", "1:10 expected a whole number, not text", ""),
        ("version: 1", "version: true", "1:10 expected a whole number, not true", ""),
        ("project: shop", "project: 'my shop'", "2:10 'my shop' is not a name", "letters"),
        ("project: shop", "projct: shop\nproject: shop", "2:1 there is no key `projct`", "did you mean `project`?"),
        ("kind: caddy", "kind: cady", "4:16 `cady` is not one of caddy", "did you mean `caddy`?"),
        ('listen: ":8080"', 'listen: "8080"', "4:31 '8080' is not an address to listen on", ":8080"),
        ('listen: ":8080"', 'listen: ":99999"', "4:31 ':99999' is not an address to listen on", ""),
        ("tls: off", "tls: own", "4:45 `own` is not one of off, automatic, internal", ""),
        ("  web:", "  2web:", "6:3 '2web' cannot be the name of a server", "letters"),
        ("lifecycle: immutable", "lifecycle: imutable", "7:16 `imutable` is not one of mutable, immutable", "did you mean"),
        ("    lifecycle: immutable\n", "", "6:3 the key `lifecycle` is missing", "mutable"),
        ("lifecycle:", "lifecicle: mutable\n    lifecycle:", "7:5 there is no key `lifecicle`", "did you mean `lifecycle`?"),
        ("hosts: [local,", "hosts: [ssh://web1/srv,", "8:13 `ssh://web1/srv` names a path, and a host has none", "ssh://web1"),
        ("hosts: [local,", "hosts: ['ssh://ada:pw@web1',", "8:13 a password has no place in a declaration", "a key"),
        ("hosts: [local,", "hosts: ['ssh://web1:0',", "8:13 0 is not a port", "1 to 65535"),
        ("hosts: [local,", "hosts: ['ssh://web1:70000',", "8:13 70000 is not a port", "1 to 65535"),
        ("hosts: [local,", "hosts: [ssh://,", "8:13 `ssh://` is not a host that SSH reaches", "ssh://admin@db1.example"),
        ("hosts: [local,", "hosts: [ssh://-oProxyCommand=x,", "8:13 `ssh://-oProxyCommand=x` is not a host that SSH reaches", ""),
        ("hosts: [local,", "hosts: [ssh://-l@web1,", "8:13 `ssh://-l@web1` is not a host that SSH reaches", ""),
        ("hosts: [local,", "hosts: [ssh:web1,", "8:13 `ssh:web1` is not a host that SSH reaches", ""),
        ("project: shop", "project: shop\nssh: {config: ./none}", "3:15 there is no file `./none`", "beside this declaration"),
        ("project: shop", "project: shop\nssh: {config: 5}", "3:15 expected text, not a number", ""),
        ("project: shop", "project: shop\nssh: {user: ada}", "3:7 there is no key `user`", "config, sudo_password"),
        ("project: shop", "project: shop\nssh: {sudo_password: pw}", "3:22 a password has no place in a declaration", "secret:NAME"),
        ("project: shop", "project: shop\nssh: {sudo_password: secret:pw}", "3:22 there is no secret `pw`", "declare it"),
        ("hosts: [local,", "hosts: [lokal,", "8:13 `lokal` is not a host", "did you mean `local`?"),
        ("hosts: [local,", "hosts: [5,", "8:13 expected a map, not a number", ""),
        ("hosts: [local,", "hosts: [{vars: {}},", "8:13 the key `at` is missing", "local"),
        ('{at: "root:./machine"}', "local", "8:20 the host `local` is listed twice", ""),
        ('{at: "root:./machine"}', '{at: "root:./machine", port: 1}', "8:43 there is no key `port`", "at, vars"),
        ('hosts: [local, {at: "root:./machine"}]', "hosts: []", "8:12 nothing is written here", "at least one"),
        ('hosts: [local, {at: "root:./machine"}]', "hosts: local", "8:12 expected a list, not text", ""),
        ("base: rootfs:./root", "base: debian", "9:11 `debian` is not a base", "debian:bookworm"),
        ("base: rootfs:./root", "base: debootstrp:bookworm", "9:11 `debootstrp:bookworm` is not a base", "debootstrap:"),
        ("base: rootfs:./root", "base:", "9:10 nothing is written here", "take the key out"),
        ("runtime: bubblewrap", "runtime: docker", "10:14 `docker` is not one of bubblewrap, podman", ""),
        ("runtime: bubblewrap", "volumes: {/var/lib: a b}", "10:25 'a b' is not the name of a volume", "letters"),
        ("runtime: bubblewrap", "volumes: {var: data}", "10:15 'var' is not an absolute path", "start it with /"),
        ("runtime: bubblewrap", "volumes: {/var/cache: data}", "10:15 the volume at /var/cache and /var/cache/app lie in each other", ""),
        ("runtime: bubblewrap", "capabilities: [CHOWN]", "10:5 bubblewrap keeps no capabilities", "runtime: podman"),
        ("runtime: bubblewrap", "runtime: podman\n    limits: {memory: 1}", "11:22 this is no amount of memory", "256MB"),
        ("runtime: bubblewrap", "runtime: podman\n    limits: {cpu: half}", "11:19 this is not a number of processors", "0.5"),
        ("runtime: bubblewrap", "runtime: podman\n    limits: {disk: 1}", "11:14 there is no key `disk`", "memory, cpu, pids"),
        ("runtime: bubblewrap", "runtime: podman\n    capabilities: [all]", "11:20 'all' is not a capability", "NET_BIND"),
        (
            "base: rootfs:./root\n    runtime: bubblewrap",
            "base: host\n    runtime: podman",
            "9:11 podman runs images that are whole",
            "rootfs:DIR",
        ),
        ("replicas: 3", "replicas: 0", "11:15 0 is too small", "at least 1"),
        ("replicas: 3", "replicas: 21", "11:15 21 is too large", "at most 20"),
        ("replicas: 3", "replicas: true", "11:15 expected a whole number, not true", ""),
        ("replicas: 3", "write_once: 30", "11:17 a time has a unit", "30d"),
        ("replicas: 3", "write_once: 30m", "11:17 this is not a time to keep something for", "30d or 7y"),
        ("replicas: 3", "write_once: 0d", "11:17 this is not a time to keep something for", ""),
        ("replicas: 3", "write_once: 101y", "11:17 nothing is kept for so long", "at most 100y"),
        ("writable: [/var/cache/app]", "writable: [var/cache]", "12:16 'var/cache' is not an absolute path", "start it with /"),
        ("writable: [/var/cache/app]", "writable: [/]", "12:16 `/` cannot be writable", ""),
        ("writable: [/var/cache/app]", "writable: /var", "12:15 expected a list, not text", ""),
        ("http: /healthz", "http: healthz", "13:20 'healthz' is not the path of a URL", "start it with /"),
        ("http: /healthz", "http: /healthz, tcp: 0", "13:13 health is asked in one way", "as in"),
        ("http: /healthz, ", "", "13:13 health is asked in one way", "as in"),
        ("http: /healthz", "command: []", "13:23 nothing is written here", ""),
        ("interval: 100ms", "interval: 100", "13:64 a duration has a unit", "100s"),
        ("interval: 100ms", "interval: soon", "13:64 this is not a duration", "30s"),
        ("passes: 3", "passes: three", "13:51 expected a whole number, not text", ""),
        ("router: edge", "router: egde", "14:21 there is no router `egde`", "did you mean `edge`?"),
        ("router: edge, ", "", "14:5 the key `router` is missing", "routers"),
        ("host: shop.example", "host: 'shop example'", "14:33 'shop example' is not a host name", ""),
        ("strategy: blue-green", "strategy: blue", "15:25 `blue` is not one of blue-green, canary, rolling, recreate", ""),
        ("retain: 7", "retain: -1", "15:90 -1 is too small", ""),
        ("rollout: {", "rollout: 5 #", "15:14 expected a map, not a number", ""),
        ("vars: {unused: 1}", "vars: [1]", "16:11 expected a map, not a list", ""),
        (f"    resources:\n      {PROCESS}\n", "", "6:3 the key `resources` is missing", ""),
    ],
)
def test_a_wrong_key_or_value_is_told_at_its_very_place(project: Project, old: str, new: str, expected: str, rest: str) -> None:
    assert old in WHOLE

    found, more = project.problem(WHOLE.replace(old, new, 1))

    assert found.startswith(expected)
    assert rest in more


def test_all_problems_are_told_at_once_in_the_order_of_the_file(project: Project) -> None:
    text = (
        WHOLE.replace("version: 1", "version: 2")
        .replace("replicas: 3", "replicas: 0")
        .replace("tls: off", "tls: on")
        .replace("name: web", "nam: web")
    )

    found = project.problems(text)

    assert [problem.where.line for problem in found if problem.where] == [1, 4, 11, 18, 18]


def test_a_declaration_that_is_no_map_is_told(project: Project) -> None:
    assert project.problem("- a\n- b\n")[0] == "1:1 expected a map, not a list"


def test_a_declaration_without_a_server_is_told(project: Project) -> None:
    assert project.problem("version: 1\nproject: shop\nservers: {}\n")[0] == "3:1 no server is declared"


def test_the_dormant_keys_of_a_mutable_server_are_validated_and_kept(project: Project) -> None:
    mutable = WHOLE.replace("lifecycle: immutable", "lifecycle: mutable")

    assert project.load(mutable).servers[0].replicas == 3
    assert project.problem(mutable.replace("retain: 7", "retain: 0"))[0].startswith("15:90")


def test_one_word_flips_a_server_both_ways(project: Project) -> None:
    immutable = project.load(WHOLE).servers[0]
    mutable = project.load(WHOLE.replace("lifecycle: immutable", "lifecycle: mutable")).servers[0]

    assert immutable.resources == mutable.resources
    assert (immutable.lifecycle, mutable.lifecycle) == (Lifecycle.IMMUTABLE, Lifecycle.MUTABLE)


def test_a_flip_that_lacks_a_key_says_which_and_proposes_a_value(project: Project) -> None:
    found = project.problems(
        WHOLE.replace("    base: rootfs:./root\n", "").replace("http: /healthz", "tcp: 80").replace(PROCESS, "- directory: /srv")
    )

    assert [(problem.where.line, problem.where.column) for problem in found if problem.where] == [(7, 16), (7, 16)]
    assert [problem.summary for problem in found] == ["an immutable server needs the key `base`", "an immutable server needs a `process`"]
    assert "base: host" in found[0].hint
    assert "- process:" in found[1].hint


def test_an_image_with_two_processes_is_told_with_both_places(project: Project) -> None:
    found, more = project.problem(WHOLE + "      - process: {name: other, command: [/bin/true]}\n")

    assert found == "19:9 an image has one process"
    assert f"{project.folder}/vitrify.yaml:18:9" in more


def test_health_on_a_port_that_nobody_has_is_refused(project: Project) -> None:
    text = WHOLE.replace(", port: 8000", "")

    found, more = project.problem(text)

    assert found == "13:5 health is asked on the port of the server's `process`, and there is none"
    assert "port: 80" in more
    assert project.load(text.replace("http: /healthz", "http: /healthz, port: 80")).servers[0].health


def test_health_by_tcp_zero_is_the_instances_own_port(project: Project) -> None:
    server = project.load(WHOLE.replace("http: /healthz", "tcp: 0")).servers[0]

    assert server.health == Health(tcp=0, status=204, passes=3, interval=0.1, timeout=3.0, grace=60.0)


def test_two_routers_cannot_listen_on_one_address(project: Project) -> None:
    text = WHOLE.replace("servers:", '  rim: {kind: caddy, listen: ":8080"}\nservers:')

    assert project.problem(text)[0] == "5:30 another router listens on :8080 already"


def test_two_servers_cannot_want_the_same_requests(project: Project) -> None:
    server = WHOLE[WHOLE.index("  web:") :].replace("  web:", "  web2:")

    found, more = project.problem(WHOLE + server)

    assert found == "19:3 the servers `web` and `web2` want the same requests"
    assert "vitrify.yaml:6:3" in more


def test_a_declaration_that_cannot_be_opened_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageInvalid):
        load(str(tmp_path), environ={}, overrides={}, kinds=all_kinds(), key=b"")


@pytest.mark.parametrize(
    ("at", "host"),
    [
        ("ssh://web1", Host("ssh://web1", address="web1")),
        ("ssh://admin@db1.example:2222", Host("ssh://admin@db1.example:2222", address="db1.example", user="admin", port=2222)),
        ("ssh://an_alias", Host("ssh://an_alias", address="an_alias")),
        ("ssh://root@[::1]:22", Host("ssh://root@[::1]:22", address="::1", user="root", port=22)),
        ("ssh://[fe80::1%eth0]", Host("ssh://[fe80::1%eth0]", address="fe80::1%eth0")),
    ],
)
def test_a_host_over_ssh_is_taken_apart(project: Project, at: str, host: Host) -> None:
    (server,) = project.load(MUTABLE.replace("HOSTS", f"'{at}'")).servers

    assert server.hosts == (host,)


MUTABLE = """\
version: 1
project: shop
ssh: {config: ./ssh_config, sudo_password: secret:sudo}
secrets: {sudo: {file: ./password}}
servers:
  web: {lifecycle: mutable, hosts: [HOSTS], resources: [{directory: /srv}]}
"""


@pytest.fixture(autouse=True)
def ssh_files(project: Project) -> None:
    (project.folder / "ssh_config").touch()
    (project.folder / "password").write_text("of sudo\n")


def test_how_ssh_is_called_reaches_the_declaration_and_the_password_no_text(project: Project) -> None:
    declaration = project.load(MUTABLE.replace("HOSTS", "local"))

    assert declaration.ssh == Ssh(str(project.folder / "ssh_config"), "of sudo")
    assert "of sudo" not in repr(declaration)


@pytest.mark.parametrize("other", ["ssh://admin@web1", "ssh://web1:22", "{at: 'ssh://root@web1:22', vars: {a: 1}}"])
def test_the_same_machine_twice_is_told_whoever_logs_in(project: Project, other: str) -> None:
    found, hint = project.problem(MUTABLE.replace("HOSTS", f"ssh://web1, {other}"))

    assert "is listed twice" in found
    assert "`ssh://web1` is the same place" in hint


def test_another_port_is_another_machine(project: Project) -> None:
    (server,) = project.load(MUTABLE.replace("HOSTS", "'ssh://web1:22', 'ssh://web1:2222'")).servers

    assert len(server.hosts) == 2


@pytest.mark.parametrize(("written", "seconds"), [("12h", 43_200), ("30d", 2_592_000), ("7y", 220_752_000)])
def test_how_long_images_are_kept_is_said_in_hours_days_or_years(project: Project, written: str, seconds: float) -> None:
    (server,) = project.load(WHOLE.replace("replicas: 3", f"write_once: {written}")).servers

    assert server.write_once == seconds
