"""Refused values: which of their owner's are used, and when the owner counts as unavailable."""

import pytest
from pydantic import SecretStr
from sellergate_common.errors import Unavailable
from sellergate_gateway.credentials.refusals import OwnedValue, Refusals
from sellergate_gateway.model import AccessToken

NOW = 1000.0


def token(text: str, age: float) -> AccessToken:
    return AccessToken(SecretStr(text), NOW - age + 3600.0, 3600.0)


class Owner:
    """An owner that returns one value until it drops it."""

    def __init__(self, *values: AccessToken, drops: bool, responds: bool) -> None:
        self.values = list(values)
        self.drops = drops
        self.responds = responds
        self.asked_to_drop = 0

    async def fetch(self) -> OwnedValue[AccessToken]:
        return OwnedValue(self.values[0])

    async def drop(self, value: AccessToken) -> bool:
        self.asked_to_drop += 1
        if self.drops:
            self.values.remove(value)
        return self.responds


def refusals() -> Refusals[AccessToken]:
    return Refusals(lambda value: value.value.get_secret_value(), "token", lambda: NOW)


async def obtain(known: Refusals[AccessToken], owner: Owner) -> str:
    return (await known.fetch("a", owner.fetch, owner.drop)).value.value.get_secret_value()


async def test_an_owner_drops_each_of_several_refused_values() -> None:
    known, first, second = refusals(), token("first", 600.0), token("second", 600.0)
    known.record("a", first)
    known.record("a", second)
    owner = Owner(first, token("third", 0.0), drops=True, responds=True)
    assert (await obtain(known, owner), owner.asked_to_drop) == ("third", 1)


async def test_fresh_values_of_an_owner_that_responds_are_used_again() -> None:
    known, fresh = refusals(), token("fresh", 10.0)
    known.record("a", fresh)
    assert await obtain(known, Owner(fresh, drops=False, responds=True)) == "fresh"


@pytest.mark.parametrize(("age", "responds"), [(600.0, True), (600.0, False), (10.0, False)])
async def test_an_owner_that_cannot_replace_a_refused_value_is_unavailable(age: float, responds: bool) -> None:
    known, refused = refusals(), token("refused", age)
    known.record("a", refused)
    with pytest.raises(Unavailable) as raised:
        await obtain(known, Owner(refused, drops=False, responds=responds))
    assert raised.value.metadata["dependency"] == "token"
