"""Bounds on guesses at credentials. Each attempt is counted before it is evaluated, for all replicas of the edge together.

Digests of credentials that have worked are kept, and such credentials are not counted: guesses of others lock no client out.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Protocol, TypeVar

from sellergate_common.cache.lru import Lru
from sellergate_common.errors import QuotaExceeded, SellergateError, Unauthenticated
from sellergate_common.flights.local_flight import LocalFlight

WINDOW_SECONDS = 60
# Guesses within WINDOW_SECONDS: from one address at one client, at one client, and from one address.
GUESSES_OF_A_PAIR = 10
GUESSES_OF_A_CLIENT = 100
GUESSES_OF_AN_ADDRESS = 100
REMEMBERED_SECONDS = 30 * 24 * 3600
# Credentials in use are written to Redis again once a day.
_RENEW_SECONDS = 24 * 3600.0
_MOST_REMEMBERED = 50_000
# The part of an IPv6 address that a network provider gives to one customer.
_SITE_BITS = 64

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Subject:
    """A target or a source of guesses, and how many it may have within WINDOW_SECONDS."""

    kind: str
    name: str
    limit: int


class GuessCounts(Protocol):
    """The shared counts of guesses, and the digests of credentials that have worked."""

    async def reserve(self, subjects: Sequence[Subject]) -> bool:
        """Count an attempt of each subject. Count none and return False if one of them has reached its limit."""

    async def give_back(self, subjects: Sequence[Subject]) -> None:
        """Cancel one attempt of each subject, which was no guess."""

    async def is_proven(self, digest: str) -> bool:
        """Return whether these credentials have worked within REMEMBERED_SECONDS."""

    async def prove(self, digest: str) -> None:
        """Remember credentials that have worked."""

    async def disprove(self, digest: str) -> None:
        """Forget credentials that no longer work."""


class Guesses:
    """The bounds on guesses of one replica of the edge. `now` is monotonic, in seconds."""

    def __init__(self, counts: GuessCounts, now: Callable[[], float]) -> None:
        self._counts = counts
        self._now = now
        self._proven: Lru[str, float] = Lru(_MOST_REMEMBERED)
        self._flight: LocalFlight[None] = LocalFlight()

    async def evaluate(
        self, client_id: str, secret: str, address: str, evaluate: Callable[[], Awaitable[_Result]]
    ) -> _Result:
        """Return what `evaluate` returns for the credentials.

        Raises QuotaExceeded without an evaluation after too many guesses, and the errors of `evaluate`, which are
        Unauthenticated for a wrong pair. Simultaneous attempts with the same pair are one guess.
        """
        digest = digest_of(client_id, secret)
        if not await self._is_proven(digest):
            subjects = _subjects(client_id, address)
            await self._flight.get(digest, lambda: self._try(digest, subjects, evaluate))
        try:
            return await evaluate()
        except Unauthenticated as error:
            if not is_of_handle(error):
                await self._forget(digest)
            raise

    async def issued(self, client_id: str, secret: str) -> None:
        """Remember new credentials, which have not been used yet."""
        await self._remember(digest_of(client_id, secret))

    async def _is_proven(self, digest: str) -> bool:
        written = self._proven.get(digest)
        if written is not None and self._now() - written < _RENEW_SECONDS:
            return True
        if not await self._counts.is_proven(digest):
            self._proven.drop(digest)
            return False
        await self._remember(digest)
        return True

    async def _try(self, digest: str, subjects: Sequence[Subject], evaluate: Callable[[], Awaitable[_Result]]) -> None:
        """Evaluate credentials that have not worked yet, as one guess. Raises QuotaExceeded, and what `evaluate` raises."""
        if not await self._counts.reserve(subjects):
            raise QuotaExceeded(
                f"Too many failed authentications. Wait {WINDOW_SECONDS} s, then send the right credentials.",
                metadata={"limit": "failed_authentications"},
                retry_after=float(WINDOW_SECONDS),
            )
        is_guess = True
        try:
            await evaluate()
            is_guess = False
        except SellergateError as error:
            is_guess = isinstance(error, Unauthenticated) and not is_of_handle(error)
            if is_guess or not isinstance(error, Unauthenticated):
                raise
        finally:
            if not is_guess:
                await self._counts.give_back(subjects)
        await self._remember(digest)

    async def _remember(self, digest: str) -> None:
        self._proven.put(digest, self._now())
        await self._counts.prove(digest)

    async def _forget(self, digest: str) -> None:
        """Count these credentials again from now on, because they were revoked."""
        self._proven.drop(digest)
        await self._counts.disprove(digest)


def is_of_handle(error: Unauthenticated) -> bool:
    """Return whether the client id and the secret were right, and only the drop-in refresh token was wrong."""
    return error.metadata.get("part") == "handle"


def digest_of(client_id: str, secret: str) -> str:
    """Return a digest of a pair; the secret has 256 random bits, or opens nothing."""
    return hashlib.sha256(f"{len(client_id)} {client_id} {secret}".encode()).hexdigest()


def site_of(address: str) -> str:
    """Return the address, of IPv6 the network of one customer."""
    try:
        given = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((given, _SITE_BITS), strict=False)) if isinstance(given, IPv6Address) else str(given)


def _subjects(client_id: str, address: str) -> Sequence[Subject]:
    site = site_of(address)
    return (
        Subject("guesses-of-pair", f"{site} {client_id}", GUESSES_OF_A_PAIR),
        Subject("guesses-of-client", client_id, GUESSES_OF_A_CLIENT),
        Subject("guesses-of-address", site, GUESSES_OF_AN_ADDRESS),
    )
