"""The asynchronous client of Sellergate."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Unpack

import grpc
from sellergate.gateway.v1 import call_pb2, gateway_service_pb2, gateway_service_pb2_grpc
from sellergate_common.context import time_left
from sellergate_common.errors import Reason, SellergateError
from sellergate_common.identity.tls import Identity
from sellergate_common.rpc.channel import DEFAULT_SECONDS, invoke, is_transport_failure, open_channel, was_rejected
from sellergate_common.settings import read_settings

from sellergate_client import accounts, applications, clients, history, tokens
from sellergate_client.calls import (
    DEFAULT_CONCURRENCY,
    SAFE_TO_REPEAT,
    Call,
    CallOutcome,
    CallRun,
    Concurrency,
)
from sellergate_client.catalogue import Catalogue
from sellergate_client.documents.feeds import Feeds
from sellergate_client.documents.streams import Documents
from sellergate_client.responses import SpApiResponse
from sellergate_client.rpc.arguments import checked
from sellergate_client.rpc.call_stream import CallStream
from sellergate_client.rpc.kinds import Seconds
from sellergate_client.rpc.options import CallOptions
from sellergate_client.rpc.outcomes import connect_channel, is_connected, transport_outcome
from sellergate_client.rpc.ownership import Owner, check_fork
from sellergate_client.rpc.replicas import Replicas, open_replicas
from sellergate_client.rpc.requests import ByOperation, SerializedCall, serialized_call
from sellergate_client.rpc.retries import invoke_with_retries, retry_until
from sellergate_client.settings import TOKEN_TARGET, ClientSettings

CONTRACTS = (gateway_service_pb2.DESCRIPTOR.services_by_name["GatewayService"],)
_GATEWAY_CONTRACTS = (*CONTRACTS, *history.GATEWAY_CONTRACTS)
_ACCOUNT_CONTRACTS = (*accounts.CONTRACTS, *applications.CONTRACTS, *clients.CONTRACTS, *history.ACCOUNT_CONTRACTS)
ATTEMPTS = 3
FIRST_BACKOFF_SECONDS = 0.1
_SERVICE = "gateway"
_CALL = f"/{CONTRACTS[0].full_name}/Call"


@checked
class Sellergate:
    """An open client of Sellergate. Every call has a deadline and raises SellergateError.

    It belongs to the process and the event loop in which it was opened; elsewhere it raises ClientUseError.

    >>> async with Sellergate.connect() as sellergate:  # doctest: +SKIP
    ...     response = await sellergate.call(account_id, "GET", "/sellers/v1/marketplaceParticipations")
    ...     print(response.json()["payload"])
    """

    def __init__(
        self, gateway: grpc.aio.Channel, account: grpc.aio.Channel, token: Replicas, gateways: Replicas
    ) -> None:
        self._owner = Owner()
        self._channel = gateway
        self._account_channel = account
        self._gateways = gateways
        self._stub = gateway_service_pb2_grpc.GatewayServiceStub(gateway)
        self._call: grpc.aio.UnaryUnaryMultiCallable[SerializedCall, call_pb2.CallResponse] = gateway.unary_unary(
            _CALL,
            request_serializer=SerializedCall.SerializeToString,
            response_deserializer=call_pb2.CallResponse.FromString,
        )
        self._methods = dict[str, str]()
        self._accounts = accounts.Accounts(account)
        self._applications = applications.Applications(account)
        self._clients = clients.Clients(account)
        self._catalogue = Catalogue(self._stub)
        self._documents = Documents(gateway, self._stub)
        self._history = history.History(gateway, account)
        self._tokens = tokens.Tokens(token)

    @property
    def accounts(self) -> accounts.Accounts:
        """The stored accounts of sellers."""
        self._owner.check()
        return self._accounts

    @property
    def applications(self) -> applications.Applications:
        """The stored applications (LWA clients)."""
        self._owner.check()
        return self._applications

    @property
    def clients(self) -> clients.Clients:
        """The drop-in clients."""
        self._owner.check()
        return self._clients

    @property
    def catalogue(self) -> Catalogue:
        """The operations of SP-API, and accounts' quotas."""
        self._owner.check()
        return self._catalogue

    @property
    def history(self) -> history.History:
        """The recent calls and audit events of accounts."""
        self._owner.check()
        return self._history

    @property
    def documents(self) -> Documents:
        """Documents, reports and lists in pages."""
        self._owner.check()
        return self._documents

    @property
    def feeds(self) -> Feeds:
        """Feeds."""
        return Feeds(self)

    @property
    def tokens(self) -> tokens.Tokens:
        """Access tokens."""
        self._owner.check()
        return self._tokens

    @staticmethod
    @asynccontextmanager
    async def connect(
        gateway: str | None = None,
        account: str | None = None,
        identity: Identity | None = None,
        token: str | None = None,
    ) -> AsyncIterator["Sellergate"]:
        """Open a client; omitted arguments are read from the environment (ClientSettings).

        Raises SettingsError, and ClientUseError in a process that forked after a client had been opened.
        """
        check_fork()
        if gateway is None or account is None or identity is None:
            settings = read_settings(ClientSettings)
            gateway = gateway or settings.gateway_target
            account = account or settings.account_target
            token = token or settings.token_target
            identity = identity or Identity.read(settings)
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            gateway_channel = await enter(open_channel(gateway, _SERVICE, identity, _GATEWAY_CONTRACTS))
            account_channel = await enter(open_channel(account, "account", identity, _ACCOUNT_CONTRACTS))
            replicas = await enter(open_replicas(token or TOKEN_TARGET, "token", identity, tokens.CONTRACTS))
            gateways = await enter(open_replicas(gateway, _SERVICE, identity, CONTRACTS))
            yield Sellergate(gateway_channel, account_channel, replicas, gateways)

    async def call(
        self,
        account_id: str,
        method: str,
        path: str,
        *,
        seconds: Seconds = DEFAULT_SECONDS,
        hedge_after: Seconds | None = None,
        on_behalf_of: str = "",
        **options: Unpack[CallOptions],
    ) -> SpApiResponse:
        """Make one call of SP-API within `seconds`, and return Amazon's response.

        `path` is percent-encoded and holds no query. `query` is encoded by the rule of `sellergate_client.rpc.query`; CallOptions
        describes all options. `hedge_after`: make an idempotent call that has no response after so many seconds at another replica
        of the gateway too, which uses a second call of the quota. Raises SellergateError; TypeError for a wrong option.
        """
        request = serialized_call(account_id, method, path, options)
        return await self._respond(request, seconds, hedge_after, on_behalf_of)

    async def call_operation(
        self,
        account_id: str,
        operation: str,
        path_params: Mapping[str, str] | None = None,
        *,
        seconds: Seconds = DEFAULT_SECONDS,
        hedge_after: Seconds | None = None,
        on_behalf_of: str = "",
        **options: Unpack[CallOptions],
    ) -> SpApiResponse:
        """Make one call of an operation of the catalogue, and return Amazon's response.

        `operation` is a name (api/version/operationId), or an id that only one API has; `path_params` are the values of the path's
        parameters, not encoded. Arguments and errors as of `call`; NotFound for an unknown operation.
        """
        self._owner.check()
        # The whole call is checked before the operation is looked up.
        request = serialized_call(account_id, "", ByOperation(operation, path_params or {}), options)
        request = replace(request, method=await self._method_of(operation, on_behalf_of))
        return await self._respond(request, seconds, hedge_after, on_behalf_of)

    def calls(
        self,
        calls: Iterable[Call] | AsyncIterable[Call],
        *,
        concurrency: Concurrency = DEFAULT_CONCURRENCY,
        on_behalf_of: str = "",
    ) -> AsyncGenerator[CallOutcome]:
        """Make many calls over one stream, `concurrency` at once (256 at most), and yield the outcome of each as it ends.

        >>> async for outcome in sellergate.calls(Call(one, "GET", path, key=one) for one in account_ids):  # doctest: +SKIP
        ...     print(outcome.key, outcome.error or outcome.response.json())

        Each call has one outcome, with a response or a typed error. Calls are taken from `calls` when there is room. After a broken
        stream a call is made again on a new one if that is safe; a write that may have been sent ends with AMAZON_OUTCOME_UNKNOWN.
        Closing the generator cancels the calls in progress. Raises TypeError for a wrong argument, and what iterating
        `calls` raises, after the outcomes of the calls that were begun.
        """
        self._owner.check()
        run = CallRun(CallStream(self._channel, on_behalf_of), partial(self._method_of, on_behalf_of=on_behalf_of))
        return run.outcomes(calls, concurrency)

    async def _method_of(self, operation: str, on_behalf_of: str) -> str:
        """Return the HTTP method of an operation. Raises NotFound."""
        if operation not in self._methods:
            self._methods[operation] = (await self._catalogue.get(operation, on_behalf_of=on_behalf_of)).method
        return self._methods[operation]

    async def _respond(
        self, request: SerializedCall, seconds: float, hedge_after: Seconds | None, on_behalf_of: str
    ) -> SpApiResponse:
        self._owner.check()
        end = time.monotonic() + min(seconds, time_left(seconds))
        attempt = partial(self._send_call, request, end, on_behalf_of)
        if hedge_after is not None and request.method in SAFE_TO_REPEAT and not on_behalf_of:
            attempt = partial(self._hedge, request, end, hedge_after)
        return SpApiResponse.from_message(await retry_until(attempt, service=_SERVICE, end=end))

    async def check_account(
        self,
        account_id: str,
        *,
        exchange: bool = True,
        with_call: bool = True,
        seconds: Seconds = DEFAULT_SECONDS,
        on_behalf_of: str = "",
    ) -> gateway_service_pb2.CheckAccountResponse:
        """Check an account stage by stage: exchange its refresh token, at most once in 60 s, and make one call of SP-API.

        `exchange` and `with_call` choose these two stages. Raises NotFound; every other failure is reported in a stage.
        """
        self._owner.check()
        request = gateway_service_pb2.CheckAccountRequest(
            account_id=account_id, with_call=with_call, skip_exchange=not exchange, skip_call=not with_call
        )
        return await invoke_with_retries(
            self._stub.CheckAccount, request, dependency=_SERVICE, seconds=seconds, on_behalf_of=on_behalf_of
        )

    async def restricted_life(
        self, account_id: str, resources: Sequence[tuple[str, str, Sequence[str]]], *, on_behalf_of: str = ""
    ) -> float:
        """Request a Restricted Data Token for (method, path, data elements) from the gateway; return its lifetime in seconds.

        The gateway keeps the token: calls name the same `restricted_resources`. Permitted to the edge, and to services that the
        gateway's SELLERGATE_TOKEN_CALLERS names. Raises SellergateError.
        """
        self._owner.check()
        request = gateway_service_pb2.GetRestrictedDataTokenRequest(
            account_id=account_id,
            resources=[
                call_pb2.RestrictedResource(method=method, path=path, data_elements=elements)
                for method, path, elements in resources
            ],
        )
        response = await invoke_with_retries(
            self._stub.GetRestrictedDataToken, request, dependency=_SERVICE, on_behalf_of=on_behalf_of
        )
        return response.expire_time.ToMilliseconds() / 1000 - time.time()

    async def health(self) -> dict[str, bool]:
        """Return, for each service, whether it has a connection or gets one within a second."""
        self._owner.check()
        channels = {"gateway": self._channel, "account": self._account_channel}
        responses = await asyncio.gather(*(is_connected(channel, 1.0) for channel in channels.values()))
        return dict(zip(channels, responses, strict=True))

    async def _hedge(self, request: SerializedCall, end: float, hedge_after: float) -> call_pb2.CallResponse:
        left = end - time.monotonic()
        return await self._gateways.call(_CALL, request, call_pb2.CallResponse, left, hedge_after)

    async def _send_call(self, request: SerializedCall, end: float, on_behalf_of: str) -> call_pb2.CallResponse:
        """Make a call, and repeat it when the connection breaks and a repeat is safe."""
        if request.method not in SAFE_TO_REPEAT:
            return await self._write(request, end, on_behalf_of)
        for attempt in range(1, ATTEMPTS):
            try:
                return await self._once(request, end, on_behalf_of)
            except SellergateError as error:
                pause = random.uniform(0, FIRST_BACKOFF_SECONDS * 2**attempt)  # noqa: S311  (jitter, not a secret)
                if not is_transport_failure(error) or pause >= end - time.monotonic():
                    raise
                await asyncio.sleep(pause)
        return await self._once(request, end, on_behalf_of)

    async def _write(self, request: SerializedCall, end: float, on_behalf_of: str) -> call_pb2.CallResponse:
        """Make a call that must not be executed twice; retry it only if no gateway has processed it."""
        attempt = 1
        while True:
            await connect_channel(self._channel, _SERVICE, end - time.monotonic())
            try:
                return await self._once(request, end, on_behalf_of)
            except SellergateError as error:
                if attempt == ATTEMPTS or not was_rejected(error):
                    with transport_outcome(Reason.AMAZON_OUTCOME_UNKNOWN):
                        raise
            attempt += 1

    async def _once(self, request: SerializedCall, end: float, on_behalf_of: str) -> call_pb2.CallResponse:
        left = end - time.monotonic()
        return await invoke(self._call, request, dependency=_SERVICE, seconds=left, on_behalf_of=on_behalf_of)
