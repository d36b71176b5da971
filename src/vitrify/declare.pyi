"""What a `vitrify.py` is written with. Written by `./run fix` from the kinds and the models: change those instead."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Literal, TypeAlias, TypedDict

_Path: TypeAlias = str | PathLike[str]
_Texts: TypeAlias = list[str] | tuple[str, ...]

class Project: ...
class Server: ...
class Profile: ...
class Resource: ...

def var(name: str) -> Any:
    """The variable of this name, wherever it is declared: `${var.NAME}`."""

def param(name: str) -> Any:
    """A parameter, in the resources of a profile: `${param.NAME}`."""

def secret(name: str) -> str:
    """The secret of this name: `secret:NAME`."""

def use(profile: str, *, with_: Mapping[str, object] = ...) -> Resource:
    """The resources of a profile."""

class _Heal(TypedDict, total=False):
    """After how many looks that fail in a row, how far apart, and how often within an hour at most."""
    after: int
    pause: str
    limit: int

class _NoiseNeeded(TypedDict):
    """Differences that are to be expected."""
    path: str
    reason: str

class _Noise(_NoiseNeeded, total=False):
    """Differences that are to be expected."""
    until: str
    changes: Literal['any', 'content', 'growth']

class _Audit(TypedDict, total=False):
    """What an audit of this server looks at and expects."""
    folders: Sequence[str]
    ignore: Sequence[_Noise]
    packages: Literal['any', 'upgrades', 'declared']
    profile: Literal['debian', 'none']

class _Approvals(TypedDict):
    """So many of these authors have to sign a saved plan before it is applied."""
    required: int
    keys: Sequence[str]

class _Policy(TypedDict, total=False):
    """What must be so before anything is done, and what is no finding wherever it is found."""
    approvals: _Approvals
    ignore: Sequence[_Noise]

class _ResponseNeeded(TypedDict):
    """What is done about findings of one sort; of several rules that fit, the first counts."""
    do: Literal['report', 're-converge', 'replace', 'quarantine']

class _Response(_ResponseNeeded, total=False):
    """What is done about findings of one sort; of several rules that fit, the first counts."""
    path: str
    severity: Literal['critical', 'high', 'medium', 'low']
    at_most: int
    give_up: int

class _HookNeeded(TypedDict):
    """A command that is run before or after a phase."""
    command: Sequence[str]

class _Hook(_HookNeeded, total=False):
    """A command that is run before or after a phase."""
    before: Literal['launch', 'gate', 'switch', 'probation', 'drain', 'release', 'rollback', 'replace', 'apply', 'undo', 'bake', 'retire', 'switch_back', 'abort']
    after: Literal['launch', 'gate', 'switch', 'probation', 'drain', 'release', 'rollback', 'replace', 'apply', 'undo', 'bake', 'retire', 'switch_back', 'abort']
    on: Literal['control', 'host', 'next']
    only: Sequence[Literal['release', 'rollback', 'replace']]
    timeout: str
    on_failure: Literal['abort', 'warn']
    env: Mapping[str, str]

class _MigrationNeeded(TypedDict):
    """One command of a migration."""
    command: Sequence[str]

class _Migration(_MigrationNeeded, total=False):
    """One command of a migration."""
    on: Literal['control', 'host', 'next']
    timeout: str
    env: Mapping[str, str]

class _RouterNeeded(TypedDict):
    """A traffic switch."""
    kind: Literal['caddy', 'haproxy']
    listen: str

class _Router(_RouterNeeded, total=False):
    """A traffic switch."""
    tls: Literal['off', 'automatic', 'internal']
    certificate: str
    key: str
    authority: str
    roots: str

class _Health(TypedDict, total=False):
    """How to tell that an instance serves."""
    http: str
    tcp: int
    command: Sequence[str]
    status: int
    passes: int
    interval: str
    timeout: str
    grace: str
    port: int
    body: str
    header: Mapping[str, str]
    host: str

class _Sticky(TypedDict, total=False):
    """How a visitor is known again."""
    cookie: str
    header: str

class _RouteNeeded(TypedDict):
    """What traffic reaches the server."""
    router: str

class _Route(_RouteNeeded, total=False):
    """What traffic reaches the server."""
    host: str
    path: str
    sticky: _Sticky
    maintenance: str
    websockets: Literal['drain', 'close']

class _Gate(TypedDict, total=False):
    """What the answers of a canary must be like, by what the router counts of them."""
    errors: str
    p95: str
    requests: int
    command: Sequence[str]

class _Rollout(TypedDict, total=False):
    """How a release goes into service."""
    strategy: Literal['blue-green', 'canary', 'rolling', 'recreate']
    drain: str
    probation: str
    keep_warm: str
    retain: int
    promote: Literal['automatic', 'manual']
    preview: str
    steps: Sequence[str]
    gate: _Gate
    max_surge: int | str
    max_unavailable: int | str
    pause: str
    expand: Sequence[_Migration]
    contract: Sequence[_Migration]

class _Schedule(TypedDict, total=False):
    """How often `vitrify serve` does each duty."""
    keep: str
    health: str
    contract: str
    retention: str
    audit: str
    respond: str
    watch: str

class _Ssh(TypedDict, total=False):
    """How hosts are reached by SSH."""
    config: str
    sudo_password: str

class _AgeNeeded(TypedDict):
    """A file encrypted with age."""
    file: str

class _Age(_AgeNeeded, total=False):
    """A file encrypted with age."""
    identity: str
    passphrase: str

class _SopsNeeded(TypedDict):
    """A file encrypted with sops."""
    file: str

class _Sops(_SopsNeeded, total=False):
    """A file encrypted with sops."""
    key: str

class _AnsibleVaultNeeded(TypedDict):
    """A file closed by `ansible-vault`, or one that holds closed values."""
    file: str
    password: str

class _AnsibleVault(_AnsibleVaultNeeded, total=False):
    """A file closed by `ansible-vault`, or one that holds closed values."""
    key: str

class _Secret(TypedDict, total=False):
    """Where a secret comes from: one of these places."""
    env: str
    file: str
    exec: Sequence[str]
    age: _Age
    sops: _Sops
    ansible_vault: _AnsibleVault

class _ParameterNeeded(TypedDict):
    """One parameter of a profile; without a default it must be given, unless it says `required: false`."""
    type: Literal['text', 'integer', 'boolean', 'list', 'map']

class _Parameter(_ParameterNeeded, total=False):
    """One parameter of a profile; without a default it must be given, unless it says `required: false`."""
    default: object
    required: bool
    choices: Sequence[object]

class _HostNeeded(TypedDict):
    """Where a server lives; a text alone is its `at`."""
    at: str

class _Host(_HostNeeded, total=False):
    """Where a server lives; a text alone is its `at`."""
    vars: Mapping[str, object]

class _GroupNeeded(TypedDict):
    """A named list of hosts and of groups of hosts."""
    hosts: Sequence[str | _Host]

class _Group(_GroupNeeded, total=False):
    """A named list of hosts and of groups of hosts."""
    vars: Mapping[str, object]

class _Environment(TypedDict, total=False):
    """Variables that hold where the command line names the environment."""
    vars: Mapping[str, object]

class _MirrorNeeded(TypedDict):
    """Where the packages of a base come from."""
    uris: Sequence[str]

class _Mirror(_MirrorNeeded, total=False):
    """Where the packages of a base come from."""
    suites: Sequence[str]
    components: Sequence[str]
    keyring: str

class _Limits(TypedDict, total=False):
    """What one instance may use."""
    memory: str
    cpu: int | str
    pids: int

class _AllowedSecret(TypedDict):
    """A file of an image that looks as if it held a secret, and may be in it all the same."""
    path: str
    rule: str
    reason: str

class _Notice(TypedDict, total=False):
    """Somebody who is told of what happened: by a webhook, or by a command that reads it."""
    webhook: str
    headers: Mapping[str, str]
    command: Sequence[str]
    env: Mapping[str, str]
    on: Sequence[str]
    servers: Mapping[str, Server]
    timeout: str
    retries: int

def project(
    name: str,
    *,
    vars: Mapping[str, object] = ...,
    environments: Mapping[str, _Environment] = ...,
    groups: Mapping[str, _Group] = ...,
    profiles: Mapping[str, Profile] = ...,
    routers: Mapping[str, _Router] = ...,
    servers: Mapping[str, Server],
    secrets: Mapping[str, _Secret] = ...,
    ssh: _Ssh = ...,
    policy: _Policy = ...,
    hooks: Sequence[_Hook] = ...,
    notices: Sequence[_Notice] = ...,
    schedule: _Schedule = ...,
) -> Project:
    """The declaration itself."""

def server(
    *,
    lifecycle: Literal['mutable', 'immutable'],
    hosts: Sequence[str | _Host],
    resources: Sequence[Resource],
    base: str = ...,
    mirror: _Mirror = ...,
    audit: _Audit = ...,
    respond: Sequence[_Response] = ...,
    on_image: Literal['drop', 'refuse'] = ...,
    runtime: Literal['bubblewrap', 'podman'] = ...,
    replicas: int = ...,
    writable: Sequence[str] = ...,
    allow_secrets: Sequence[_AllowedSecret] = ...,
    write_once: str = ...,
    volumes: Mapping[str, str] = ...,
    capabilities: Sequence[str] = ...,
    limits: _Limits = ...,
    health: _Health = ...,
    heal: _Heal = ...,
    route: _Route = ...,
    rollout: _Rollout = ...,
    batch: Sequence[int | str] = ...,
    max_fail: int | str = ...,
    policy: _Policy = ...,
    hooks: Sequence[_Hook] = ...,
    schedule: _Schedule = ...,
    vars: Mapping[str, object] = ...,
) -> Server:
    """One server, with the keys of both lifecycles."""

def profile(
    *,
    parameters: Mapping[str, _Parameter] = ...,
    resources: Sequence[Resource],
) -> Profile:
    """A named list of resources."""

def acl(
    *,
    entries: _Texts,
    path: _Path,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """Entries of a POSIX access list, beside those that are there.

    The path is there before: this gives rights to more people, `file` and `directory` to its owner. Absent, the rights of those
    named are taken away. The group's part of the mode becomes the most that anybody named may do: where the path's `mode` is declared,
    declare it so. It acts on hosts and in folders, through `setfacl`; an image does not carry access lists.

    path: the file or folder
    entries: who may do what, as in user:ada:rwx or default:group:ops:r-x
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def alternative(
    *,
    name: str,
    path: _Path,
    link: _Path = ...,
    priority: int = ...,
    selected: bool = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """One path behind a general name, as `editor` stands for one of several editors.

    With `link` and `priority` the path is registered; it is chosen unless `selected: false` says otherwise. Absent, or once it left,
    the path is registered no longer. Without them a path that a package registered is chosen; absent, it is left to the priorities.

    name: the general name, as in editor
    path: the program that it stands for
    link: where the general name is, as in /usr/bin/editor
    priority: the higher, the rather it is taken where nobody chose
    selected: whether this path is chosen; it is where not given
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def archive(
    *,
    path: _Path,
    checksum: str = ...,
    file: _Path = ...,
    group: str = ...,
    headers: Mapping[str, str] = ...,
    largest: int = ...,
    name: str = ...,
    owner: str = ...,
    parents: bool = ...,
    source: str = ...,
    strip_components: int = ...,
    timeout: int = ...,
    token: str = ...,
    token_header: str = ...,
    url: str = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """What an archive holds: tar (plain, gzip, bzip2, xz) or zip.

    All of it is checked before anything is put in place. Refused as a whole is an archive with absolute paths, `..`, links that lead
    out, devices, anything twice, or more bytes than `largest`. Set-id bits are left out, and nobody but the owner may write. What was
    unpacked is noted in the folder, in `.vitrify-archive`: what differs from it is put back, what a new archive has no more is taken
    away, what is foreign stays. A different file of somebody else in the way is a failure.

    path: the folder that it is unpacked to
    name: tells this archive from others in the same folder
    source: an archive in the project
    file: an archive on the target
    url: where it is had from: http, https or file (a path on the target)
    checksum: what it must be: `sha256:…` or `sha512:…`, in lower case
    headers: headers of the request; they are in every plan
    token: a secret that is sent along, as the whole value of a header
    token_header: the header that holds the token; Authorization where not given
    timeout: seconds without a byte after which a connection is given up; 60 where not given
    strip_components: so many folders at the beginning of each path are left out
    largest: bytes that it may unpack to; 4294967296 where not given
    owner: who owns it; left as it is where not given
    group: the group it belongs to; left as it is where not given
    parents: whether missing folders above it are created, 0755; they stay when it leaves
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def authorized_key(
    *,
    key: str,
    user: str,
    comment: str = ...,
    exclusive: bool = ...,
    options: _Texts = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A public key in a user's `~/.ssh/authorized_keys`; the folder is made 0700, the file 0600, both the user's own.

    `key` is one key, or several, one a line. Keys of others in the file stay, unless it is `exclusive`. Options and comment of a key
    that is there already stay as they are where none are declared. A link in place of the folder or the file is a failure: its
    owner could let it lead anywhere.

    user: who logs in with it
    key: the public key, as in a .pub file; or several, one a line
    options: what it may be used for, as in no-pty or from="10.0.0.1"
    comment: what stands behind it, instead of what stands there in `key`
    exclusive: whether every other key goes
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def block(
    *,
    path: _Path,
    content: str = ...,
    create: bool = ...,
    group: str = ...,
    insert_after: str = ...,
    insert_before: str = ...,
    marker: str = ...,
    mode: str = ...,
    name: str = ...,
    owner: str = ...,
    source: str = ...,
    template: str = ...,
    validate: _Texts = ...,
    vars: object = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """Some lines in a file, between two marks.

    What stands between the marks is replaced as a whole; all else stays as it is. Where the marks are not found, the block goes
    where `insert_after` or `insert_before` say, else to the end. Line endings are the file's. Absent, the block goes with its marks.

    name: tells this block from others in the file; `block` where not given
    content: the lines
    template: a Jinja template in the project that renders them
    vars: a map of values for the template
    source: a file in the project that holds them
    marker: the line before and after: {mark} is BEGIN or END, {name} the name; `# {mark} vitrify: {name}` where not given
    insert_after: a regular expression: what is new goes after the last line it is found in, at the end where it is found nowhere
    insert_before: a regular expression: what is new goes before the last line it is found in, at the end where it is found nowhere; BOF is the beginning of the file
    path: the file
    create: whether a missing file is created; without this it is a failure
    owner: who owns a file that is created
    group: the group of a file that is created
    mode: the permissions of a file that is created; 0644 where not given, 0600 where what it gets is secret
    validate: a command that must succeed before the file is put in place; `%s` stands for the new file
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def certificate(
    *,
    key: _Path,
    path: _Path,
    days: int = ...,
    group: str = ...,
    key_mode: str = ...,
    key_type: Literal['ec-p256', 'ec-p384', 'ed25519', 'rsa-2048', 'rsa-3072', 'rsa-4096'] = ...,
    mode: str = ...,
    names: _Texts = ...,
    owner: str = ...,
    renew: int = ...,
    request: bool = ...,
    subject: Mapping[str, str] = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A certificate that signs itself, or a request that an authority can sign.

    The key is made where it is missing, and kept: it never leaves the target, and only its owner can read it. The certificate is made
    anew when it differs from what is declared, when it does not belong to the key, and `renew` days before it ends. It is not made in
    an image: whoever has the image would have the key.

    path: where the certificate goes
    key: where its private key is
    key_type: the sort of key; where not given, the key that is there is kept whatever it is, and a new one is ec-p256
    subject: whom it is for: CN, O, OU, L, ST, C
    names: host names and IP addresses that it is for
    days: how long it is valid; 365 where not given
    renew: so many days before its end it is made anew; 30 where not given, or a third of `days`
    request: whether it is a request for an authority, instead of a certificate that signs itself
    owner: who owns it; left as it is where not given
    group: the group it belongs to; left as it is where not given
    mode: the permissions of the certificate; 0644 where not given
    key_mode: the permissions of the key; 0600 where not given
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def command(
    *,
    run: _Texts,
    always: bool = ...,
    creates: _Path = ...,
    cwd: _Path = ...,
    env: Mapping[str, str] = ...,
    name: str = ...,
    onlyif: _Texts = ...,
    removes: _Path = ...,
    stdin: str = ...,
    timeout: int = ...,
    umask: str = ...,
    unless: _Texts = ...,
    user: str = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A program to run. Never a shell string: one that needs a shell says so, as `[/bin/sh, -c, "…"]`.

    A plan cannot foresee what it does and an undo cannot take it back, so each command says when it is due, and the same is
    asked again just before it runs; of several conditions all must hold. `unless` and `onlyif` are run for every plan, where and
    as whom the command is: they must not change anything.
    A command that left the declaration is forgotten; what it did stays.

    name: what to call it; the command itself where not given
    run: the program and its arguments
    creates: due while this path is missing; it must be there afterwards
    removes: due while this path is there; it must be gone afterwards
    unless: due while this command fails or cannot be started
    onlyif: due while this command succeeds
    always: due every time: no plan will ever be empty
    cwd: the folder to run in; / where not given
    user: the user to run as; root where not given
    env: its environment, beside PATH, HOME and LC_ALL; a value `secret:NAME` is in no plan
    stdin: what it reads; nothing where not given
    timeout: seconds after which it is stopped, and has failed; 600 where not given
    umask: what the files it makes may not permit, as in "0077"
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def cron(
    *,
    name: str,
    day: object = ...,
    env: Mapping[str, str] = ...,
    hour: object = ...,
    job: str = ...,
    minute: object = ...,
    month: object = ...,
    special: Literal['reboot', 'yearly', 'annually', 'monthly', 'weekly', 'daily', 'midnight', 'hourly'] = ...,
    user: str = ...,
    weekday: object = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A job of cron, in the file `/etc/cron.d/NAME`, which cron reads within a minute.

    `job` is a line as cron runs it: by `/bin/sh`, with `%` for a line break unless it is written `\\%`. What is not said of the
    time is `*`. Where systemd runs, a `timer` does the same without a shell, and tells of its failures.

    name: its name, and that of the file
    job: the line that is run
    minute: 0 to 59, a range, a list or a step; * where not given
    hour: 0 to 23
    day: of the month, 1 to 31
    month: 1 to 12, or jan to dec
    weekday: 0 to 7, or sun to sat; 0 and 7 are Sunday
    special: in place of the five
    user: the user it runs as; root where not given
    env: variables of the file: PATH, MAILTO
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def debconf(
    *,
    package: str,
    question: str,
    value: str = ...,
    vtype: Literal['string', 'boolean', 'select', 'multiselect', 'password', 'note', 'text', 'title', 'error'] = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """An answer to a question of a package, given before the package is installed or set up again.

    An answer to a package that is set up already is noted, and changes nothing by itself. The answer to a question of the type
    `password` is forgotten by most packages once they have it: where the package is installed it counts as given.

    question: the name of the question, as in postfix/main_mailer_type
    package: the package that asks it
    vtype: the type of the question
    value: the answer
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def directory(
    path: _Path | Sequence[_Path],
    *,
    group: str = ...,
    mode: str = ...,
    owner: str = ...,
    parents: bool = ...,
    recurse: bool = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """One folder; what is in it is not its business, unless `recurse` passes owner, group and mode on to it.

    Only an empty folder is removed. One that left the declaration and holds something foreign stays, and is forgotten;
    one that is declared absent and still holds something when its turn comes is a failure that says what is in it.

    path: where the folder is
    owner: who owns it; left as it is where not given
    group: the group it belongs to; left as it is where not given
    mode: its permissions; left as they are where not given, 0755 on a new folder
    parents: whether missing folders above it are created, 0755; they stay when it leaves
    recurse: whether all below gets its owner, group and mode too; a file gets no permission to execute that it has not already
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def divert(
    path: _Path | Sequence[_Path],
    *,
    to: _Path = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A file that packages bring along, diverted: every package puts its own at `to`, now and after each upgrade.

    The file that is there now is moved; its place is free for a `file` or a `link`, which come after it. Absent, it moves back.

    path: the file, where packages put it
    to: where it is to be instead; PATH.distrib where not given
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def download(
    *,
    path: _Path,
    checksum: str = ...,
    group: str = ...,
    headers: Mapping[str, str] = ...,
    mode: str = ...,
    owner: str = ...,
    parents: bool = ...,
    timeout: int = ...,
    token: str = ...,
    token_header: str = ...,
    url: str = ...,
    validate: _Texts = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A file that is had from a URL, and is what its checksum says.

    It is fetched where the file is missing or has another checksum, by the target itself; a plan asks nobody. A connection that
    breaks is taken up again. What does not have the checksum is never put in place. Headers and token go to the origin of the URL
    alone, wherever it leads on to, and never from https to http.

    path: where the file goes
    url: where it is had from: http, https or file (a path on the target)
    checksum: what it must be: `sha256:…` or `sha512:…`, in lower case
    headers: headers of the request; they are in every plan
    token: a secret that is sent along, as the whole value of a header
    token_header: the header that holds the token; Authorization where not given
    timeout: seconds without a byte after which a connection is given up; 60 where not given
    owner: who owns it; left as it is where not given
    group: the group it belongs to; left as it is where not given
    mode: its permissions; left as they are where not given, 0644 on a new file
    parents: whether missing folders above it are created, 0755; they stay when it leaves
    validate: a command that must succeed before the file is put in place; `%s` stands for the new file
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def file(
    path: _Path | Sequence[_Path],
    *,
    content: str = ...,
    group: str = ...,
    mode: str = ...,
    owner: str = ...,
    parents: bool = ...,
    source: str = ...,
    template: str = ...,
    validate: _Texts = ...,
    vars: object = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A regular file.

    Only what is declared is compared: without a content the file keeps the one it has (a missing file is created empty).
    A link in its place is replaced by a file, never followed; a folder in its place is a failure.

    path: where the file is
    content: what it holds
    template: a Jinja template in the project that renders what it holds
    vars: a map of values for the template
    source: a file in the project to take byte for byte
    owner: who owns it; left as it is where not given
    group: the group it belongs to; left as it is where not given
    mode: its permissions; left as they are where not given, 0644 on a new file, 0600 where the content is secret
    parents: whether missing folders above it are created, 0755; they stay when it leaves
    validate: a command that must succeed before the file is put in place; `%s` stands for the new file
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def firewall(
    *,
    name: str,
    content: str = ...,
    family: Literal['inet', 'ip', 'ip6', 'arp', 'bridge', 'netdev'] = ...,
    source: str = ...,
    template: str = ...,
    vars: object = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A table of nftables that belongs to this resource alone.

    What is declared is what stands between the braces of `table inet NAME { … }`: chains, sets, rules. On a live host `nft -c` must
    accept it before anything is written; then the kernel replaces the whole table at once, and no other table is touched. A
    unit of its own puts it in place at every start. Sets and maps that are declared with elements are compared with them; those that
    are declared empty, or with the flag `dynamic` or `timeout`, are for programs and rules to fill.

    name: the table
    family: its family; `inet`, which is IPv4 and IPv6, where not given
    content: chains, sets and rules as text
    template: a Jinja template in the project that renders them
    vars: a map of values for the template
    source: a file in the project that holds them
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def git(
    *,
    path: _Path,
    repo: str,
    accept_hostkey: bool = ...,
    depth: int = ...,
    force: bool = ...,
    key: _Path = ...,
    parents: bool = ...,
    submodules: bool = ...,
    update: bool = ...,
    user: str = ...,
    version: str = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A repository, checked out at a branch, a tag or a commit.

    HEAD is detached: a checkout is a version, not a place to work. What was changed or committed in it is never thrown away unless
    `force` says so; files that git does not know stay even then. The hooks of the checkout are not run. A plan asks the origin where
    a branch or tag is by now.

    path: the folder
    repo: where it comes from: what `git clone` takes
    version: a branch, a tag, a full reference or a whole commit id; the origin's HEAD where not given
    update: false: whatever is checked out already is as wished
    depth: so many commits of history are fetched; all where not given
    submodules: whether its submodules are checked out as well
    force: whether what was changed or committed in it is thrown away
    user: the user whom it belongs to, and as whom git runs; root where not given
    key: the private key, on the target, that SSH uses
    accept_hostkey: whether the key of an SSH server that is met for the first time is believed
    parents: whether missing folders above it are created, 0755; they stay when it leaves
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def group(
    name: str | Sequence[str],
    *,
    gid: int = ...,
    members: _Texts = ...,
    system: bool = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A local group.

    Only what is declared is compared. `members` are exactly those who are listed in the group; where a user is to be in it beside
    others, say so at the user (`groups`, `append`). On a host `groupadd`, `groupmod` and `groupdel` do this; in a folder and in an
    image the same lines are written.

    name: its name
    gid: its number; given by rule where there is none
    system: whether a new group gets a number of those for systems
    members: exactly the users that are listed in it
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def hostname(
    name: str | Sequence[str],
    *,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """The name in `/etc/hostname`; on a running host also the one that it goes by now.

    name: the name
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def hosts_entry(
    *,
    address: str,
    names: _Texts,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """Names that stand for one address in `/etc/hosts`.

    The first name is the one that the address is called back by. Other names of the address, other lines and comments stay; a name
    that stood for another address of the same sort (IPv4, IPv6) is taken away there.

    address: the IP address
    names: its names, the proper one first
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def http_check(
    url: str | Sequence[str],
    *,
    body: str = ...,
    status: int = ...,
    timeout: str = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A URL that must answer before anything written after it is done: a barrier.

    It is asked with `GET` from the host itself, without following redirections: for every plan, once; and in an apply, for as long as
    `timeout` says, whenever it does not answer as wished or something that it is `after` changes. In time, or the apply fails and
    what follows is not done. Nobody to ask in a folder, and no meaning in an image.

    url: what to ask
    status: the status that it must answer with; 200 where not given
    body: a regular expression (Python's) to be found in the first 64 KiB of the body
    timeout: how long to wait, as in 30s, 2m; 1m where not given
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def ini(
    *,
    option: str,
    path: _Path,
    create: bool = ...,
    group: str = ...,
    mode: str = ...,
    owner: str = ...,
    section: str = ...,
    separator: str = ...,
    validate: _Texts = ...,
    value: str = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """One option in a file of sections.

    Comments, order and all other options stay as they are. A new option goes to the end of its section, written as its neighbours
    are; a new section goes to the end of the file. Names are compared as they are written. What follows the separator is the value,
    whatever it holds. An option that stands in its section several times, or over several lines, is refused.

    section: the section; where not given, what stands before the first one
    option: the option's name
    value: its value, as it stands in the file; where not given, the option stands alone
    separator: between a new option and its value; as its neighbours have it where not given, else " = "
    path: the file
    create: whether a missing file is created; without this it is a failure
    owner: who owns a file that is created
    group: the group of a file that is created
    mode: the permissions of a file that is created; 0644 where not given, 0600 where what it gets is secret
    validate: a command that must succeed before the file is put in place; `%s` stands for the new file
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def json(
    *,
    key: object,
    path: _Path,
    create: bool = ...,
    group: str = ...,
    literal: str = ...,
    mode: str = ...,
    owner: str = ...,
    validate: _Texts = ...,
    value: object = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """One key in a JSON file.

    All else stays as it is, byte for byte: order, spaces, comments. A map that the way leads through is made where it is missing.
    A new key goes to the end of its map, indented as its neighbours are.

    key: the way to the value: names with dots between, as in `server.port`; or a list, where a number is a place in a list
    value: what shall stand there: text, number, true or false, list, map
    literal: what shall stand there, as it is written in the file: for what has no other way, as 0.5 or a date
    path: the file
    create: whether a missing file is created; without this it is a failure
    owner: who owns a file that is created
    group: the group of a file that is created
    mode: the permissions of a file that is created; 0644 where not given, 0600 where what it gets is secret
    validate: a command that must succeed before the file is put in place; `%s` stands for the new file
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def kernel_module(
    name: str | Sequence[str],
    *,
    options: Mapping[str, str] = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A module of the kernel.

    Writes `/etc/modules-load.d/vitrify-NAME.conf`, its options into `/etc/modprobe.d/vitrify-NAME.conf`, and on a live host loads it.
    Options count from the next loading on: a module that is in use is not reloaded. Absent, it is unloaded too; what is built
    into the kernel stays.

    name: the module
    options: its options, as `modinfo` names them
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def known_host(
    *,
    name: str,
    hashed: bool = ...,
    key: str = ...,
    path: _Path = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A host and its public keys, in the file of all users or in one that is named.

    It has exactly these keys: others of the same host go, those of other hosts stay. `hashed` writes the name so that the file does
    not tell it; a name that is there in the other form is written anew.

    name: the host, as one connects to it; [host]:port where the port is not 22
    key: its public key as ssh-keyscan prints it, or several, one a line
    hashed: whether its name is written as a hash; as it is there where not given
    path: the file; /etc/ssh/ssh_known_hosts where not given
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def limits(
    *,
    name: str,
    both: Mapping[str, str] = ...,
    domain: str = ...,
    hard: Mapping[str, str] = ...,
    soft: Mapping[str, str] = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """One file in `/etc/security/limits.d`, for the sessions that begin from then on.

    name: the name of the file, without .conf
    domain: whose: a user, @ and a group, or * for everybody but root; the name where not given
    soft: limits that they may raise, as in {nofile: "4096"}
    hard: limits beyond which they may not
    both: limits that are soft and hard at once
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def line(
    *,
    path: _Path,
    backrefs: bool = ...,
    create: bool = ...,
    group: str = ...,
    insert_after: str = ...,
    insert_before: str = ...,
    line: str = ...,
    match: str = ...,
    mode: str = ...,
    owner: str = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """One line in a file.

    `match` picks the line to replace: the last one in which the pattern is found. Where none is found (or no pattern is given and
    no line equals the wished one) the line is added where `insert_after` or `insert_before` say, else at the end. Line endings and
    a missing final newline stay as they are.
    Absent, every line equal to `line` goes; where there is no `line`, every one in which `match` is found.

    path: the file
    line: the line, without its ending
    match: a regular expression (Python's) for the line to replace; it must be found in `line` too
    backrefs: whether `\\1` and `\\g<name>` in `line` stand for what `match` found; where it finds nothing, nothing is done
    insert_after: a regular expression: what is new goes after the last line it is found in, at the end where it is found nowhere
    insert_before: a regular expression: what is new goes before the last line it is found in, at the end where it is found nowhere; BOF is the beginning of the file
    create: whether a missing file is created, 0644; without this it is a failure
    owner: who owns a file that is created
    group: the group of a file that is created
    mode: the permissions of a file that is created
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def link(
    *,
    path: _Path,
    to: str = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A symbolic link. What it leads to need not exist. A file in its place is replaced; a folder in its place is a failure.

    path: where the link is
    to: what it leads to, absolute or relative to the link's folder
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def locale(
    lang: str | Sequence[str],
    *,
    variables: Mapping[str, str] = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """The file that says which locale programs use, and the locales that it names, generated.

    The file is `/etc/default/locale` on Debian and its kin, elsewhere `/etc/locale.conf`; it says this and nothing else. Where a
    target has `/etc/locale.gen`, the locales named are taken up in there, and `locale-gen` makes what is not made yet.

    lang: the locale, as in de_DE.UTF-8
    variables: what differs from that, as in {LC_TIME: en_GB.UTF-8}
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def mount(
    *,
    path: _Path,
    dump: int = ...,
    fstype: str = ...,
    options: str = ...,
    pass_: int = ...,
    source: str = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A file system at a folder.

    Writes its line into /etc/fstab and leaves all others alone; on a live host it is mounted at once, and remounted where its options
    change. With the option `noauto` it is only written. The folder must be there: declare a `directory`. Absent, or once it left
    the declaration, it is unmounted and its line goes; what is stored in it stays.

    path: the folder it is mounted at
    source: what is mounted: a device, UUID=…, HOST:/PATH, tmpfs
    fstype: the type of the file system
    options: its options, separated by commas; `defaults` where not given
    dump: whether `dump` saves it; 0 where not given
    pass_: when it is checked at a start: 1 the root, 2 others, 0 never, which is the default
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def npm(
    *,
    package: str,
    global_: bool = ...,
    path: _Path = ...,
    registry: str = ...,
    scripts: bool = ...,
    user: str = ...,
    version: str = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A package of Node.js.

    What is installed is read from its own package.json: a plan asks nobody. Without a version, whichever is there is as wished. Scripts
    of packages are run as they are installed, unless `scripts: false`.

    package: the package, with its scope where it has one
    version: the one version; whichever is there or is the newest where not given
    path: the project's folder, which has or gets a package.json
    global_: whether it is for the whole host, in /usr/local
    registry: where packages come from; what the user's .npmrc says where not given
    scripts: whether scripts of packages are run; true where not given
    user: the user that npm runs as; root where not given
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def package(
    name: str | Sequence[str],
    *,
    autoremove: bool = ...,
    default_release: str = ...,
    hold: bool = ...,
    install_recommends: bool = ...,
    lock_timeout: int = ...,
    purge: bool = ...,
    source: str = ...,
    update_cache: str = ...,
    version: str = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A package of the distribution.

    Where it is missing, or its version is not the declared one, it is installed together with all others of its neighbourhood
    in one transaction. The plan names what comes and goes with it, as the package manager's own simulation says; a transaction
    that would do more is refused. A name that another installed package provides counts as there. Into an image come the package files that
    `vitrify.lock` pins, and no others.

    name: its name, `NAME:ARCHITECTURE` where it is of another one; a list is one resource for each
    version: exactly this version, one that fits a pattern (`1.18.*`), or `latest`; any where not given
    hold: whether it is kept from being upgraded by others; left as it is where not given
    purge: whether its configuration goes with it once it is to be absent; with dnf, what rpm saved as .rpmsave stays
    install_recommends: whether what it recommends comes along; as the target is set up where not given
    default_release: the release that versions are preferably taken from, as in bookworm-backports; apt alone knows releases
    update_cache: how old the lists of packages may be before something is installed, as in 1h
    autoremove: whether dependencies that nobody needs any more go in the same transaction
    lock_timeout: how many seconds to wait while somebody else uses the package manager; 60 where not given
    source: a package file in the project to install; `version` says which one is in it
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def postgres_database(
    name: str | Sequence[str],
    *,
    collate: str = ...,
    connection_limit: int = ...,
    ctype: str = ...,
    encoding: str = ...,
    extensions: _Texts = ...,
    force: bool = ...,
    owner: str = ...,
    port: int = ...,
    socket: _Path = ...,
    template: str = ...,
    user: str = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A database of a PostgreSQL server.

    It is asked through psql over the local socket. Encoding and locale are those it was created with: where others are declared, that
    is a failure. A database that holds tables is not dropped, unless `force` says so.

    name: the database
    owner: the role that owns it
    encoding: how it keeps text, as in UTF8; the template's where not given
    collate: the locale that it sorts by
    ctype: the locale that tells letters from other signs
    template: what a new one is a copy of; template0 where encoding or locale are given
    connection_limit: so many connections at once; -1 is no limit
    extensions: extensions that are created in it; others stay
    force: whether it is dropped with the tables that it holds
    port: the port of the server; 5432 where not given
    socket: the folder of its socket; what the client expects where not given
    user: the user that psql runs as, an administrator of the server; postgres where not given
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def postgres_user(
    name: str | Sequence[str],
    *,
    bypassrls: bool = ...,
    connection_limit: int = ...,
    createdb: bool = ...,
    createrole: bool = ...,
    login: bool = ...,
    member_of: _Texts = ...,
    password: str = ...,
    port: int = ...,
    replication: bool = ...,
    socket: _Path = ...,
    superuser: bool = ...,
    user: str = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A role of a PostgreSQL server.

    It is asked through psql over the local socket. A password goes there as a SCRAM-SHA-256 verifier made on the target, over standard
    input: it stands in no command line, and in no log of the server. Whether a role has it is told by that verifier, so a password that
    somebody else gave it is set anew once, the same one too. What is not declared stays as it is; a new role can log in. A role
    that owns something is not removed: the server refuses.

    name: the role
    password: its password
    login: whether it can log in; true for a new one where not given
    superuser: whether it may do everything
    createdb: whether it may create databases
    createrole: whether it may create roles
    replication: whether it may replicate
    bypassrls: whether policies of rows are not for it
    connection_limit: so many connections at once; -1 is no limit
    member_of: the roles that it is a member of; others that it is a member of stay
    port: the port of the server; 5432 where not given
    socket: the folder of its socket; what the client expects where not given
    user: the user that psql runs as, an administrator of the server; postgres where not given
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def process(
    *,
    name: str,
    command: _Texts = ...,
    env: Mapping[str, str] = ...,
    port: int = ...,
    user: str = ...,
    workdir: _Path = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A long-running program.

    On a host, in a folder and in an image this writes the unit `/etc/systemd/system/NAME.service` and the link that enables it;
    on a host with systemd it is (re)started as well. In an image it is also the entrypoint. The command is run as it stands, by
    no shell: only `${instance.port}` is replaced, and `$PORT` is in its environment where a port is declared.

    name: its name, and that of the unit
    command: the program, as an absolute path, and its arguments
    workdir: the folder it starts in; / where not given
    user: the user it runs as; root where not given
    port: the TCP port it listens on, told to it in $PORT
    env: its environment; a value `secret:NAME` is kept out of the unit and out of images
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def reboot(
    *,
    always: bool = ...,
    name: str = ...,
    reboot_on: _Texts = ...,
    timeout: str = ...,
    when_required: bool = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A restart of the host, when it is due: a barrier. What is written after it is done on the host that is up again.

    `when_required`: packages ask for it (`/run/reboot-required`), or a newer kernel of the kind that runs is installed; whenever
    something changes that it is `after`, it looks again before it decides. `reboot_on`: one of these resources changed, and the host was
    not restarted since; a failed run does not forget it, a restart by anybody settles it.
    One run restarts a host once for each `reboot`, however often it is cut short, and fails where the host still asks for it
    afterwards. An apply waits for the host and goes on by itself, and so does the same command. Only for hosts with systemd that are
    reached over SSH. In a folder there is nothing to restart, and in an image it has no meaning. It cannot be undone.

    name: what to call it; `host` where not given
    when_required: due while the host's packages ask for it, or a newer kernel is installed than runs
    reboot_on: addresses of resources; due when one of them changes
    always: due every time: no plan will ever be empty
    timeout: how long the host may take to be up again, as in 90s, 15m; 10m where not given
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def replace(
    *,
    match: str,
    path: _Path,
    to: str,
    end_before: str = ...,
    start_after: str = ...,
    validate: _Texts = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """Whatever a pattern finds in a file is replaced, everywhere or between two other patterns.

    A pattern is Python's, `^` and `$` are the ends of a line, and `\\1` in `to` stands for what its first group found. Where it is
    found nowhere, or a bound is not found, there is nothing to do. The result must be at rest: a pattern that finds its own
    replacement and changes it again is refused.

    path: the file
    validate: a command that must succeed before the file is put in place; `%s` stands for the new file
    match: a regular expression (Python's)
    to: what is put in its place; `\\1` and `\\g<name>` stand for what groups found
    start_after: a regular expression: only what comes after the first place it is found in is looked at
    end_before: a regular expression: only what comes before the first place it is found in after that
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def repository(
    *,
    name: str,
    architectures: _Texts = ...,
    components: _Texts = ...,
    enabled: bool = ...,
    key: str = ...,
    key_digest: str = ...,
    key_source: str = ...,
    key_url: str = ...,
    suites: _Texts = ...,
    types: _Texts = ...,
    uris: _Texts = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A repository of packages, written as `/etc/apt/sources.list.d/NAME.sources` with a keyring of its own.

    With `types: [rpm]` it is written as `/etc/yum.repos.d/NAME.repo` for dnf, its key lies in `/etc/pki/rpm-gpg` and is imported into
    rpm, and every package must be signed. rpm knows one keyring alone: such a key is trusted for all repositories, and stays once the
    repository goes.

    What the key in `/etc/apt/keyrings/NAME.asc` signs is trusted for this repository alone. Once something changed, the lists of
    this repository are renewed, once; packages come after it. Without a key it is trusted if a key of the target signs it.

    name: its name, and that of its files
    uris: the addresses that it is had from
    suites: the suites, as in bookworm; one that ends with / is a folder, and has no components; of rpm packages there are none
    components: the components, as in main
    types: deb, deb-src or both, or rpm; deb where not given
    architectures: the architectures; those of the target where not given
    key: the public key that signs it, in ASCII armour
    key_source: a file in the project that holds the key, armoured or not
    key_url: where the target takes the armoured key from
    key_digest: the SHA-256 digest that the key from `key_url` must have
    enabled: whether it is used; it is where not given
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def script(
    *,
    name: str,
    always: bool = ...,
    args: _Texts = ...,
    content: str = ...,
    creates: _Path = ...,
    cwd: _Path = ...,
    env: Mapping[str, str] = ...,
    interpreter: _Texts = ...,
    onlyif: _Texts = ...,
    removes: _Path = ...,
    source: str = ...,
    stdin: str = ...,
    template: str = ...,
    timeout: int = ...,
    umask: str = ...,
    unless: _Texts = ...,
    user: str = ...,
    vars: object = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A script that is sent along, run by its interpreter, and leaves no file behind.

    Its first line may name the interpreter (`#!/usr/bin/python3`); else it is /bin/sh. It is never on the target's disk: the
    interpreter reads it from memory, so a secret in it stays there. When it is due is declared as for a `command`.

    name: what to call it
    content: the script itself
    source: a file in the project to take byte for byte
    template: a Jinja template in the project that renders it
    vars: a map of values for the template
    interpreter: the program that runs it; what its first line says where not given, else /bin/sh
    args: its arguments
    creates: due while this path is missing; it must be there afterwards
    removes: due while this path is there; it must be gone afterwards
    unless: due while this command fails or cannot be started
    onlyif: due while this command succeeds
    always: due every time: no plan will ever be empty
    cwd: the folder to run in; / where not given
    user: the user to run as; root where not given
    env: its environment, beside PATH, HOME and LC_ALL; a value `secret:NAME` is in no plan
    stdin: what it reads; nothing where not given
    timeout: seconds after which it is stopped, and has failed; 600 where not given
    umask: what the files it makes may not permit, as in "0077"
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def service(
    name: str | Sequence[str],
    *,
    enabled: bool = ...,
    masked: bool = ...,
    reload_on: _Texts = ...,
    restart_on: _Texts = ...,
    running: bool = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A unit of systemd that something else brings: a package, a `unit`, a `file`.

    A name without a suffix is a service; `x.timer` and `x.socket` are units as they stand. Only what is declared is compared. A unit
    that has nothing to enable (no section `[Install]`) counts as enabled or not, as wished. An init script that no unit stands beside
    is enabled by `update-rc.d`. A restart or reload that is owed is paid
    once, after all changes it listens to; it starts nothing that does not run. Where the unit cannot reload it is restarted.
    In a folder and in an image the links alone are made. A service that left the declaration stays as it is.

    name: its unit; without a suffix it is a service
    running: whether it runs now; left as it is where not given
    enabled: whether it is started with the machine; left as it is where not given
    masked: whether nobody can start it; left as it is where not given
    restart_on: addresses of resources; it is restarted when one of them changes, if it runs
    reload_on: addresses of resources; it is reloaded when one of them changes, if it runs
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def sudoers(
    *,
    name: str,
    commands: _Texts = ...,
    content: str = ...,
    group: str = ...,
    nopassword: bool = ...,
    run_as: str = ...,
    user: str = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """One file in `/etc/sudoers.d`, 0440 and root's.

    Either its whole `content`, or who (`user`, `group`) may run which `commands`: absolute paths with their arguments, in which
    `*` stands for anything, or ALL. Where the target has `visudo`, nothing is put in place that it refuses.

    name: the name of the file
    content: all of it, as sudoers(5) says
    user: the user who may run the commands
    group: the group whose members may run them
    commands: what may be run: absolute paths with their arguments, or ALL
    run_as: as whom; root where not given, ALL for anybody
    nopassword: whether no password is asked for
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def swap(
    *,
    path: _Path,
    size: str = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A file that memory is moved out to.

    The file is filled with zeros (holes are refused by the kernel), for root alone, used at once, and has its line in /etc/fstab.
    Another size means that it is emptied into memory, made anew and used again. Absent, or once it left the declaration, it is
    used no more and goes. It has no meaning in an image; in a folder the line alone is written.

    path: the file
    size: how large it is: a whole number and K, M, G or T, as in 2G
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def sysctl(
    *,
    name: str,
    value: object = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A setting of the kernel.

    Writes `/etc/sysctl.d/99-vitrify-NAME.conf`, and on a live host sets the running value; all settings that follow each other are set
    in one go. Absent, or once it left the declaration, the file goes and the running value stays until the next start: nobody
    remembers what it would have been. An undo gives the former running value back.

    name: the setting; with `/` in place of `.` where a name in it holds a dot
    value: its value: text or a whole number
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def timer(
    *,
    name: str,
    accuracy: str = ...,
    command: _Texts = ...,
    delay: str = ...,
    env: Mapping[str, str] = ...,
    every: str = ...,
    on_boot: str = ...,
    on_calendar: _Texts = ...,
    persistent: bool = ...,
    user: str = ...,
    workdir: _Path = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A program that is run at given times.

    Writes NAME.service and NAME.timer, enables the timer, and on a host with systemd starts it; the program itself is first run when its
    time comes. Times are written as systemd reads them: `on_calendar: ["Mon..Fri 03:00"]`, `on_boot: 5min`, `every: 1h`.

    name: its name, and that of both units
    command: the program, as an absolute path, and its arguments
    on_calendar: times of the calendar; each must be one that `systemd-analyze calendar` understands
    on_boot: how long after the start of the machine, as in 5min
    every: how long after it last began, as in 1h; needs `on_boot` or `on_calendar` for its first time
    persistent: whether a time that was missed while the machine was off is made up for
    delay: a random delay of up to this long, as in 10min
    accuracy: how late it may be so that timers go together; systemd's own 1min where not given
    user: the user it runs as; root where not given
    workdir: the folder it starts in; / where not given
    env: its environment
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def timezone(
    name: str | Sequence[str],
    *,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """The link `/etc/localtime`, and `/etc/timezone` where the target has it. Programs that run already keep the time they know.

    name: the zone, as in Europe/Berlin
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def toml(
    *,
    key: object,
    path: _Path,
    create: bool = ...,
    group: str = ...,
    literal: str = ...,
    mode: str = ...,
    owner: str = ...,
    validate: _Texts = ...,
    value: object = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """One key in a TOML file.

    All else stays as it is: order, comments, spaces. A new key goes to the end of its table; a table that is missing goes to the end
    of the file. A whole table is not a value here: declare its keys one by one. A way that leads into an array of tables, or into a
    table in braces, is refused.

    key: the way to the value: names with dots between, as in `server.port`; or a list, where a number is a place in a list
    value: what shall stand there: text, number, true or false, list, map
    literal: what shall stand there, as it is written in the file: for what has no other way, as 0.5 or a date
    path: the file
    create: whether a missing file is created; without this it is a failure
    owner: who owns a file that is created
    group: the group of a file that is created
    mode: the permissions of a file that is created; 0644 where not given, 0600 where what it gets is secret
    validate: a command that must succeed before the file is put in place; `%s` stands for the new file
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def tree(
    *,
    to: _Path,
    from_: str = ...,
    group: str = ...,
    owner: str = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A folder and everything in it, as it is in the project.

    Files keep the project's mode. What somebody else put between is foreign and stays; what an earlier version of the tree
    put there and this one has no more is removed. An absent tree takes its own entries away, and its folders where they are empty then.

    from_: a folder of the project
    to: where it goes
    owner: who owns it; left as it is where not given
    group: the group it belongs to; left as it is where not given
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def unit(
    *,
    name: str,
    content: str = ...,
    drop_in: str = ...,
    sections: object = ...,
    source: str = ...,
    template: str = ...,
    vars: object = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A unit file in /etc/systemd/system, or with `drop_in` a file beside one that something else brought.

    It says how the unit is made, not whether it runs: that is a `service`, which may listen to it. On a host with systemd all that
    changed is loaded by one `daemon-reload`. `sections` is the file as a map: `{Service: {ExecStart: ["", "/usr/bin/shop"]}}`; a list
    is a setting that stands several times, and specifiers such as `%i` count. A unit file that goes is stopped first, and the
    links of the usual targets to it go with it.

    name: the unit; without a suffix it is a service
    drop_in: the name of a drop-in: the file is NAME.d/DROP_IN.conf
    sections: a map: section -> setting -> text, number, true or false, or a list of these
    content: the whole file as text
    template: a Jinja template in the project that renders it
    vars: a map of values for the template
    source: a file in the project to take byte for byte
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def user(
    name: str | Sequence[str],
    *,
    append: bool = ...,
    comment: str = ...,
    create_home: bool = ...,
    expires: str = ...,
    group: str = ...,
    groups: _Texts = ...,
    home: _Path = ...,
    locked: bool = ...,
    password: str = ...,
    shell: _Path = ...,
    system: bool = ...,
    uid: int = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A local account.

    Only what is declared is compared; a new user gets the rest as `useradd` would give it: a number by the ranges in
    `/etc/login.defs`, a group of its own where `group` names none, a home where it is not a `system` user. `groups` are all that it
    is a member of besides, unless `append` says that there may be others. Absent, the account goes and its home stays; with
    `on_leave: purge` the home goes as well. On a host `useradd`, `usermod` and `userdel` do this; in a folder and in an image the
    same lines are written, and a password's date is left empty.

    name: its name
    uid: its number; given by rule where there is none
    group: its primary group; one of its own name where not given
    groups: the groups it is a member of besides
    append: whether it may be a member of other groups than `groups`
    shell: its shell
    home: its home; what is in a former one stays there
    create_home: whether a missing home is made; where not given, that of a new user who is no `system` one
    comment: who it is
    system: whether a new user gets a number of those for systems, and no home
    password: the hash of its password, as in /etc/shadow; never the password
    locked: whether its password is refused
    expires: the day on which it expires, as in 2027-12-31, or never
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def venv(
    path: _Path | Sequence[_Path],
    *,
    find_links: _Path = ...,
    index_url: str = ...,
    no_index: bool = ...,
    packages: _Texts = ...,
    parents: bool = ...,
    python: _Path = ...,
    requirements: _Path = ...,
    system_site_packages: bool = ...,
    user: str = ...,
    wheels_only: bool = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A virtual environment of Python.

    Packages and the lines of a requirements file are installed where they are not met by what is there; nothing else in it is touched.
    It is made anew where its interpreter does not start any more, or is another version than the one it is made with by now. Hashes
    in a requirements file are checked by pip as it installs. Into an image come wheels alone, those that
    `vitrify.lock` pins, each by its hash.

    path: the folder
    python: the interpreter that it is made with; /usr/bin/python3 where not given
    packages: requirements, as in `gunicorn==21.2.0`
    requirements: a requirements file on the target, of plain requirements, with hashes as you like
    wheels_only: whether nothing is built on the target
    index_url: where packages come from; what the target's pip says where not given
    no_index: whether packages come from `find_links` alone
    find_links: a folder on the target that holds packages
    system_site_packages: whether it sees what is installed outside of it
    user: the user whom it belongs to, and as whom pip runs; root where not given
    parents: whether missing folders above it are created, 0755; they stay when it leaves
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def wait_for(
    *,
    path: _Path = ...,
    tcp: object = ...,
    timeout: str = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """A moment that must have come before anything written after it is done: a barrier.

    It is looked at from the host itself: for every plan, once; and in an apply, for as long as `timeout` says, whenever it has not come
    yet or something that it is `after` changes. In time, or the apply fails and what follows is not done. Nothing to wait for in a
    folder, and no meaning in an image.

    tcp: a port that something listens on: a number for this host, or HOST:PORT
    path: a path that is there
    timeout: how long to wait, as in 30s, 2m; 1m where not given
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """

def yaml(
    *,
    key: object,
    path: _Path,
    create: bool = ...,
    group: str = ...,
    literal: str = ...,
    mode: str = ...,
    owner: str = ...,
    validate: _Texts = ...,
    value: object = ...,
    after: str | _Texts = ...,
    when: bool = ...,
    absent: bool = ...,
    on_leave: Literal['remove', 'keep', 'purge'] = ...,
    protect: bool = ...,
    tags: str | _Texts = ...,
    override: bool = ...,
) -> Resource:
    """One key in a YAML file.

    All else stays as it is: order, comments, quotes. Maps that the way leads through are made where they are missing. Understood are
    block maps and lists, and on the way to the key nothing else: an anchor, an alias, a tag, a collection in brackets, or a second
    document is refused, not guessed at. A text is written so that every reader takes it for one (`"yes"`, `"012"`).

    key: the way to the value: names with dots between, as in `server.port`; or a list, where a number is a place in a list
    value: what shall stand there: text, number, true or false, list, map
    literal: what shall stand there, as it is written in the file: for what has no other way, as 0.5 or a date
    path: the file
    create: whether a missing file is created; without this it is a failure
    owner: who owns a file that is created
    group: the group of a file that is created
    mode: the permissions of a file that is created; 0644 where not given, 0600 where what it gets is secret
    validate: a command that must succeed before the file is put in place; `%s` stands for the new file
    after: addresses of resources that must be done before
    when: whether the resource counts at all
    absent: whether the thing shall be gone
    on_leave: what becomes of it once it left the declaration
    protect: whether it is never removed
    tags: words to pick resources by
    override: whether it takes the place of an earlier resource with the same address
    """
