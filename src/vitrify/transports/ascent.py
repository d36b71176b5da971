"""The way up on a host, before any Python: become root once, then find a Python that runs. Constant scripts of POSIX sh.

A login shell may be anything, so what it is given is one `exec /bin/sh -c` of words in single quotes, none of which holds a
quote, a backslash, a line end or an exclamation mark. Values come in as positional parameters and never meet a script.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from importlib.resources import files

from vitrify.core.interpreter import INSTALL, joined

CACHE = "/var/cache/vitrify"
_PYTHONS = "/usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9 /usr/libexec/platform-python"

# 1 the script below, 2 the token, 3 `ask` where sudo may ask for a password, then what the first Python is given.
ASCEND = (
    'echo "vitrify $2 entered"; umask 077; LC_ALL=C; export LC_ALL; '
    'if [ "$(id -u)" = 0 ]; then exec /bin/sh -c "$1" vitrify "$@"; fi; '
    "PATH=$PATH:/usr/local/bin:/usr/bin:/bin; export PATH; "
    'if command -v sudo >/dev/null 2>&1; then :; else echo "vitrify $2 refused no-sudo"; exit 69; fi; '
    'if [ "$3" = ask ]; then exec sudo -S -p "vitrify-$2-password:" -- /bin/sh -c "$1" vitrify "$@"; fi; '
    'exec sudo -n -- /bin/sh -c "$1" vitrify "$@"'
)
_STARTER = "import sys,zlib,base64;exec(zlib.decompress(base64.b64decode(sys.argv[1])))"
_VERSION = "import sys;print(4711,*sys.version_info[:3],sep=chr(46))"
_MANAGER = f'manager=none; for name in {" ".join(INSTALL)}; do if command -v "$name" >/dev/null 2>&1; then manager=$name; break; fi; done; '
FIND = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; LC_ALL=C.UTF-8; export PATH LC_ALL; cd /; "
    'token=$2; echo "vitrify $token root"; shift 3; seen=; '
    f"for name in {_PYTHONS}; do "
    'python=$(command -v "$name" 2>/dev/null) || continue; '
    f'version=$("$python" -I -S -c "{_VERSION}" 2>/dev/null </dev/null); '
    'case "$version" in '
    f'4711.3.9.*|4711.3.[1-9][0-9].*|4711.[4-9].*) exec "$python" -I -S -c "{_STARTER}" "$@";; '
    '4711.*) seen="$seen; $python is ${version#4711.}";; '
    '*) seen="$seen; $python does not run";; '
    "esac; done; "
    f"{_MANAGER}"
    'echo "vitrify $token refused no-python-$manager ${seen#??}"; exit 69'
)

_BRING = " ".join(f"{manager}) {joined(commands)};;" for manager, commands in INSTALL.items())
BRING = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; LC_ALL=C.UTF-8; DEBIAN_FRONTEND=noninteractive; "
    f"export PATH LC_ALL DEBIAN_FRONTEND; cd /; {_MANAGER}"
    f'case "$manager" in {_BRING} *) false;; esac </dev/null >&2 || '
    '{ echo "vitrify $2 refused no-install-$manager $?"; exit 69; }; ' + FIND
)
"""Installs a Python first. What the package manager says is for people: standard output is the channel."""


def command(  # noqa: PLR0913  each is a word of it
    token: str, digest: str, *, ask: bool, cache: str = CACHE, more: Sequence[str] = (), bringing: bool = False
) -> str:
    """What the host's login shell is given. `more` are variables for the payload, as `NAME=VALUE`.

    `bringing`: its package manager installs a Python first.
    """
    source = (files("vitrify.onhost") / "stage.py").read_bytes()
    stage = base64.b64encode(zlib.compress(source, 9)).decode()
    words = (ASCEND, "vitrify", BRING if bringing else FIND, token, "ask" if ask else "never", stage, token, digest, cache, *more)
    return f"exec /bin/sh -c {' '.join(quoted(word) for word in words)}"


def quoted(word: str) -> str:
    """A word that every shell takes as it is; ValueError where no quoting is the same in all of them."""
    if any(sign in word for sign in "'\\\n\r!\0"):
        raise ValueError(word)
    return f"'{word}'"
