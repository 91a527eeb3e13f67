"""STS through boto3, in threads. boto3 finds the process's own AWS credentials and the endpoint by its own chain."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any

from pydantic import SecretStr
from sellergate_amazon import parsing
from sellergate_common.context import time_left
from sellergate_common.errors import OutOfTime
from sellergate_common.observability.logs import get_logger
from sellergate_common.observability.tracing import span
from sellergate_common.outbound.route import DIRECT, Route

from sellergate_iam.boto_chain import BotoChain
from sellergate_iam.ports import AwsCredentials, Role, Session
from sellergate_iam.sts_errors import Busy, OwnCredentials, explain
from sellergate_iam.threads import RegionThreads

CALL_SECONDS = 10.0
ATTEMPTS = 4
FIRST_BACKOFF_SECONDS = 0.2
# Seconds that an error needs to reach the caller before its deadline.
RESERVE_SECONDS = 0.05
# The most bytes of a session token. AWS documents no limit; a header of Amazon's servers can hold no more.
MOST_SESSION_TOKEN_CHARACTERS = 16_384


class BotoSts:
    """Calls of STS.

    `region` is for calls that boto3's chain makes itself; `jitter` returns a random number in [0, 1), `wall` seconds since the
    epoch.
    """

    def __init__(
        self,
        region: str,
        jitter: Callable[[], float],
        wall: Callable[[], float] = time.time,
        route: Route = DIRECT,
    ) -> None:
        self._chain = BotoChain(region, route)
        self._jitter = jitter
        self._wall = wall
        self.threads = RegionThreads(time.monotonic)

    async def assume(self, role: Role, session: Session) -> AwsCredentials:
        """Assume a role with its external id. Retry with full jitter while STS is busy and there is time.

        Raises RoleRejected, Unavailable, OutOfTime.
        """
        now = asyncio.get_running_loop().time
        ends = now() + min(CALL_SECONDS, time_left(CALL_SECONDS))
        for attempt in count(1):
            try:
                return await self._attempt(role, session, ends - now())
            except Busy as error:
                pause = self._jitter() * FIRST_BACKOFF_SECONDS * 2 ** (attempt - 1)
                if attempt == ATTEMPTS or pause + RESERVE_SECONDS >= ends - now():
                    raise
                get_logger().info("sts_retry", attempt=attempt, cause=error.message)
                await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        """Let the threads end. Do not wait for calls in progress."""
        self.threads.close()

    async def _attempt(self, role: Role, session: Session, left: float) -> AwsCredentials:
        if left <= 0:
            raise OutOfTime("No time was left to request credentials from STS; give the call more time.")
        try:
            with span("STS AssumeRole"):
                async with asyncio.timeout(left):
                    work = partial(self._assume, role, session)
                    return await asyncio.wrap_future(self.threads.submit(role.region, work))
        except TimeoutError:
            raise OutOfTime(f"STS did not respond within {left:.1f} s. Give the call more time.") from None

    def _assume(self, role: Role, session: Session) -> AwsCredentials:
        parameters: dict[str, Any] = {
            "RoleArn": role.arn,
            "RoleSessionName": session.name,
            "DurationSeconds": session.seconds,
        }
        if role.external_id:
            parameters["ExternalId"] = role.external_id
        chain = self._chain
        try:
            return self._call(chain.client(role.region), role, parameters)
        except OwnCredentials:
            # A file's keys may have been replaced, which boto3 does not notice: the next call reads all of them again.
            self._chain = BotoChain(chain.region, chain.route)
            raise

    def _call(self, client: Any, role: Role, parameters: dict[str, Any]) -> AwsCredentials:
        requested_at = self._wall()
        try:
            return _read(
                client.assume_role(**parameters).get("Credentials"), requested_at, parameters["DurationSeconds"]
            )
        except parsing.ParseError as error:
            raise Busy(f"STS's response holds no credentials that can be used: {error}.", retry_after=1.0) from None
        except Exception as error:  # noqa: BLE001  (boto3 raises errors of any type for an endpoint that is not STS)
            raise explain(error, role) from None


def _read(response: Any, requested_at: float, life: float) -> AwsCredentials:
    """Return a response's credentials. `requested_at` is local time; `life` is in seconds. Raises ParseError."""
    found = parsing.object_of(response)
    key_id, secret = (parsing.token_in(found, name) for name in ("AccessKeyId", "SecretAccessKey"))
    session_token = parsing.token_in(found, "SessionToken", MOST_SESSION_TOKEN_CHARACTERS)
    ends = found.get("Expiration")
    if not isinstance(ends, datetime):
        raise parsing.ParseError("Expiration is missing")
    # If the local clock is slow, STS's own time of expiry is too far ahead.
    expire_time = min(ends.timestamp(), requested_at + life)
    return AwsCredentials(SecretStr(key_id), SecretStr(secret), SecretStr(session_token), expire_time, life)
