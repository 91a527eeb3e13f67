"""The bounded mapping keeps used entries, and never exceeds its size."""

from collections import OrderedDict

from hypothesis import given, settings
from hypothesis import strategies as st
from sellergate_common.cache.lru import Lru

SIZE = 3
STEPS = st.lists(st.tuples(st.sampled_from(["get", "peek", "put", "drop"]), st.integers(0, 5)), max_size=40)


def test_the_least_recently_used_entry_is_dropped() -> None:
    cache = Lru[str, int](2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)


def test_an_entry_that_is_written_again_counts_as_used() -> None:
    cache = Lru[str, int](2)
    for key, value in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        cache.put(key, value)
    assert (cache.get("a"), cache.get("b")) == (3, None)


def test_a_peek_does_not_count_as_a_use() -> None:
    cache = Lru[str, int](2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.peek("a") == 1
    cache.put("c", 3)
    assert cache.peek("a") is None


def test_a_falsy_value_is_stored() -> None:
    cache = Lru[str, float](2)
    cache.put("a", 0.0)
    cache.put("b", 1.0)
    assert cache.get("a") == 0.0
    cache.put("c", 2.0)
    assert (cache.peek("a"), cache.peek("b")) == (0.0, None)


@given(STEPS)
@settings(max_examples=200, deadline=None)
def test_the_most_recently_used_entries_are_kept_in_order(steps: list[tuple[str, int]]) -> None:
    cache, model = Lru[int, int](SIZE), OrderedDict[int, int]()
    for number, (step, key) in enumerate(steps):
        if step == "put":
            cache.put(key, number)
            model.pop(key, None)
            model[key] = number
            while len(model) > SIZE:
                model.popitem(last=False)
        elif step == "drop":
            cache.drop(key)
            model.pop(key, None)
        elif step == "peek":
            assert cache.peek(key) == model.get(key)
        else:
            assert cache.get(key) == model.get(key)
            if key in model:
                model.move_to_end(key)
        assert list(cache.items()) == list(model.items())
        assert len(cache) == len(model) <= SIZE
    cache.clear()
    assert len(cache) == 0
