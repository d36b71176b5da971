"""What a sandbox tells its shim: bubblewrap writes its information in pieces, and a shim may read between two of them."""

from __future__ import annotations

import os

from vitrify.onhost.child import Child, Keep, first_process
from vitrify.onhost.identity import identify

BWRAP = Keep(("bwrap",), sandbox=True)


def test_the_first_process_is_known_once_the_last_piece_is_there() -> None:
    status, tell = os.pipe()
    os.set_blocking(status, False)
    child, output = Child(os.getpid(), -1, status), f'{{\n    "child-pid": {os.getpid()}'.encode()
    try:
        assert first_process(BWRAP, child) is None, "nothing was told yet"
        os.write(tell, output)
        assert first_process(BWRAP, child) is None, "the number may go on"
        assert first_process(BWRAP, child) is None, "no more was told"
        os.write(tell, b',\n    "net-namespace": 4026531840\n}\n')
        os.close(tell)

        assert first_process(BWRAP, child) == identify(os.getpid())
    finally:
        os.close(status)
