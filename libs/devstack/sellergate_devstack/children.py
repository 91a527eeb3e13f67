"""Children that end with their parent, however that ends."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask Linux, in a child before it becomes its program, to send it SIGTERM when the parent is gone; elsewhere do nothing.

    The child is also moved out of the terminal's process group: Ctrl-C reaches the launcher alone, which ends the children in
    order.
    """
    os.setpgrp()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def run_as(user_id: int, group_id: int) -> None:
    """Give up root in a child for good, and end with the parent."""
    os.setgroups([])
    os.setgid(group_id)
    os.setuid(user_id)
    die_with_parent()  # after the change of user, which clears it
