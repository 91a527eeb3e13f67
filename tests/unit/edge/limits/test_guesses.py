"""Guesses at credentials, and valid credentials that they must not lock out."""

import asyncio
from collections import Counter

import pytest
from sellergate_common.errors import QuotaExceeded, Unauthenticated, Unavailable
from sellergate_edge.limits.guesses import GUESSES_OF_A_PAIR, WINDOW_SECONDS, Guesses, site_of
from sellergate_edge.limits.redis import OwnCounts

RIGHT = "sgs_right"


class Clock:
    """A monotonic clock that does not move."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


class AccountService:
    """An account service that evaluates pairs and counts them."""

    def __init__(self, clock: Clock) -> None:
        self.guesses = Guesses(OwnCounts(clock), clock)
        self.evaluated = 0
        self.secret = RIGHT
        self.is_down = False

    async def exchange(self, client: str = "sgc_c", secret: str = RIGHT, address: str = "192.0.2.1") -> str:
        async def evaluate() -> str:
            self.evaluated += 1
            await asyncio.sleep(0)
            if self.is_down:
                raise Unavailable("down")
            if secret != self.secret:
                raise Unauthenticated("wrong")
            return "token"

        return await self.guesses.evaluate(client, secret, address, evaluate)

    async def outcome(self, **given: str) -> str:
        try:
            return await self.exchange(**given)
        except (QuotaExceeded, Unauthenticated, Unavailable) as error:
            return type(error).__name__


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(clock: Clock) -> AccountService:
    return AccountService(clock)


async def test_simultaneous_guesses_are_evaluated_up_to_the_limit(service: AccountService) -> None:
    outcomes = await asyncio.gather(*(service.outcome(secret=f"sgs_{n}") for n in range(90)))
    assert service.evaluated == GUESSES_OF_A_PAIR
    assert Counter(outcomes) == {"Unauthenticated": 10, "QuotaExceeded": 80}


async def test_proven_credentials_are_never_locked_out(service: AccountService, clock: Clock) -> None:
    assert await service.exchange() == "token"
    for number in range(2_000):
        await service.outcome(secret=f"sgs_{number}")
        await service.outcome(client=f"sgc_{number}", secret="sgs_x")
        if number % 100 == 0:
            clock.time += 1.0
            assert await service.exchange() == "token"


async def test_new_credentials_are_proven_without_an_exchange(service: AccountService) -> None:
    await service.guesses.issued("sgc_c", RIGHT)
    for number in range(200):
        await service.outcome(secret=f"sgs_{number}")
    assert await service.exchange() == "token"


async def test_simultaneous_first_exchanges_are_not_guesses(service: AccountService) -> None:
    assert await asyncio.gather(*(service.exchange() for _ in range(50))) == ["token"] * 50


async def test_other_clients_of_an_address_and_other_addresses_continue(service: AccountService, clock: Clock) -> None:
    for number in range(GUESSES_OF_A_PAIR + 1):
        await service.outcome(secret=f"sgs_{number}")
    assert await service.outcome(client="sgc_other") == "token"
    assert await service.outcome(address="192.0.2.2") == "token"
    service.secret = "sgs_new"
    assert await service.outcome(secret="sgs_new") == "QuotaExceeded"
    clock.time += WINDOW_SECONDS
    assert await service.outcome(secret="sgs_new") == "token"


async def test_an_outage_is_not_a_guess(service: AccountService) -> None:
    service.is_down = True
    assert {await service.outcome() for _ in range(50)} == {"Unavailable"}
    service.is_down = False
    assert await service.exchange() == "token"


async def test_revoked_credentials_are_guesses_again(service: AccountService) -> None:
    await service.exchange()
    service.secret, before = "sgs_new", service.evaluated
    assert Counter([await service.outcome() for _ in range(50)]) == {"Unauthenticated": 11, "QuotaExceeded": 39}
    assert service.evaluated - before == 1 + GUESSES_OF_A_PAIR


@pytest.mark.parametrize(
    ("address", "site"),
    [("192.0.2.1", "192.0.2.1"), ("2001:db8::1:2:3:4", "2001:db8::/64"), ("", ""), ("testclient", "testclient")],
)
def test_an_ipv6_customer_is_one_address(address: str, site: str) -> None:
    assert site_of(address) == site
