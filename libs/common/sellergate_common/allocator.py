"""The C allocator of a process, set so that the memory of large bodies returns to the system when they are freed.

glibc raises its threshold for separate mappings to the size of what was freed, up to 32 MiB (mallopt(3)). Bodies then come from
arenas, where one small block behind a freed body keeps all of it.
"""

import ctypes
import os

LARGE_BYTES = 256 * 1024
"""A block of this size or more has a mapping of its own; so much may stay free at the end of an arena."""
ARENAS = 2
"""gRPC's threads share these."""
# malloc.h of glibc: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX.
_OPTIONS = ((-1, LARGE_BYTES), (-3, LARGE_BYTES), (-8, ARENAS))


def return_freed_memory() -> bool:
    """Set the allocator; return whether it is glibc's and took everything."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or not _is_glibc():
        return False
    return all(mallopt(option, value) == 1 for option, value in _OPTIONS)


def _is_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (OSError, ValueError):
        return False
