"""Public signing keys of an identity provider, from the JWKS that it publishes."""

import asyncio
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import jwt
from sellergate_common.cache.single_flight import LocalFlight
from sellergate_common.errors import OutOfTime, Unauthenticated, Unavailable
from sellergate_common.observability.logs import get_logger
from sellergate_common.threads import in_thread

FETCH_SECONDS = 5.0
# Keys are fetched again in the background from the first age on; a key that its publisher took back ends at the second.
RENEW_SECONDS, LIFE_SECONDS = 240.0, 300.0
# An unknown key id makes the set be fetched again, at most this often: strangers choose key ids.
REFETCH_SECONDS = 60.0
# The first failure is retried at once, later ones after pauses that double.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 10.0
_SET = "jwks"


class FetchFailed(Exception):
    """A fetch that brought no key; the message is the kind of failure, without any content."""


class Publisher:
    """The JWKS at a URL, fetched in one thread at a time, for `seconds` at most."""

    def __init__(self, url: str, seconds: float = FETCH_SECONDS) -> None:
        # A little less for each wait on the socket, so that the thread has ended when its fetch is given up.
        self._client = jwt.PyJWKClient(url, timeout=seconds * 0.8, cache_jwk_set=False)
        self._seconds = seconds
        self._busy = Lock()

    async def fetch(self) -> Mapping[str, Any]:
        """Return at least one public key, by key id. Raises FetchFailed, in time."""
        try:
            async with asyncio.timeout(self._seconds):
                found = await in_thread(self._fetched, "jwks")
        except FetchFailed:
            raise
        except Exception as error:  # noqa: BLE001
            # A publisher may send anything, and PyJWT names only some of it by errors of its own.
            raise FetchFailed(type(error).__name__) from None
        return {key.key_id: key.key for key in found if key.key_id}

    def _fetched(self) -> list[jwt.PyJWK]:
        # A publisher that sends byte by byte outlives the deadline above; no second thread joins the one that waits for it.
        if not self._busy.acquire(blocking=False):
            raise FetchFailed("StillFetching")
        try:
            return self._client.get_signing_keys()
        finally:
            self._busy.release()


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
        """Return the key that the token names.

        Raises Unauthenticated for a key that is not published, Unavailable while that cannot be known.
        """
        kid = jwt.get_unverified_header(token).get("kid")
        if not isinstance(kid, str):
            raise Unauthenticated("The token names no key (kid).")
        await self._refresh(kid)
        if kid in self._keys:
            return self._keys[kid]
        if self._cause:
            raise Unavailable(
                "The publisher of the signing keys is unavailable; try again.", retry_after=max(1.0, self._pause())
            )
        raise Unauthenticated("The token is signed with a key that is not published.")

    async def _refresh(self, kid: str) -> None:
        """Fetch the set if it is due, once for all callers; wait for it unless a known key can serve meanwhile."""
        age = self._now() - self._fetch_time
        is_known = kid in self._keys
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
