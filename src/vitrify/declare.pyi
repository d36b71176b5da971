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

class _RouterNeeded(TypedDict):
    """A traffic switch."""
    kind: Literal['caddy']
    listen: str

class _Router(_RouterNeeded, total=False):
    """A traffic switch."""
    tls: Literal['off']

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

class _RouteNeeded(TypedDict):
    """What traffic reaches the server."""
    router: str

class _Route(_RouteNeeded, total=False):
    """What traffic reaches the server."""
    host: str
    path: str

class _Rollout(TypedDict, total=False):
    """How a release goes into service."""
    strategy: Literal['blue-green']
    drain: str
    probation: str
    keep_warm: str
    retain: int

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
) -> Project:
    """The declaration itself."""

def server(
    *,
    lifecycle: Literal['mutable', 'immutable'],
    hosts: Sequence[str | _Host],
    resources: Sequence[Resource],
    base: str = ...,
    on_image: Literal['drop', 'refuse'] = ...,
    runtime: Literal['bubblewrap'] = ...,
    replicas: int = ...,
    writable: Sequence[str] = ...,
    health: _Health = ...,
    route: _Route = ...,
    rollout: _Rollout = ...,
    batch: Sequence[int | str] = ...,
    max_fail: int | str = ...,
    vars: Mapping[str, object] = ...,
) -> Server:
    """One server, with the keys of both lifecycles."""

def profile(
    *,
    parameters: Mapping[str, _Parameter] = ...,
    resources: Sequence[Resource],
) -> Profile:
    """A named list of resources."""

def command(
    *,
    run: _Texts,
    always: bool = ...,
    creates: _Path = ...,
    cwd: _Path = ...,
    name: str = ...,
    onlyif: _Texts = ...,
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
    asked again just before it runs. `unless` and `onlyif` are run for every plan: they must not change anything.
    A command that left the declaration is forgotten; what it did stays.

    name: what to call it; the command itself where not given
    run: the program and its arguments
    creates: due while this path is missing; it must be there afterwards
    unless: due while this command fails or cannot be started
    onlyif: due while this command succeeds
    always: due every time: no plan will ever be empty
    cwd: the folder to run in; / where not given
    user: the user to run as; root where not given
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

def directory(
    path: _Path | Sequence[_Path],
    *,
    group: str = ...,
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
    """One folder; what is in it is not its business.

    Only an empty folder is removed. One that left the declaration and holds something foreign stays, and is forgotten;
    one that is declared absent and still holds something when its turn comes is a failure that says what is in it.

    path: where the folder is
    owner: who owns it; left as it is where not given
    group: the group it belongs to; left as it is where not given
    mode: its permissions; left as they are where not given, 0755 on a new folder
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
    unit of its own puts it in place at every start. What is in the sets of a table is not compared: programs add to them.

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

def line(
    *,
    path: _Path,
    create: bool = ...,
    line: str = ...,
    match: str = ...,
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
    no line equals the wished one) the line is added at the end. Line endings and a missing final newline stay as they are.
    Absent, every line equal to `line` goes; where there is no `line`, every one in which `match` is found.

    path: the file
    line: the line, without its ending
    match: a regular expression (Python's) for the line to replace; it must be found in `line` too
    create: whether a missing file is created, 0644; without this it is a failure
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
    that has nothing to enable (no section `[Install]`) counts as enabled or not, as wished. A restart or reload that is owed is paid
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
