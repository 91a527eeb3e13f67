"""Core dumps: a crash must not write a process's memory, which holds secrets, to a disk or to a program that collects dumps."""

import resource

# Linux writes no file for so small a limit; unlike 0, it also ends dumps that `core_pattern` passes to a program.
_BYTES = 1


def forbid_core_dumps() -> None:
    """Limit core dumps of this process and its children to one byte, which no later call can raise without privileges."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    limit = 0 if hard == 0 else _BYTES
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
