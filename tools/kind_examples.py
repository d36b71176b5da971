"""One example for each kind, as a declaration's `resources` would hold it; shown on the reference page, and valid by test."""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, str] = {
    "acl": """
- acl: {path: /srv/app, entries: ["user:ada:rwx", "group:ops:r-x", "default:user:ada:rwx"]}
""",
    "alternative": """
- alternative: {name: editor, path: /usr/bin/vim.basic}
- alternative: {name: java, path: /opt/jdk/bin/java, link: /usr/bin/java, priority: 2000}
""",
    "archive": """
- archive: {path: /srv/app, source: dist/app.tar.gz, strip_components: 1, owner: www-data}
- archive:
    path: /opt/tool-1.4
    url: https://releases.example/tool-1.4.tar.xz
    checksum: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    parents: true
- archive:
    path: /usr/local
    name: node
    file: /var/cache/node.tar.xz
    checksum: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    strip_components: 1
""",
    "authorized_key": """
- authorized_key:
    user: ada
    key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBgZzkEnUzIC6w1BDrmcE1IAM6xLKswyVWzFTS8kbcxL ada@laptop
    options: [no-agent-forwarding, 'from="10.0.0.0/8"']
    exclusive: true
""",
    "block": """
- block: {path: /etc/hosts, name: shop, content: "10.0.0.1 db\\n10.0.0.2 cache\\n"}
- block: {path: /etc/nginx/site.conf, source: locations.conf, insert_after: "^server {", validate: [/usr/sbin/nginx, -t, -c, "%s"]}
- block: {path: /var/www/index.html, content: <p>closed</p>, marker: "<!-- {mark} {name} -->", insert_before: "</body>"}
""",
    "certificate": """
- certificate: {path: /etc/ssl/shop.pem, key: /etc/ssl/private/shop.key, names: [shop.example, 10.0.0.1], days: 90, renew: 30}
- certificate:
    path: /etc/ssl/shop.csr
    key: /etc/ssl/private/shop.key
    key_type: rsa-3072
    subject: {CN: shop.example, O: Shop, C: DE}
    names: [shop.example]
    request: true
""",
    "command": """
- command: {run: [/usr/bin/python3, -m, compileall, -q, /srv/app], creates: /srv/app/__pycache__}
- command: {run: [/usr/sbin/chpasswd], stdin: "secret:passwords", unless: [/usr/bin/test, -e, /etc/.passwords], env: {LANG: C}}
- command:
    name: allow low ports
    run: [/usr/sbin/sysctl, -w, net.ipv4.ip_unprivileged_port_start=80]
    unless: [/usr/bin/grep, -qx, "80", /proc/sys/net/ipv4/ip_unprivileged_port_start]
""",
    "cron": """
- cron: {name: backup, job: /usr/local/bin/backup --all, minute: 30, hour: "*/6", user: backup, env: {MAILTO: root}}
- cron: {name: warm-up, job: /usr/local/bin/warm-up, special: reboot}
""",
    "debconf": """
- debconf: {package: postfix, question: postfix/main_mailer_type, vtype: select, value: Satellite system}
- debconf: {package: slapd, question: slapd/password1, vtype: password, value: "secret:ldap"}
""",
    "directory": """
- directory: /srv/app
- directory: {path: /srv/data/uploads, parents: true, owner: www-data, mode: "2750", recurse: true}
- directory: {path: /var/cache/app, owner: www-data, mode: "0750"}
""",
    "divert": """
- divert: /usr/bin/tool
- divert: {path: /etc/default/tool, to: /etc/default/tool.package}
""",
    "download": """
- download:
    path: /usr/local/bin/tool
    url: https://releases.example/tool-1.4-linux-amd64
    checksum: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    mode: "0755"
- download:
    path: /srv/data/model.bin
    url: https://packages.example/api/model.bin
    checksum: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    token: "secret:packages"
    token_header: PRIVATE-TOKEN
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
    "git": """
- git: {path: /srv/app, repo: "https://git.example/shop.git", version: v1.4.2, depth: 1}
- git: {path: /srv/site, repo: "git@git.example:site.git", version: main, user: deploy, key: /etc/deploy/id_ed25519, submodules: true}
- git: {path: /opt/tool, repo: "https://git.example/tool.git", version: 9fceb02d0ae598e95dc970b74767f19372d61af8}
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
    "http_check": """
- http_check: {url: "http://127.0.0.1:8000/healthz", status: 200, body: '"ready": *true', timeout: 1m, after: "service:shop"}
""",
    "ini": """
- ini: {path: /etc/php/8.2/fpm/php.ini, section: PHP, option: memory_limit, value: 256M}
- ini: {path: /etc/mysql/my.cnf, section: client, option: password, value: "secret:database", create: true, mode: "0600"}
- ini: {path: /etc/systemd/journald.conf, section: Journal, option: SystemMaxUse, absent: true}
""",
    "json": """
- json: {path: /etc/docker/daemon.json, key: log-opts.max-size, value: 10m, create: true}
- json: {path: /etc/docker/daemon.json, key: dns, value: [10.0.0.1, 10.0.0.2]}
- json: {path: /etc/app.json, key: [servers, 0, weight], literal: "0.5"}
""",
    "kernel_module": """
- kernel_module: br_netfilter
- kernel_module: {name: nf_conntrack, options: {hashsize: "65536"}}
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
- line: {path: /etc/ssh/sshd_config, line: AllowUsers ada, insert_before: "^Match "}
- line: {path: /etc/app.conf, match: "^( *)workers:.*", line: '\\1workers: 4', backrefs: true}
- line: {path: /etc/fstab, match: " swap ", absent: true}
""",
    "link": """
- link: {path: /etc/localtime, to: /usr/share/zoneinfo/Europe/Berlin}
""",
    "locale": """
- locale: de_DE.UTF-8
- locale: {lang: en_US.UTF-8, variables: {LC_TIME: en_GB.UTF-8}}
""",
    "mount": """
- mount: {path: /srv/data, source: UUID=0a3407de-014b-458b-b5c1-848e92a327a3, fstype: ext4, options: "noatime,nofail", pass: 2}
- mount: {path: /srv/scratch, source: tmpfs, fstype: tmpfs, options: size=1g}
""",
    "npm": """
- npm: {package: pm2, version: 5.3.0, global: true}
- npm: {package: "@scope/tool", path: /srv/app, scripts: false, user: deploy}
""",
    "package": """
- package: curl
- package: [ca-certificates, unattended-upgrades]
- package: {name: postgresql-15, version: 15.*, hold: true, update_cache: 1h}
- package: {name: shop-agent, version: 2.1-1, source: ./shop-agent_2.1-1_amd64.deb}
- package: {name: telnetd, absent: true, purge: true, autoremove: true}
""",
    "postgres_database": """
- postgres_database: {name: shop, owner: shop, encoding: UTF8, extensions: [pg_trgm]}
""",
    "postgres_user": """
- postgres_user: {name: shop, password: "secret:database", connection_limit: 20}
- postgres_user: {name: reports, member_of: [pg_read_all_data], login: true}
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
    "reboot": """
- reboot: {when_required: true, after: "package:linux-image-amd64"}
- reboot: {name: grub, reboot_on: ["file:/etc/default/grub.d/quiet.cfg"], timeout: 15m}
- reboot: {name: nightly, always: true}
""",
    "replace": """
- replace: {path: /etc/nginx/nginx.conf, match: 'worker_connections [0-9]+;', to: worker_connections 4096;}
- replace: {path: /etc/app.conf, start_after: '^\\[old\\]$', end_before: '^\\[', match: ^enabled=1$, to: enabled=0}
""",
    "repository": """
- repository:
    name: postgresql
    uris: [https://apt.postgresql.org/pub/repos/apt]
    suites: [bookworm-pgdg]
    components: [main]
    key_source: ./postgresql.asc
""",
    "script": """
- script: {name: install the app, source: install.sh, args: [/srv/app], creates: /srv/app/VERSION}
- script:
    name: make the search index
    source: index.py
    unless: [/usr/bin/test, -s, /srv/app/index]
    user: www-data
    timeout: 1800
    umask: "0077"
    env: {TOKEN: "secret:search_token"}
""",
    "service": """
- service: {name: nginx, running: true, enabled: true, reload_on: ["file:/etc/nginx/nginx.conf"]}
- service: {name: apt-daily.timer, running: false, enabled: false}
- service: {name: bluetooth, masked: true}
""",
    "sudoers": """
- sudoers: {name: deploy, user: deploy, commands: [/usr/bin/systemctl restart web], nopassword: true}
- sudoers: {name: ops, group: ops, commands: [ALL], run_as: ALL}
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
    "timezone": """
- timezone: Europe/Berlin
""",
    "toml": """
- toml: {path: /etc/containerd/config.toml, key: [plugins, io.containerd.grpc.v1.cri, sandbox_image], value: "pause:3.9"}
- toml: {path: /etc/app.toml, key: server.started, literal: "2026-01-31"}
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
    "user": """
- user: {name: ada, groups: [sudo], append: true, shell: /bin/bash, password: "secret:ada_password"}
- user: {name: app, system: true, home: /srv/app, shell: /usr/sbin/nologin}
- user: {name: bob, absent: true, on_leave: purge}
""",
    "venv": """
- venv: {path: /srv/app/venv, packages: [gunicorn==21.2.0], wheels_only: true}
- venv: {path: /srv/app/venv, requirements: /srv/app/requirements.txt, python: /usr/bin/python3.11, user: deploy}
""",
    "wait_for": """
- wait_for: {tcp: 5432, timeout: 30s, after: "service:postgresql"}
- wait_for: {tcp: "db1.example:5432"}
- wait_for: {path: /run/shop/ready}
""",
    "yaml": """
- yaml: {path: /etc/netplan/01.yaml, key: network.ethernets.eth0.dhcp4, value: true}
- yaml: {path: /etc/app.yaml, key: [hosts, 0, labels], value: {role: db, zone: "1"}}
- yaml: {path: /etc/app.yaml, key: debug, absent: true}
""",
}
"""Kind -> YAML."""
