"""One example for each kind, as a declaration's `resources` would hold it; shown on the reference page, and valid by test."""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, str] = {
    "acl": """
- acl: {path: /srv/app, entries: ["user:ada:rwx", "group:ops:r-x", "default:user:ada:rwx"]}
""",
    "authorized_key": """
- authorized_key:
    user: ada
    key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBgZzkEnUzIC6w1BDrmcE1IAM6xLKswyVWzFTS8kbcxL ada@laptop
    options: [no-agent-forwarding, 'from="10.0.0.0/8"']
    exclusive: true
""",
    "command": """
- command: {run: [/usr/bin/python3, -m, compileall, -q, /srv/app], creates: /srv/app/__pycache__}
- command:
    name: allow low ports
    run: [/usr/sbin/sysctl, -w, net.ipv4.ip_unprivileged_port_start=80]
    unless: [/usr/bin/grep, -qx, "80", /proc/sys/net/ipv4/ip_unprivileged_port_start]
""",
    "directory": """
- directory: /srv/app
- directory: {path: /var/cache/app, owner: www-data, mode: "0750"}
""",
    "file": """
- file: {path: /etc/motd, content: "managed by vitrify\\n", mode: "0644"}
- file: {path: /etc/app.conf, template: app.conf.j2, vars: {workers: 4}, owner: www-data}
- file: {path: /etc/sudoers.d/deploy, source: sudoers, mode: "0440", validate: [/usr/sbin/visudo, -cf, "%s"]}
- file: {path: /etc/motd.old, absent: true}
""",
    "group": """
- group: ops
- group: {name: web, gid: 600, members: [ada, www-data]}
""",
    "hostname": """
- hostname: web1.shop.example
""",
    "hosts_entry": """
- hosts_entry: {address: 10.0.0.7, names: [db.shop.example, db]}
""",
    "known_host": """
- known_host:
    name: "[git.example]:2222"
    key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBgZzkEnUzIC6w1BDrmcE1IAM6xLKswyVWzFTS8kbcxL
    hashed: true
""",
    "limits": """
- limits: {name: web, domain: www-data, soft: {nofile: "4096"}, hard: {nofile: "65536", core: "0"}}
- limits: {name: everybody, domain: "*", both: {nproc: "512"}}
""",
    "line": """
- line: {path: /etc/hosts, line: 127.0.0.1 shop.example}
- line: {path: /etc/ssh/sshd_config, match: "^#?PermitRootLogin ", line: PermitRootLogin no}
- line: {path: /etc/fstab, match: " swap ", absent: true}
""",
    "link": """
- link: {path: /etc/localtime, to: /usr/share/zoneinfo/Europe/Berlin}
""",
    "locale": """
- locale: de_DE.UTF-8
- locale: {lang: en_US.UTF-8, variables: {LC_TIME: en_GB.UTF-8}}
""",
    "process": """
- process:
    name: web
    command: [/usr/bin/python3, -m, gunicorn, "app:wsgi", --bind, "127.0.0.1:${instance.port}"]
    workdir: /srv/app
    user: www-data
    port: 8000
    env: {DATABASE_URL: "secret:database_url", LOG_LEVEL: info}
""",
    "sudoers": """
- sudoers: {name: deploy, user: deploy, commands: [/usr/bin/systemctl restart web], nopassword: true}
- sudoers: {name: ops, group: ops, commands: [ALL], run_as: ALL}
""",
    "timezone": """
- timezone: Europe/Berlin
""",
    "tree": """
- tree: {from: ./app, to: /srv/app, owner: www-data}
""",
    "user": """
- user: {name: ada, groups: [sudo], append: true, shell: /bin/bash, password: "secret:ada_password"}
- user: {name: app, system: true, home: /srv/app, shell: /usr/sbin/nologin}
- user: {name: bob, absent: true, on_leave: purge}
""",
}
"""Kind -> YAML."""
