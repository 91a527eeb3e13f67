"""`sellergate up`: the whole suite on this machine."""

import os
import sys
from importlib.util import find_spec

from sellergate_cli.operator import fail


def up() -> None:
    """Run the whole suite on this machine, with a Redis and a database of its own and the simulator; until Ctrl-C."""
    if find_spec("sellergate_devstack") is None or find_spec("sellergate_gateway") is None:
        fail("The local run is not installed: pip install 'sellergate[devstack]'.")
    os.execv(sys.executable, [sys.executable, "-m", "sellergate_devstack"])  # noqa: S606  (no shell, and our own program)
