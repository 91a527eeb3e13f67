"""A storm of callers: 200 accounts without a cached token, while LWA is unreachable for longer than they wait."""

import asyncio
import secrets
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from sellergate.account.v1 import account_service_pb2, application_pb2, application_service_pb2
from sellergate.token.v1 import token_service_pb2, token_service_pb2_grpc
from sellergate_common.errors import SellergateError
from sellergate_common.rpc.channel import invoke, open_channel

from chaos.load import Load
from chaos.world import USER, World, target_of

ACCOUNTS, AT_ONCE = 200, 8
# Callers have one deadline in seconds, which passes while the token services stand still: all are cancelled in the same instant.
# By the time of the stop, more of them wait than the client of LWA has connections, and none has used up its time to connect.
DEADLINE_SECONDS, STOP_SECONDS, GO_SECONDS = 5.0, 2.5, 6.0
# Others wait for longer than the token service waits for LWA.
WAIT_SECONDS = 12.0


@asynccontextmanager
async def storming(load: Load) -> AsyncIterator[None]:
    """Let callers of cold accounts arrive at each replica of the token service, while LWA is unreachable."""
    world = load.world
    accounts = await _connect(load)
    await asyncio.to_thread(world.relays.begin, "token->lwa", "blackhole")
    async with AsyncExitStack() as stack:
        stubs = []
        for relay in world.relays.links["caller->token"]:
            channel = open_channel(target_of([relay.target]), "token", world.identity("operator"), [])
            stubs.append(token_service_pb2_grpc.TokenServiceStub(await stack.enter_async_context(channel)))

        async def wait(stub: token_service_pb2_grpc.TokenServiceStub, account_id: str, end: float) -> None:
            request = token_service_pb2.GetAccessTokenRequest(account_id=account_id)
            with suppress(SellergateError):
                await invoke(stub.GetAccessToken, request, dependency="token", seconds=end - time.monotonic())

        async def arrive(seconds: float) -> None:
            end = time.monotonic() + seconds
            await asyncio.gather(*(wait(stub, account_id, end) for account_id in accounts for stub in stubs))

        await asyncio.gather(arrive(DEADLINE_SECONDS), _stand_still(world))
        await arrive(WAIT_SECONDS)
    yield
    await asyncio.to_thread(world.relays.end, "token->lwa")


async def _stand_still(world: World) -> None:
    """Stop all token services until the callers' deadline has passed."""
    services = [process for name, process in world.services.items() if name.startswith("token-")]
    await asyncio.sleep(STOP_SECONDS)
    for process in services:
        process.send(signal.SIGSTOP)
    try:
        await asyncio.sleep(GO_SECONDS - STOP_SECONDS)
    finally:
        for process in services:
            process.send(signal.SIGCONT)


async def _connect(load: Load) -> list[str]:
    """Connect new sellers of one application; return their accounts."""
    world, numbers = load.world, range(ACCOUNTS)
    client_id, secret = (
        f"amzn1.application-oa2-client.{secrets.token_hex(16)}",
        f"amzn1.oa2-cs.v1.{secrets.token_hex(32)}",
    )
    prefix = secrets.token_hex(4).upper()
    grants = {f"A{prefix}{number:04d}": f"Atzr|{secrets.token_urlsafe(32)}" for number in numbers}
    sellers = [
        {
            "selling_partner_id": seller,
            "marketplace_ids": ["ATVPDKIKX0DER"],
            "refresh_tokens": [{"client_id": client_id, "refresh_token": token}],
        }
        for seller, token in grants.items()
    ]
    application = {"application_id": f"amzn1.sp.solution.{prefix}", "client_id": client_id, "client_secret": secret}
    await world.post_control("seed", applications=[application], sellers=sellers)
    new = application_service_pb2.CreateApplicationRequest(
        application=application_pb2.Application(name=prefix), lwa_client_id=client_id, lwa_client_secret=secret
    )
    made = await load.sellergate.applications.create(new)
    left, found = iter(grants.items()), list[str]()

    async def worker() -> None:
        for seller, token in left:
            request = account_service_pb2.UpsertAccountRequest(
                user_id=USER,
                amazon_seller_id=seller,
                marketplace="US",
                application_id=made.application_id,
                refresh_token=token,
            )
            account, _ = await load.sellergate.accounts.upsert(request)
            found.append(account.account_id)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return found
