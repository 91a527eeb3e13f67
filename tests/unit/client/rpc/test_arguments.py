"""Every public method of the client library refuses every wrong argument by its name, before anything is sent."""

import asyncio
import importlib
import inspect
import pkgutil
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import is_dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import grpc
import pytest
import sellergate_client
from pydantic import SecretStr
from sellergate_client import Call, Feed, InvalidRequest, Sellergate, SellingPartner
from sellergate_client import sync as without_await
from sellergate_client.authorizations import Authorizations
from sellergate_client.calls import Concurrency
from sellergate_client.rpc.arguments import check_arguments
from sellergate_client.rpc.kinds import AwareTime, Count, EmptyableText, Seconds, Timeout
from sellergate_client.rpc.replicas import Replicas, open_replicas
from sellergate_client.rpc.requests import serialized_call
from sellergate_client.sync.loops import EventLoop
from sellergate_common.identity.tls import Identity

from tests.conftest import TestAuthority
from tests.fakes.wrong_calls import CALLS

# Parts of the library's classes, and classes that only the services and the edge use.
INTERNAL = {
    "CallRun",
    "CallStream",
    "EventLoop",
    "GrpcAccountChanges",
    "Owner",
    "Replicas",
    "Rotations",
    "Page",
    "ClientSettings",
}
NAN, INFINITY = float("nan"), float("inf")
WRONG_VALUES: dict[Any, Sequence[Any]] = {
    Count: (-1, 1.5, True, "1"),
    Concurrency: (0, 257, 1.5, True, "1"),
    Seconds: (-1, NAN, INFINITY, True, "1"),
    Timeout: (0, -1, NAN, INFINITY, True, "1"),
    AwareTime: (datetime(2026, 1, 1), "2026-01-01"),  # noqa: DTZ001  (that is what is wrong)
}
RIGHT_VALUES = {"path": "/x", "method": "GET", "content_type": "text/plain"}


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[str, list[int]]]:
    """Yield an address, and the connections that were made to it."""
    connections = list[int]()

    def connect(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        writer.close()

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    async with server:
        yield f"ipv4:127.0.0.1:{server.sockets[0].getsockname()[1]}", connections


async def open_client(target: str, authority: TestAuthority, stack: AsyncExitStack) -> Sellergate:
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(target))
    replicas: Replicas = await stack.enter_async_context(
        open_replicas(target, "token", authority.identity("operator"), ())
    )
    return Sellergate(channel, channel, replicas, replicas)


def public_classes() -> set[str]:
    """Return the classes of the library that have methods for programs."""
    found = set[str]()
    for module in pkgutil.walk_packages(sellergate_client.__path__, "sellergate_client."):
        for name, one in vars(importlib.import_module(module.name)).items():
            is_its_own = inspect.isclass(one) and one.__module__ == module.name and not name.startswith("_")
            is_plain = is_its_own and not (is_dataclass(one) or is_typeddict(one) or issubclass(one, Exception))
            found |= {name} if is_plain else set()
    return found - INTERNAL


