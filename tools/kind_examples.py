"""One example for each kind, as a declaration's `resources` would hold it; shown on the reference page, and valid by test."""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, str] = {
    "command": """
- command: {run: [/usr/bin/python3, -m, compileall, -q, /srv/app], creates: /srv/app/__pycache__}
- command:
    name: allow low ports
    run: [/usr/sbin/sysctl, -w, net.ipv4.ip_unprivileged_port_start=80]
    unless: [/usr/bin/grep, -qx, "80", /proc/sys/net/ipv4/ip_unprivileged_port_start]
""",
    "cron": """
- cron: {name: backup, job: /usr/local/bin/backup --all, minute: 30, hour: "*/6", user: backup, env: {MAILTO: root}}
- cron: {name: warm-up, job: /usr/local/bin/warm-up, special: reboot}
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
    "firewall": """
- firewall:
    name: shop
    content: |
      chain input {
          type filter hook input priority filter; policy drop;
          ct state established,related accept
          iifname "lo" accept
          tcp dport { 22, 443 } accept
      }
""",
    "kernel_module": """
- kernel_module: br_netfilter
- kernel_module: {name: nf_conntrack, options: {hashsize: "65536"}}
""",
    "line": """
- line: {path: /etc/hosts, line: 127.0.0.1 shop.example}
- line: {path: /etc/ssh/sshd_config, match: "^#?PermitRootLogin ", line: PermitRootLogin no}
- line: {path: /etc/fstab, match: " swap ", absent: true}
""",
    "link": """
- link: {path: /etc/localtime, to: /usr/share/zoneinfo/Europe/Berlin}
""",
    "mount": """
- mount: {path: /srv/data, source: UUID=0a3407de-014b-458b-b5c1-848e92a327a3, fstype: ext4, options: "noatime,nofail", pass: 2}
- mount: {path: /srv/scratch, source: tmpfs, fstype: tmpfs, options: size=1g}
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
    "service": """
- service: {name: nginx, running: true, enabled: true, reload_on: ["file:/etc/nginx/nginx.conf"]}
- service: {name: apt-daily.timer, running: false, enabled: false}
- service: {name: bluetooth, masked: true}
""",
    "swap": """
- swap: {path: /swapfile, size: 2G}
""",
    "sysctl": """
- sysctl: {name: net.ipv4.ip_forward, value: 1}
- sysctl: {name: net.ipv4.ip_local_port_range, value: 1024 65000}
""",
    "timer": """
- timer: {name: backup, command: [/usr/local/bin/backup, --all], on_calendar: ["03:00"], persistent: true, delay: 10min, user: backup}
- timer: {name: poll, command: [/usr/local/bin/poll], on_boot: 5min, every: 1h}
""",
    "tree": """
- tree: {from: ./app, to: /srv/app, owner: www-data}
""",
    "unit": """
- unit:
    name: shop
    sections:
      Unit: {Description: the shop, After: network-online.target}
      Service: {ExecStart: /usr/bin/shop --port 8000, Restart: on-failure}
      Install: {WantedBy: multi-user.target}
- unit: {name: nginx, drop_in: limits, sections: {Service: {LimitNOFILE: 65536}}}
- unit: {name: srv-data.mount, source: srv-data.mount}
""",
}
"""Kind -> YAML."""
