"""`sellergate up`: starts the whole suite on this machine."""

import os
import sys
from importlib.util import find_spec

from sellergate_cli.operator import fail


def up() -> None:
    """Start the whole suite on this machine with Redis, a database and the simulator of Amazon. Ctrl-C stops it."""
    if find_spec("sellergate_devstack") is None or find_spec("sellergate_gateway") is None:
        fail("The local run is not installed: pip install 'sellergate[devstack]'.")
    os.execv(sys.executable, [sys.executable, "-m", "sellergate_devstack"])  # noqa: S606  (no shell, and Sellergate's own program)
