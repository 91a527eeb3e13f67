"""Settings of the process's C allocator: freed memory of large bodies returns to the system.

glibc raises its threshold for separate mappings to the size of a freed block, up to 32 MiB (mallopt(3)). Bodies then
come from arenas, where one small block behind a freed body keeps all of its memory.
"""

import ctypes
import os

LARGE_BYTES = 256 * 1024
"""The size in bytes from which a block has its own mapping, and the bytes that may stay free at the end of an arena."""
ARENAS = 2
"""The arenas that all threads, gRPC's included, share."""
# malloc.h of glibc: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX.
_OPTIONS = ((-1, LARGE_BYTES), (-3, LARGE_BYTES), (-8, ARENAS))


def return_freed_memory() -> bool:
    """Configure the allocator; return whether it is glibc's and accepted every setting."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or not _is_glibc():
        return False
    return all(mallopt(option, value) == 1 for option, value in _OPTIONS)


def _is_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (OSError, ValueError):
        return False
