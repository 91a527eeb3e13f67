"""A storm of callers: 200 accounts without a cached token, while LWA is unreachable for longer than they wait."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from sellergate.account.v1 import account_service_pb2, application_pb2, application_service_pb2
from sellergate.token.v1 import token_service_pb2, token_service_pb2_grpc
from sellergate_common.errors import SellergateError
from sellergate_common.rpc.channel import invoke, open_channel

from chaos.load import Load
from chaos.world import USER, target_of

ACCOUNTS, AT_ONCE = 200, 8
# A caller waits for longer than the token service waits for LWA.
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

        async def wait(stub: token_service_pb2_grpc.TokenServiceStub, account_id: str) -> None:
            request = token_service_pb2.GetAccessTokenRequest(account_id=account_id)
            with suppress(SellergateError):
                await invoke(stub.GetAccessToken, request, dependency="token", seconds=WAIT_SECONDS)

        await asyncio.gather(*(wait(stub, account_id) for stub in stubs for account_id in accounts))
    yield
    await asyncio.to_thread(world.relays.end, "token->lwa")


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