def methods_of(target: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, one in vars(type(target)).items():
        if not name.startswith("_") and not isinstance(one, property):
            yield name, getattr(target, name)


def right(name: str, kind: Any) -> Any:
    """Return a value that an argument accepts."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind is AwareTime:
        return datetime.now(UTC)
    if origin is Annotated:
        return right(name, inner[0])
    if origin is Literal:
        return inner[0]
    if origin is Union or "UnionType" in str(type(kind)):
        return None if type(None) in inner else right(name, inner[0])
    if origin in (Mapping, Sequence, Iterable, AsyncIterable, tuple):
        return {} if origin is Mapping else ()
    samples: dict[Any, Any] = {
        str: RIGHT_VALUES.get(name, "x"),
        bytes: b"x",
        int: 1,
        float: 1.0,
        bool: True,
        Any: 1,
        SecretStr: SecretStr("x"),
        Feed: Feed("1", "DONE", "1"),
        Identity: object.__new__(Identity),
    }
    return samples[kind] if kind in samples else kind()


def wrong(kind: Any, *, is_required: bool) -> Iterator[Any]:
    """Yield values that an argument of a kind does not accept."""
    inner = get_args(kind)
    for one in (kind, *inner):
        yield from WRONG_VALUES.get(one, ())
    if kind is not Any:
        yield object()
    if str in (kind, *inner) and is_required and kind is not EmptyableText:
        yield ""
    if get_origin(kind) is Literal:
        yield "zzz"
    if get_origin(kind) is Sequence:
        yield from ("x", b"x", [object()])
    if get_origin(kind) is Mapping:
        yield from ([], {1: "x"})


async def refused(method: Callable[..., Any], arguments: Mapping[str, Any], name: str) -> str:
    """Return what was wrong with a call that was not refused by the name of the argument; empty where it was."""
    try:
        result = method(**arguments)
        if inspect.iscoroutine(result):
            await result
        elif inspect.isasyncgen(result):
            await anext(result)
        elif inspect.isgenerator(result):
            await asyncio.to_thread(next, result)
        elif isinstance(result, Call):  # it is encoded when it is made
            serialized_call(result.account_id, result.method, result.path, result.options)
    except TypeError as error:
        return "" if name in str(error) else f"{error!r}"
    except InvalidRequest as error:
        return "" if name in error.violations[0].field else f"{error!r}"
    except Exception as error:  # noqa: BLE001  (it is reported with the call)
        return f"{error!r}"
    return "no error"


async def not_refused(label: str, method: Callable[..., Any]) -> list[str]:
    """Return the wrong calls of a method that it did not refuse."""
    function = method.__init__ if inspect.isclass(method) else method  # type: ignore[misc]
    hints = get_type_hints(function, include_extras=True)
    named, options = dict[str, Any](), dict[str, Any]()
    required = set[str]()
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            options = get_type_hints(*get_args(hints[name]), include_extras=True)
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            named[name] = hints[name]
            required |= {name} if parameter.default is parameter.empty else set()
    rights = {name: right(name, kind) for name, kind in named.items() if name in required}
    calls = [
        (name, value)
        for name, kind in {**named, **options}.items()
        for value in wrong(kind, is_required=name in required)
    ]
    calls += [("zzz", 1), *(("json", value) for value in (object(), {"a": NAN}) if "json" in {**named, **options})]
    found = list[str]()
    for name, value in calls:
        if reason := await refused(method, {**rights, name: value}, name):
            found.append(f"{label}({name}={value!r}): {reason}")
    assert calls
    return found


async def test_every_wrong_argument_is_refused_by_its_name_before_anything_is_sent(authority: TestAuthority) -> None:
    async with listening() as (target, connections), AsyncExitStack() as stack:
        client = await open_client(target, authority, stack)
        partner = SellingPartner("a", sellergate=client)
        targets: list[Any] = [
            client, partner, partner.report("X"), client.accounts, client.applications, client.catalogue, client.clients,
            client.documents, client.feeds, client.history, client.tokens, Authorizations(client._channel),
        ]  # fmt: skip
        found = list[str]()
        for one in targets:
            for name, method in methods_of(one):
                found += await not_refused(f"{type(one).__name__}.{name}", method)
        for made_by in (SellingPartner, Call, Call.of_operation):
            found += await not_refused(made_by.__name__, made_by)
        assert found == []
        assert connections == []
        without = {"Call", "SellingPartner", "Document"}
        assert {type(one).__name__ for one in targets} | without == public_classes()


# The client warns of the event loop in which this test runs.
@pytest.mark.filterwarnings("ignore:A client of sellergate_client.sync blocks:RuntimeWarning")
async def test_the_same_without_await(authority: TestAuthority) -> None:
    async with listening() as (target, connections), AsyncExitStack() as stack:
        loop = EventLoop()
        partner = without_await.SellingPartner("a")
        partner._running = loop
        client = await asyncio.to_thread(loop.run, open_client(target, authority, stack))
        partner._partner._connected = client
        many = without_await.Sellergate()
        many._opened = loop, client
        found = list[str]()
        try:
            for one in (partner, partner.report("X"), many, many.accounts):
                for name, method in methods_of(one):
                    found += await not_refused(f"sync.{type(one).__name__}.{name}", method)
            for made_by in (without_await.SellingPartner, without_await.Sellergate):
                found += await not_refused(f"sync.{made_by.__name__}", made_by)
        finally:
            await asyncio.to_thread(loop.run, stack.aclose())
            loop.close()
        assert found == []
        assert connections == []


async def test_what_mypy_refuses_a_running_program_refuses_too(authority: TestAuthority) -> None:
    async with listening() as (target, connections), AsyncExitStack() as stack:
        partner = SellingPartner("a", sellergate=await open_client(target, authority, stack))
        found = [(name, reason) for name, call in CALLS if (reason := await refused(partial(call, partner), {}, name))]
        assert found == []
        assert connections == []


async def test_a_method_that_waits_does_not_keep_the_arguments_that_it_has_dropped() -> None:
    class Body(bytes):
        dropped = False

        def __del__(self) -> None:
            Body.dropped = True

    @check_arguments
    async def upload(first: bytes, *, body: bytes) -> bool:
        del first, body
        await asyncio.sleep(0)
        return Body.dropped

    assert await upload(b"", body=Body(b"x"))
    Body.dropped = False
    assert await upload(Body(b"x"), body=b"")
