"""Child processes that end with their parent, however that ends, and that Ctrl-C reaches only through their parent."""

import sys
from collections.abc import Sequence
from os import PathLike, fspath

# Run by the child before it becomes its program: Linux then sends it SIGTERM (15) when its parent has ended (PR_SET_PDEATHSIG, 1).
# Not as preexec_fn: that forks for real, and a process that has used gRPC must not (its fork handlers abort the child).
_TIE = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); os.execv(sys.argv[1], sys.argv[1:])"


def tie(command: Sequence[str | PathLike[str]]) -> list[str]:
    """Return a command that runs `command` (with an absolute path) tied to its parent; elsewhere than on Linux, as it is."""
    words = [fspath(word) for word in command]
    return [sys.executable, "-I", "-S", "-c", _TIE, *words] if sys.platform == "linux" else words
