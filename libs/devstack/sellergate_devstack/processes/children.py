"""Child processes that always end with their parent, and that Ctrl-C reaches only through their parent."""

import os
import sys
from collections.abc import Sequence
from os import PathLike, fspath

# The child runs this before its program: Linux then sends SIGTERM (15) when the parent has ended (PR_SET_PDEATHSIG, 1).
# A parent that has ended before that is not reported, so the child compares. Not as preexec_fn, which needs fork(): gRPC's
# fork handlers abort a forked child.
_TIE = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); "
    "os.getppid() == int(sys.argv[1]) and os.execv(sys.argv[2], sys.argv[2:])"
)


def tie(command: Sequence[str | PathLike[str]]) -> list[str]:
    """Return a command that runs `command` (with an absolute path) tied to its parent; unchanged on other systems than Linux."""
    words = [fspath(word) for word in command]
    return [sys.executable, "-I", "-S", "-c", _TIE, str(os.getpid()), *words] if sys.platform == "linux" else words
