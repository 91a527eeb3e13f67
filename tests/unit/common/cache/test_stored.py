"""What Redis holds for an entry, as scripts report it."""

import pytest
from sellergate_common.cache.stored import NOTHING, READ, Stored, failure_key


@pytest.mark.parametrize("milliseconds", [-2, -1, 0])
def test_an_entry_that_is_missing_or_never_expires_has_no_time_left(milliseconds: int) -> None:
    assert Stored.parse([None, milliseconds, None]) == NOTHING


def test_the_fields_are_those_that_the_script_reads() -> None:
    assert Stored.parse(["sealed", 1_500, "failure"]) == Stored("sealed", 1.5, "failure")
    assert READ.count("redis.call") == 3


def test_the_content_is_in_no_representation() -> None:
    assert "sealed" not in repr(Stored("sealed", 1.5, "sealed too"))


def test_the_failure_has_the_hash_tag_of_its_entry() -> None:
    assert failure_key("tok:{a}") == "tok:{a}:fail"
