"""The garbage collector of a process that serves: a full collection holds up the loop for as long as the heap is large."""

import gc


def settle_heap() -> None:
    """Keep what is there now for good, so that the collector need not go through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
