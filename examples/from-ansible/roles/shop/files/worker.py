"""The shop's worker: reads its settings, says in its runtime folder that it is ready, and waits for work."""

import configparser
import os
import signal
from pathlib import Path

settings = configparser.ConfigParser()
settings.read("/etc/shop/shop.ini")
workers = settings.getint("shop", "workers")
Path(os.environ["RUNTIME_DIRECTORY"], "ready").write_text(f"{workers} workers, at most {settings['shop']['orders']} orders\n")
signal.pause()
