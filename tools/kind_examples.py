"""One example for each kind, as a declaration's `resources` would hold it; shown on the reference page, and valid by test."""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, str] = {
    "alternative": """
- alternative: {name: editor, path: /usr/bin/vim.basic}
- alternative: {name: java, path: /opt/jdk/bin/java, link: /usr/bin/java, priority: 2000}
""",
    "command": """
- command: {run: [/usr/bin/python3, -m, compileall, -q, /srv/app], creates: /srv/app/__pycache__}
- command:
    name: allow low ports
    run: [/usr/sbin/sysctl, -w, net.ipv4.ip_unprivileged_port_start=80]
    unless: [/usr/bin/grep, -qx, "80", /proc/sys/net/ipv4/ip_unprivileged_port_start]
""",
    "debconf": """
- debconf: {package: postfix, question: postfix/main_mailer_type, vtype: select, value: Satellite system}
- debconf: {package: slapd, question: slapd/password1, vtype: password, value: "secret:ldap"}
""",
    "directory": """
- directory: /srv/app
- directory: {path: /var/cache/app, owner: www-data, mode: "0750"}
""",
    "divert": """
- divert: /usr/bin/tool
- divert: {path: /etc/default/tool, to: /etc/default/tool.package}
""",
    "file": """
- file: {path: /etc/motd, content: "managed by vitrify\\n", mode: "0644"}
- file: {path: /etc/app.conf, template: app.conf.j2, vars: {workers: 4}, owner: www-data}
- file: {path: /etc/sudoers.d/deploy, source: sudoers, mode: "0440", validate: [/usr/sbin/visudo, -cf, "%s"]}
- file: {path: /etc/motd.old, absent: true}
""",
    "line": """
- line: {path: /etc/hosts, line: 127.0.0.1 shop.example}
- line: {path: /etc/ssh/sshd_config, match: "^#?PermitRootLogin ", line: PermitRootLogin no}
- line: {path: /etc/fstab, match: " swap ", absent: true}
""",
    "link": """
- link: {path: /etc/localtime, to: /usr/share/zoneinfo/Europe/Berlin}
""",
    "package": """
- package: curl
- package: [ca-certificates, unattended-upgrades]
- package: {name: postgresql-15, version: 15.*, hold: true, update_cache: 1h}
- package: {name: shop-agent, version: 2.1-1, source: ./shop-agent_2.1-1_amd64.deb}
- package: {name: telnetd, absent: true, purge: true, autoremove: true}
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
    "repository": """
- repository:
    name: postgresql
    uris: [https://apt.postgresql.org/pub/repos/apt]
    suites: [bookworm-pgdg]
    components: [main]
    key_source: ./postgresql.asc
""",
    "tree": """
- tree: {from: ./app, to: /srv/app, owner: www-data}
""",
}
"""Kind -> YAML."""
