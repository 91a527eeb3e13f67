"""Objects from a process's start are not collected again."""

import gc

from sellergate_common.blocking.heap import settle_heap


def test_present_objects_are_not_collected_again() -> None:
    threshold, frozen = gc.get_threshold(), gc.get_freeze_count()
    held = [{"number": number} for number in range(1000)]
    try:
        settle_heap()
        assert gc.get_freeze_count() >= frozen + len(held)
        assert gc.get_threshold()[0] > threshold[0]
        assert len(gc.get_objects()) < len(held)
    finally:
        gc.unfreeze()
        gc.set_threshold(*threshold)
