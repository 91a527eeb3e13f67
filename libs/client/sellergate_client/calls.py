"""Many calls at once: their descriptions, their outcomes, and the workers that make them over one stream."""

import asyncio
import random
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Unpack

from sellergate.gateway.v1 import call_pb2
from sellergate_common.context import time_left
from sellergate_common.errors import OutcomeUnknown, Reason, SellergateError
from sellergate_common.rpc.channel import DEFAULT_SECONDS
from sellergate_common.tasks import END_SECONDS

from sellergate_client.responses import SpApiResponse
from sellergate_client.rpc.arguments import check_arguments, checked
from sellergate_client.rpc.call_stream import CallStream, StreamBroken
from sellergate_client.rpc.kinds import Rule, Seconds
from sellergate_client.rpc.options import CallOptions
from sellergate_client.rpc.requests import ByOperation, SerializedCall, check_call, serialized_call
from sellergate_client.rpc.retries import retry_until

ATTEMPTS = 5
FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 0.1, 2.0
DEFAULT_CONCURRENCY, MOST_CONCURRENCY = 64, 256
Concurrency = Annotated[
    int, Rule(f"a whole number from 1 to {MOST_CONCURRENCY}", lambda value: 1 <= value <= MOST_CONCURRENCY)
]
SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_SERVICE = "gateway"


@checked
class Call:
    """The description of one call: of a method and a path, or of an operation (`Call.of_operation`).

    `key` is the caller's own and comes back with the outcome. `seconds` bound the call from the moment when it is begun. Raises
    TypeError for an option that does not exist or has a wrong type, and InvalidRequest for an empty text. `json` and `query` are
    encoded when the call is made: the outcome reports what is wrong with them.
    """

    __slots__ = ("account_id", "key", "method", "options", "path", "seconds")
    account_id: str
    method: str
    path: str | ByOperation
    key: Any
    seconds: float
    options: CallOptions

    @check_arguments
    def __init__(
        self,
        account_id: str,
        method: str,
        path: str,
        *,
        key: Any = None,
        seconds: Seconds = DEFAULT_SECONDS,
        **options: Unpack[CallOptions],
    ) -> None:
        _describe(self, account_id, method, path, key, seconds, options)

    @classmethod
    def of_operation(
        cls,
        account_id: str,
        operation: str,
        path_params: Mapping[str, str] | None = None,
        *,
        key: Any = None,
        seconds: Seconds = DEFAULT_SECONDS,
        **options: Unpack[CallOptions],
    ) -> "Call":
        """Describe a call of an operation by its name; `path_params` are the values of the path's parameters, not encoded."""
        call = cls.__new__(cls)
        _describe(call, account_id, "", ByOperation(operation, path_params or {}), key, seconds, options)
        return call

    def __repr__(self) -> str:
        """Return account, target and key, without options, which may hold buyers' data."""
        target = self.path.name if isinstance(self.path, ByOperation) else f"{self.method} {self.path}"
        return f"<Call account_id={self.account_id!r} {target} key={self.key!r}>"


def _describe(
    call: Call,
    account_id: str,
    method: str,
    path: str | ByOperation,
    key: Any,
    seconds: float,
    options: CallOptions,
) -> None:
    check_call(account_id, method, path, options)
    call.account_id = account_id
    call.method = method
    call.path = path
    call.key = key
    call.seconds = seconds
    call.options = options


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """The end of a call: Amazon's `response`, or a typed `error`."""

    call: Call
    response: SpApiResponse | None = None
    error: SellergateError | None = None

    @property
    def key(self) -> Any:
        """The caller's own key of the call."""
        return self.call.key

    def result(self) -> SpApiResponse:
        """Return the response. Raises the call's SellergateError."""
        if self.error is not None:
            raise self.error
        assert self.response is not None  # noqa: S101  (a call has either)
        return self.response


