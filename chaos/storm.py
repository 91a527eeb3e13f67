"""A storm of callers without a cached token: they arrive at once, and LWA responds to none of them until all have given up."""

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from statistics import median
from typing import Any

from sellergate.token.v1 import token_service_pb2, token_service_pb2_grpc
from sellergate_common.errors import SellergateError
from sellergate_common.rpc.channel import invoke, open_channel

from chaos.load import Load
from chaos.world import World, target_of

CALLERS = 200
# A caller waits for three times as long as the token service waits for LWA, so that a second and a third lot of exchanges follow.
WAIT_SECONDS = 30.0
# While the token services stand still, all callers send their requests, so that their exchanges begin and end at the same time.
# An HTTP client is most likely to lose a connection if it passes the connection to a request that is cancelled at this moment.
STILL_SECONDS = 1.5
# After the first time connections are counted until the second, which is before the first exchanges end.
COUNT_SECONDS = (4.0, 8.0)
_PAUSE_SECONDS = 0.2
# The share of connections that have to be left; a few exchanges are between two steps when they are counted.
LEAST_SHARE = 0.9

Stub = token_service_pb2_grpc.TokenServiceStub


@asynccontextmanager
async def storming(load: Load) -> AsyncIterator[None]:
    """Let callers with credentials of their own arrive at each replica of the token service, while LWA does not respond.

    Then let more arrive, and note in the history if fewer of their exchanges run at once than before.
    """
    world = load.world
    await asyncio.to_thread(world.relays.begin, "token->lwa", "mute")
    async with AsyncExitStack() as stack:
        stubs = []
        for relay in world.relays.links["caller->token"]:
            channel = open_channel(target_of([relay.target]), "token", world.identity("operator"), [])
            stubs.append(Stub(await stack.enter_async_context(channel)))
            await channel.channel_ready()
        _, before, *_ = await asyncio.gather(_stand_still(world), _count(world), *_callers(stubs))
        others = [asyncio.ensure_future(caller) for caller in _callers(stubs)]
        after = await _count(world)
        for other in others:
            other.cancel()
        await asyncio.wait(others)
    if after < LEAST_SHARE * before:
        load.history.lost.append(f"{before:.0f} exchanges ran at once before the storm, and {after:.0f} after it")
    yield
    await asyncio.to_thread(world.relays.end, "token->lwa")


async def _count(world: World) -> float:
    """Return the median number of open connections to LWA while callers wait for its responses."""
    begin, end = COUNT_SECONDS
    await asyncio.sleep(begin)
    counts = []
    for _ in range(round((end - begin) / _PAUSE_SECONDS)):
        counts.append(world.relays.connections("token->lwa"))
        await asyncio.sleep(_PAUSE_SECONDS)
    return median(counts)


def _callers(stubs: list[Stub]) -> list[Coroutine[Any, Any, None]]:
    return [_wait(stub) for _ in range(CALLERS) for stub in stubs]


async def _wait(stub: Stub) -> None:
    """Request a token for credentials that no other caller has."""
    credentials = token_service_pb2.InlineCredentials(
        client_id=f"amzn1.application-oa2-client.{secrets.token_hex(16)}",
        client_secret=f"amzn1.oa2-cs.v1.{secrets.token_hex(32)}",
        refresh_token=f"Atzr|{secrets.token_urlsafe(32)}",
    )
    request = token_service_pb2.GetAccessTokenRequest(credentials=credentials)
    with suppress(SellergateError):
        await invoke(stub.GetAccessToken, request, dependency="token", seconds=WAIT_SECONDS)


async def _stand_still(world: World) -> None:
    services = [process for name, process in world.services.items() if name.startswith("token-")]
    for process in services:
        process.send(signal.SIGSTOP)
    try:
        await asyncio.sleep(STILL_SECONDS)
    finally:
        for process in services:
            process.send(signal.SIGCONT)
