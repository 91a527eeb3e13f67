"""Public signing keys of an identity provider, from the JWKS that it publishes."""

from collections.abc import Callable, Mapping
from typing import Any

import jwt
from sellergate_common.errors import OutOfTime, Unauthenticated, Unavailable
from sellergate_common.flights.local_flight import LocalFlight
from sellergate_common.observability.logs import get_logger

from sellergate_edge.authn.jwks_publisher import FETCH_SECONDS, FetchFailed, Publisher

# From the first age on, keys are fetched again in the background; at the second, a withdrawn key is no longer accepted.
RENEW_SECONDS, LIFE_SECONDS = 240.0, 300.0
# An unknown key id triggers a fetch, but not more often than this, because any client may invent key ids.
REFETCH_SECONDS = 60.0
# The first failure is retried at once, later ones after doubling pauses.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 10.0
_SET = "jwks"


class JwksKeys:
    """Published keys by id. While the publisher is unavailable, known keys stay valid. `now` is monotonic, in seconds."""

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
        """Return the key of a token. A token without a key id has the only published key (OpenID Connect Core, 10.1).

        Raises Unauthenticated for an unknown key, Unavailable while the publisher is unavailable.
        """
        kid = jwt.get_unverified_header(token).get("kid")
        if kid is not None and not isinstance(kid, str):
            raise Unauthenticated("The token's key id (kid) is not text. Get a new token.")
        await self._refresh(is_known=bool(self._keys) if kid is None else kid in self._keys)
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if kid is not None and kid in self._keys:
            return self._keys[kid]
        if self._cause:
            raise Unavailable(
                "The publisher of the signing keys is unavailable. Send the request again.",
                retry_after=max(1.0, self._pause()),
            )
        if kid is None:
            raise Unauthenticated(
                "The token has no key id (kid), and the issuer publishes several keys. Get a token with a key id."
            )
        raise Unauthenticated("The token's signing key is unknown. Get a new token.")

    async def _refresh(self, *, is_known: bool) -> None:
        """Fetch the keys if they are due, once for all callers. Wait for the fetch unless a known key can be used meanwhile."""
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
