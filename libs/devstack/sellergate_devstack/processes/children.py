"""Child processes that always end with their parent, and that Ctrl-C reaches only through their parent."""

import sys
from collections.abc import Sequence
from os import PathLike, fspath

# The child runs this before its program: Linux then sends SIGTERM (15) when the parent has ended (PR_SET_PDEATHSIG, 1).
# Not as preexec_fn, which needs fork(): gRPC's fork handlers abort a forked child.
_TIE = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); os.execv(sys.argv[1], sys.argv[1:])"


def tie(command: Sequence[str | PathLike[str]]) -> list[str]:
    """Return a command that runs `command` (with an absolute path) tied to its parent; unchanged on other systems than Linux."""
    words = [fspath(word) for word in command]
    return [sys.executable, "-I", "-S", "-c", _TIE, *words] if sys.platform == "linux" else words
