"""The store of entries gives Redis back what it has lost, and nothing that has expired."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from pydantic import SecretStr
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.cache.store import Codec, EntryStore
from sellergate_common.cache.stored import NOTHING, Stored
from sellergate_common.clock import Clock


@dataclass(frozen=True)
class Value:
    expire_time: float
    life: float = 60.0


@dataclass
class LostCache:
    """A cache in Redis that has lost its entries."""

    added: list[str] = field(default_factory=list)

    async def mark(self) -> None:
        return None

    async def read(self, _: str) -> Stored:
        return NOTHING

    def open(self, _: str, sealed: str | None) -> SecretStr | None:
        return None if sealed is None else SecretStr(sealed)

    async def get(self, _: str) -> None:
        return None

    async def add(self, key: str, _: SecretStr, seconds: float) -> bool:
        assert seconds > 0
        self.added.append(key)
        return True


@dataclass
class OtherCache(LostCache):
    """A cache whose entry has the shape of another release."""

    dropped: list[str] = field(default_factory=list)

    async def read(self, _: str) -> Stored:
        return Stored("{}", 30.0)

    async def drop_if(self, key: str, matches: Callable[[SecretStr], bool]) -> bool:
        if matches(SecretStr("{}")):
            self.dropped.append(key)
        return bool(self.dropped)


def store_at(
    now: float, cache: LostCache, decode: Callable[[str], Value] = lambda _: Value(0)
) -> EntryStore[str, Value]:
    codec: Codec[str, Value] = Codec(
        name=lambda key: f"name of {key}", subject=str, encode=str, decode=decode, mark=lambda value: value.expire_time
    )
    clock = Clock(wall=lambda: now, monotonic=lambda: now)
    return EntryStore(cast("SealedCache", cast("Any", cache)), codec, "token", clock, lambda: 0.5)


@pytest.mark.parametrize(("left", "added"), [(30.0, ["name of a"]), (0.0, []), (-5.0, [])])
async def test_only_a_living_copy_is_given_back_to_redis(left: float, added: list[str]) -> None:
    cache = LostCache()
    store = store_at(1000.0, cache)
    store.remember("a", Value(1000.0 + left))
    found = await store.look_up("a", None)
    assert cache.added == added
    assert (found is not None) is bool(added)


async def test_a_late_value_of_an_older_version_does_not_replace_a_copy_of_a_newer_one() -> None:
    """Without Redis this process has nothing but its copy, and would fetch the newer version once more."""
    codec: Codec[tuple[str, int], Value] = Codec(
        name=str,
        subject=lambda key: key[0],
        encode=str,
        decode=lambda _: Value(0),
        mark=str,
        version=lambda key: key[1],
    )
    clock = Clock(wall=lambda: 1000.0, monotonic=lambda: 1000.0)
    store = EntryStore(cast("SealedCache", cast("Any", LostCache())), codec, "token", clock, lambda: 0.5)
    newer = await store.keep(("a", 2), Value(1030.0), None)
    await store.keep(("a", 1), Value(1060.0), None)
    found = await store.look_up(("a", 2), None)
    assert found is not None
    assert found.value is newer
    await store.keep(("a", 2), Value(1060.0), None)
    found = await store.look_up(("a", 2), None)
    assert found is not None
    assert found.value.expire_time == 1060.0


@pytest.mark.parametrize("error", [ValueError, TypeError, KeyError])
async def test_an_entry_in_another_releases_shape_is_a_miss_and_matches_no_mark(error: type[Exception]) -> None:
    def decode(_: str) -> Value:
        raise error

    cache = OtherCache()
    store = store_at(1000.0, cache, decode)
    assert await store.shared("name of a") is None
    assert not await store.drop_if("a", 1000.0)
    assert cache.dropped == []


@dataclass
class HoldingCache(LostCache):
    """A cache with one entry, whose text is its mark, and the marks of dropped ones."""

    entry: str = "first"
    marks: dict[str, SecretStr] = field(default_factory=dict)
    changes: str = "changes"

    async def get(self, key: str) -> SecretStr | None:  # type: ignore[override]
        return self.marks.get(key)

    async def put(self, key: str, value: SecretStr, _: float) -> bool:
        self.marks[key] = value
        return True

    async def drop_if(self, _: str, matches: Callable[[SecretStr], bool]) -> bool:
        return matches(SecretStr(self.entry))

    async def announce(self, _: str) -> None: ...


async def test_a_value_with_a_secret_mark_is_not_dropped_just_after_another() -> None:
    @dataclass(frozen=True)
    class Secret(Value):
        text: str = ""

    cache = HoldingCache()
    codec: Codec[str, Secret] = Codec(
        name=str,
        subject=str,
        encode=str,
        decode=lambda text: Secret(0.0, text=text),
        mark=lambda it: SecretStr(it.text),
    )
    clock = Clock(wall=lambda: 0.0, monotonic=lambda: 0.0)
    store = EntryStore(cast("SealedCache", cast("Any", cache)), codec, "iam", clock, lambda: 0.5)
    assert await store.drop_if("a", SecretStr("first"))
    cache.entry = "second"
    assert not await store.drop_if("a", SecretStr("second"))
    cache.entry = "first"
    assert await store.drop_if("a", SecretStr("first"))
