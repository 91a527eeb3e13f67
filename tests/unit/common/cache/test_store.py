"""The store of entries gives Redis back what it has lost, and nothing that has expired."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from pydantic import SecretStr
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.cache.store import Codec, EntryStore
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

    async def get_living(self, _: str) -> None:
        return None

    async def get(self, _: str) -> None:
        return None

    async def add(self, key: str, _: SecretStr, seconds: float) -> bool:
        assert seconds > 0
        self.added.append(key)
        return True


def store_at(now: float, cache: LostCache) -> EntryStore[str, Value]:
    codec: Codec[str, Value] = Codec(
        name=lambda key: f"name of {key}", subject=str, encode=str, decode=lambda _: Value(0), mark=id
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
