"""`sellergate up`: starts the whole suite on this machine."""

import os
import sys

from sellergate_common.scripts.extras import advice, missing_packages

from sellergate_cli.operator import fail

_EXTRA, _WRONG_USAGE = "devstack", 2


def up() -> None:
    """Start the whole suite on this machine with Redis, a database and the simulator of Amazon. Ctrl-C stops it."""
    if missing := missing_packages(_EXTRA):
        fail(advice("sellergate up", _EXTRA, missing), _WRONG_USAGE)
    os.execv(sys.executable, [sys.executable, "-m", "sellergate_devstack"])  # noqa: S606  (no shell, and Sellergate's own program)
