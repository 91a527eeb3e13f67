"""Public signing keys of an identity provider, from the JWKS that it publishes."""

from collections.abc import Callable, Mapping
from typing import Any

import jwt
from sellergate_common.cache.single_flight import LocalFlight
from sellergate_common.errors import OutOfTime, Unauthenticated, Unavailable
from sellergate_common.observability.logs import get_logger

from sellergate_edge.authn.jwks_publisher import FETCH_SECONDS, FetchFailed, Publisher

# Keys are fetched again in the background from the first age on; a key that its publisher took back ends at the second.
RENEW_SECONDS, LIFE_SECONDS = 240.0, 300.0
# An unknown key id makes the set be fetched again, at most this often: strangers choose key ids.
REFETCH_SECONDS = 60.0
# The first failure is retried at once, later ones after pauses that double.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 10.0
_SET = "jwks"


class JwksKeys:
    """Keys by id. While the publisher fails, the keys that are known stay valid. `now` is monotonic, in seconds."""

    algorithms: tuple[str, ...] = ("RS256", "ES256")

    def __init__(self, publisher: Publisher, now: Callable[[], float]) -> None:
        self._publisher = publisher
        self._now = now
        self._keys: Mapping[str, Any] = {}
        self._flight: LocalFlight[None] = LocalFlight(FETCH_SECONDS + 1.0)
        self._fetch_time = self._failure_time = float("-inf")
        self._failures = 0
        self._cause = ""

    def problem(self) -> str:
        """Return why the last fetch failed, in a few words; empty while fetches work."""
        return f"the JWKS cannot be fetched ({self._cause})" if self._cause else ""

    async def key_of(self, token: str) -> Any:
        """Return the key that the token names. One that names none has the only key that is published (OpenID Connect Core, 10.1).

        Raises Unauthenticated for a key that is not published, Unavailable while that cannot be known.
        """
        kid = jwt.get_unverified_header(token).get("kid")
        if kid is not None and not isinstance(kid, str):
            raise Unauthenticated("The token names its key (kid) by no text.")
        await self._refresh(is_known=bool(self._keys) if kid is None else kid in self._keys)
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if kid is not None and kid in self._keys:
            return self._keys[kid]
        if self._cause:
            raise Unavailable(
                "The publisher of the signing keys is unavailable; try again.", retry_after=max(1.0, self._pause())
            )
        if kid is None:
            raise Unauthenticated("The token names no key (kid), and several are published.")
        raise Unauthenticated("The token is signed with a key that is not published.")

    async def _refresh(self, *, is_known: bool) -> None:
        """Fetch the set if it is due, once for all callers; wait for it unless a known key can serve meanwhile."""
        age = self._now() - self._fetch_time
        if age <= (RENEW_SECONDS if is_known else REFETCH_SECONDS) and not (self._cause and not is_known):
            return
        if self._now() - self._failure_time < self._pause():
            return
        if is_known and (age <= LIFE_SECONDS or self._cause):
            self._flight.start(_SET, self._fetch)
            return
        try:
            await self._flight.get(_SET, self._fetch)
        except OutOfTime:
            if not is_known:
                raise

    def _pause(self) -> float:
        """Return the seconds between the last failure and the next fetch."""
        if self._failures < 2:  # noqa: PLR2004  (the first failure is retried at once)
            return 0.0
        return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures - 2, 10))

    async def _fetch(self) -> None:
        try:
            self._keys = await self._publisher.fetch()
        except FetchFailed as failed:
            self._cause = str(failed)
            self._failures += 1
            self._failure_time = self._now()
            get_logger().warning("jwks_unavailable", cause=self._cause, failures=self._failures)
            return
        self._fetch_time, self._failures, self._cause = self._now(), 0, ""
