"""The asynchronous client of Sellergate."""

import asyncio
import json as json_library
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from sellergate.gateway.v1 import call_pb2, gateway_service_pb2, gateway_service_pb2_grpc
from sellergate_common.channel import DEFAULT_SECONDS, invoke, is_transport_failure, open_channel
from sellergate_common.context import time_left
from sellergate_common.errors import InvalidRequest, Reason, SellergateError
from sellergate_common.settings import read_settings
from sellergate_common.tls import Identity

from sellergate_client import accounts, tokens
from sellergate_client.answers import Answer
from sellergate_client.outcomes import connected, is_connected, transport_outcome
from sellergate_client.replicas import Replicas, open_replicas
from sellergate_client.settings import TOKEN_TARGET, ClientSettings

CONTRACTS = (gateway_service_pb2.DESCRIPTOR.services_by_name["GatewayService"],)
ATTEMPTS = 3
FIRST_BACKOFF_SECONDS = 0.1
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_SERVICE = "gateway"

Query = Mapping[str, Any] | Sequence[tuple[str, str | None]]


class Sellergate:
    """Calls SP-API for stored accounts. Every call has a deadline and raises SellergateError.

    >>> async with Sellergate.connect() as sellergate:  # doctest: +SKIP
    ...     answer = await sellergate.call(account_id, "GET", "/sellers/v1/marketplaceParticipations")
    ...     print(answer.json()["payload"])
    """

    def __init__(self, gateway: grpc.aio.Channel, account: grpc.aio.Channel, token: Replicas) -> None:
        self._channel = gateway
        self._account_channel = account
        self._stub = gateway_service_pb2_grpc.GatewayServiceStub(gateway)
        self.accounts = accounts.Accounts(account)
        self.tokens = tokens.Tokens(token)

    @staticmethod
    @asynccontextmanager
    async def connect(
        gateway: str | None = None,
        account: str | None = None,
        identity: Identity | None = None,
        token: str | None = None,
    ) -> AsyncIterator["Sellergate"]:
        """Open the client; what is not given is read from the environment (ClientSettings). Raises SettingsError."""
        if gateway is None or account is None or identity is None:
            settings = read_settings(ClientSettings)
            gateway = gateway or settings.gateway_target
            account = account or settings.account_target
            token = token or settings.token_target
            identity = identity or Identity.read(settings)
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            gateway_channel = await enter(open_channel(gateway, _SERVICE, identity, CONTRACTS))
            account_channel = await enter(open_channel(account, "account", identity, accounts.CONTRACTS))
            replicas = await enter(open_replicas(token or TOKEN_TARGET, "token", identity, tokens.CONTRACTS))
            yield Sellergate(gateway_channel, account_channel, replicas)

    async def call(
        self,
        account_id: str,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        raw_query: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        json: Any = None,
        content_type: str = "",
        data_elements: Sequence[str] = (),
        as_is: bool = False,
        max_wait: float | None = None,
        batch: bool = False,
        sandbox: bool | None = None,
        seconds: float = DEFAULT_SECONDS,
        on_behalf_of: str = "",
    ) -> Answer:
        """Make one call of SP-API.

        `path` is percent-encoded. `query` is encoded here: a list of values becomes comma-separated, as Amazon's array
        parameters are; `raw_query` is sent as it is. `json` is a body to encode. `as_is` returns Amazon's refusals as answers
        instead of raising them. `max_wait` bounds the wait for quota in seconds; `seconds` bounds the whole call.
        """
        if json is not None:
            body, content_type = json_library.dumps(json).encode(), content_type or "application/json"
        request = call_pb2.CallRequest(
            account_id=account_id,
            method=method.upper(),
            path=path,
            headers=[call_pb2.Header(name=name, value=value) for name, value in headers],
            body=body,
            content_type=content_type,
            data_elements=data_elements,
            answer_mode=call_pb2.ANSWER_MODE_AS_IS if as_is else call_pb2.ANSWER_MODE_TYPED,
            priority=call_pb2.PRIORITY_BATCH if batch else call_pb2.PRIORITY_INTERACTIVE,
        )
        if raw_query is not None and query is not None:
            raise InvalidRequest.of_field("query", "must be left out when raw_query is given")
        if raw_query is not None:
            request.raw_query = raw_query
        elif query is not None:
            request.query.parameters.extend(_parameters(query))
        if max_wait is not None:
            request.max_wait.CopyFrom(_duration(max_wait))
        if sandbox is not None:
            request.sandbox = sandbox
        return Answer.from_message(await self._called(request, seconds, on_behalf_of))

    async def check_account(
        self, account_id: str, *, with_call: bool = False, seconds: float = DEFAULT_SECONDS, on_behalf_of: str = ""
    ) -> gateway_service_pb2.CheckAccountResponse:
        """Try an account stage by stage. Raises NotFound; every other failure is a stage's."""
        request = gateway_service_pb2.CheckAccountRequest(account_id=account_id, with_call=with_call)
        return await invoke(
            self._stub.CheckAccount, request, dependency=_SERVICE, seconds=seconds, on_behalf_of=on_behalf_of
        )

    async def health(self) -> dict[str, bool]:
        """Tell which services have a connection, or get one within a second."""
        channels = {"gateway": self._channel, "account": self._account_channel}
        answers = await asyncio.gather(*(is_connected(channel, 1.0) for channel in channels.values()))
        return dict(zip(channels, answers, strict=True))

    async def _called(self, request: call_pb2.CallRequest, seconds: float, on_behalf_of: str) -> call_pb2.CallResponse:
        """Call, and repeat what is safe to repeat when the connection breaks."""
        end = time.monotonic() + min(seconds, time_left(seconds))
        if request.method not in _IDEMPOTENT:
            await connected(self._channel, _SERVICE, end - time.monotonic())
            with transport_outcome(Reason.AMAZON_OUTCOME_UNKNOWN):
                return await self._once(request, end, on_behalf_of)
        for attempt in range(1, ATTEMPTS):
            try:
                return await self._once(request, end, on_behalf_of)
            except SellergateError as error:
                pause = random.uniform(0, FIRST_BACKOFF_SECONDS * 2**attempt)  # noqa: S311  (jitter, not a secret)
                if not is_transport_failure(error) or pause >= end - time.monotonic():
                    raise
                await asyncio.sleep(pause)
        return await self._once(request, end, on_behalf_of)

    async def _once(self, request: call_pb2.CallRequest, end: float, on_behalf_of: str) -> call_pb2.CallResponse:
        left = end - time.monotonic()
        return await invoke(self._stub.Call, request, dependency=_SERVICE, seconds=left, on_behalf_of=on_behalf_of)


def _parameters(query: Query) -> list[call_pb2.QueryParameter]:
    pairs = query.items() if isinstance(query, Mapping) else query
    return [call_pb2.QueryParameter(name=name, value=_text(value)) for name, value in pairs]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(str(item) for item in value)
    return str(value)


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromMilliseconds(int(seconds * 1000))
    return duration
