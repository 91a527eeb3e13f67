"""Requests with an idempotency key: each is carried out once, and a repeat returns the first response.

The response is made and stored in the transaction of the change, so that no part of the request can fail after COMMIT.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sellergate_common.errors import InvalidRequest, SellergateError
from sellergate_common.observability.logs import get_logger

from sellergate_account.model import KeyedRequest
from sellergate_account.ports.errors import KeysUsedUp
from sellergate_account.ports.unit_of_work import Store, UnitOfWork

KEPT = timedelta(hours=24)
MOST_OF_USER = 10_000
"""The most requests with a key that are kept for one user; requests of callers that act for no user are not counted."""
CLEANUP_SECONDS = 600.0
CLEANUP_ROWS, CLEANUP_BATCHES = 500, 100

_Result = TypeVar("_Result")


class RepeatedRequest(Exception):
    """A request that was carried out before, whose transaction ends. `response` is the first response."""

    def __init__(self, response: bytes) -> None:
        super().__init__("repeated")
        self.response = response


@dataclass(slots=True)
class Once:
    """One writing request. `respond` makes its response from the change's result; `request` is None without an idempotency key."""

    request: KeyedRequest | None
    respond: Callable[[Any], bytes]
    now: Callable[[], datetime]
    response: bytes | None = None

    async def carry_out(self, work: UnitOfWork, change: Callable[[UnitOfWork], Awaitable[_Result]]) -> _Result:
        """Run a change within its transaction and store the response.

        Raises RepeatedRequest, InvalidRequest, KeysUsedUp, DuplicateKey.
        """
        if self.request is not None:
            now = self.now()
            first = await work.keyed_requests.claim(self.request, now, now - KEPT)
            if first is not None and not first.is_same:
                raise InvalidRequest.of_field(
                    "idempotency_key", "is the key of another request; use a new key for this one"
                )
            if first is not None:
                raise RepeatedRequest(first.response)
            if self.request.user and not await work.keyed_requests.has_room(self.request, now - KEPT, MOST_OF_USER):
                raise KeysUsedUp(MOST_OF_USER)
        result = await change(work)
        self.response = self.respond(result)
        if self.request is not None:
            await work.keyed_requests.respond(self.request, self.response)
        return result


_CURRENT: ContextVar[Once | None] = ContextVar("sellergate_once", default=None)


def current() -> Once | None:
    """Return the writing request that this task serves, or None."""
    return _CURRENT.get()


@contextmanager
def carrying_out(once: Once) -> Iterator[None]:
    """Set `once` as the request that this task serves while the body runs; it makes one change."""
    token = _CURRENT.set(once)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def digest_of(method: str, content: bytes) -> str:
    """Return the SHA-256 of a request in hex."""
    return hashlib.sha256(method.encode() + b"\0" + content).hexdigest()


async def forget_expired(store: Store, now: Callable[[], datetime], sleep: Callable[[float], Awaitable[None]]) -> None:
    """Remove requests older than a day, in batches, every ten minutes; while the database is down, wait for the next time."""
    while True:
        await sleep(CLEANUP_SECONDS)
        try:
            for _ in range(CLEANUP_BATCHES):
                async with store.writing() as work:
                    removed = await work.keyed_requests.remove(now() - KEPT, CLEANUP_ROWS)
                if removed < CLEANUP_ROWS:
                    break
        except SellergateError as error:
            get_logger().warning("expired_requests_kept", reason=error.reason)
