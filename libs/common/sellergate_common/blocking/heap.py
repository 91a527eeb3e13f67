"""Tuning of the garbage collector: a full collection blocks the event loop for a time that grows with the heap."""

import gc


def settle_heap() -> None:
    """Freeze all present objects, so that the collector does not traverse them again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