class CallRun:
    """One run of many calls over `stream`. `method_of` returns the HTTP method of an operation."""

    def __init__(self, stream: CallStream, method_of: Callable[[str], Awaitable[str]]) -> None:
        self._stream = stream
        self._method_of = method_of

    async def outcomes(
        self, calls: Iterable[Call] | AsyncIterable[Call], concurrency: int
    ) -> AsyncGenerator[CallOutcome]:
        """Yield the outcome of each call as it ends; at most `concurrency` calls and as many outcomes are held.

        An error of iterating `calls` is raised after the outcomes of the calls that were begun.
        """
        source, finished = _Source(calls), asyncio.Queue[CallOutcome | None](concurrency)
        workers = [asyncio.create_task(self._work(source, finished)) for _ in range(concurrency)]
        waiting = asyncio.create_task(_announce_end(workers, finished))
        try:
            while (outcome := await finished.get()) is not None:
                yield outcome
            for worker in workers:
                worker.result()
        finally:
            for task in (*workers, waiting):
                task.cancel()
            await asyncio.wait((*workers, waiting), timeout=END_SECONDS)
            await self._stream.close()

    async def _work(self, source: "_Source", finished: "asyncio.Queue[CallOutcome | None]") -> None:
        async for call in source:
            await finished.put(await self._outcome(call))

    async def _outcome(self, call: Call) -> CallOutcome:
        try:
            return CallOutcome(call, response=SpApiResponse.from_message(await self._make(call)))
        except SellergateError as error:
            # Without its traceback, whose frames hold the call's request and response.
            return CallOutcome(call, error=error.with_traceback(None))

    async def _make(self, call: Call) -> call_pb2.CallResponse:
        end = time.monotonic() + min(call.seconds, time_left(call.seconds))
        # The whole call is checked before an operation is looked up.
        request = serialized_call(call.account_id, call.method, call.path, call.options.copy())
        if isinstance(call.path, ByOperation):
            request = replace(request, method=await self._method_of(call.path.name))
        return await retry_until(partial(self._send, request, end), service=_SERVICE, end=end)

    async def _send(self, request: SerializedCall, end: float) -> call_pb2.CallResponse:
        """Make a call, and make it again on a new stream where the stream broke and a repeat is safe."""
        attempt = 1
        while True:
            try:
                return await self._stream.call(request, end - time.monotonic())
            except StreamBroken as broken:
                if broken.sent and request.method not in SAFE_TO_REPEAT:
                    raise _unknown(broken.error) from None
                longest = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2**attempt)
                pause = random.uniform(0, longest)  # noqa: S311  (jitter, not a secret)
                if attempt == ATTEMPTS or pause >= end - time.monotonic():
                    raise broken.error from None
            attempt += 1
            await asyncio.sleep(pause)


class _Source:
    """The calls of a run, taken one after the other by several workers."""

    def __init__(self, calls: Iterable[Call] | AsyncIterable[Call]) -> None:
        self._calls: Iterator[Call] | AsyncIterator[Call]
        self._calls = aiter(calls) if isinstance(calls, AsyncIterable) else iter(calls)
        self._taking = asyncio.Lock()
        self._ended = False

    def __aiter__(self) -> "_Source":
        return self

    async def __anext__(self) -> Call:
        async with self._taking:
            if self._ended:
                raise StopAsyncIteration
            try:
                found = await anext(self._calls) if isinstance(self._calls, AsyncIterator) else _next(self._calls)
            except BaseException:
                self._ended = True
                raise
        if not isinstance(found, Call):
            self._ended = True
            raise TypeError(f"calls must be of type Call, and got {type(found).__name__}")
        return found


def _next(calls: Iterator[Call]) -> Call:
    for call in calls:
        return call
    raise StopAsyncIteration


async def _announce_end(workers: "list[asyncio.Task[None]]", finished: "asyncio.Queue[CallOutcome | None]") -> None:
    await asyncio.wait(workers)
    await finished.put(None)


def _unknown(error: SellergateError) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{error.message} The call may have been executed; check before you repeat it.",
        reason=Reason.AMAZON_OUTCOME_UNKNOWN,
        metadata=error.metadata,
    )
