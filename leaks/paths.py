"""The paths on which secrets pass: each sends them as callers do, well and badly, and keeps what comes back."""

import asyncio
import re
import signal

import httpx
from sellergate_devstack.processes.ports import LOOPBACK, free_ports

from leaks.world import World
from tests.e2e.dropin import DropIn
from tests.e2e.sellers import Seller

_CALL = "sellers/v1/marketplaceParticipations"
# Each is refused with a secret where another value is expected.
_WRONG_FIELDS = (
    "amazonSellerId",
    "marketplace",
    "lwaClientId",
    "iamRoleArn",
    "marketplaceIds",
    "label",
    "applicationId",
)
_FAULTS = ("lwa_html", "lwa_slow", "403_expired", "429", "500_html", "503_json", "reset", "truncate")
# The variables of a local run that name a file with a key.
_SECRET = re.compile(r"SELLERGATE_(?!TLS_)\w*KEYS?\w*_FILE")
_SERVICES = ("account", "token", "iam", "gateway", "edge")


async def calls(world: World) -> None:
    """Connect a seller, call for it, and read it."""
    seller = await world.seller()
    world.hide("a user's token", world.suite.jwt("u1"))
    account = await world.rest.connect(seller)
    for path in (f"{account}/sp-api/{_CALL}", f"{account}/sp-api/orders/v0/orders", account, ""):
        await world.rest.request("GET", f"/api/amazon/accounts/{path}".rstrip("/"))
    await world.rest.request("GET", "/api/amazon/test/status", params={"amazonAccountId": account})


async def refused_requests(world: World) -> None:
    """Send secrets in wrong fields, in cut bodies, in addresses and in headers."""
    seller = Seller.made()
    world.hide("a secret of a refused request", *seller.secrets)
    for name in _WRONG_FIELDS:
        body = seller.connection(**{name: seller.refresh_token})
        await world.rest.request("POST", "/api/amazon/accounts", json=body)
    whole = httpx.Request("POST", "http://x", json=seller.connection()).content
    for body in (whole[:-9], whole + b"}", whole.replace(b"{", b"[", 1), b"\xff" + whole):
        headers = {"Content-Type": "application/json"}
        await world.rest.request("POST", "/api/amazon/accounts", content=body, headers=headers)
    for path in (f"/api/amazon/accounts/{seller.client_secret}", f"/nothing/{seller.client_secret}"):
        await world.rest.request("GET", path)
    wrong = world.suite.jwt("u1") + "x"
    world.hide("a wrong token", wrong)
    for headers in ({"Authorization": f"Bearer {wrong}"}, {"Authorization": seller.client_secret}):
        await world.rest.request("GET", "/api/amazon/accounts", None, headers=headers)


async def drop_in(world: World) -> None:
    """Exchange and use the credentials of a drop-in client, rightly and wrongly."""
    account = await world.rest.connect(await world.seller())
    client = await DropIn.made(world.rest, "u1", account)
    world.hide("a drop-in credential", client.client_secret, client.handle)
    async with httpx.AsyncClient(base_url=world.suite.edge, timeout=40, trust_env=False) as http:
        token = await client.token(http)
        world.hide("a drop-in token", token)
        for changes in ({"client_secret": client.handle}, {"refresh_token": client.client_secret}, {"scope": token}):
            response = await client.exchange(http, **changes)
            # One that succeeds returns a token to the client, as LWA does.
            if response.is_error:
                world.keep("the drop-in endpoint", repr(response.headers), response.content)
        for given in (token, token + "x", client.handle):
            response = await http.get(f"/{_CALL}", headers={"x-amz-access-token": given})
            world.keep("the drop-in endpoint", repr(response.headers), response.content)


async def faults_of_amazon(world: World) -> None:
    """Let Amazon fail in each way while a seller is connected and called for."""
    for kind in _FAULTS:
        seller = await world.seller()
        fault = {"kind": kind, "delay_seconds": 1}
        (await world.control.post("/control/faults", json=fault)).raise_for_status()
        try:
            connected = await world.rest.request("POST", "/api/amazon/accounts", json=seller.connection())
            account = connected.json().get("id", "none")
            await world.rest.request("GET", f"/api/amazon/accounts/{account}/sp-api/{_CALL}")
        finally:
            (await world.control.request("DELETE", "/control/faults")).raise_for_status()


async def command_line(world: World) -> None:
    """Add a seller at the command line, rightly and wrongly, and read what operators read."""
    seller, operator = await world.seller(), world.operator()
    secrets = {"SELLERGATE_LWA_CLIENT_SECRET": seller.client_secret, "SELLERGATE_REFRESH_TOKEN": seller.refresh_token}
    add = ["accounts", "add", "--user", "u2", "--seller", seller.seller_id, "--client-id", seller.client_id]
    unreachable = {"SELLERGATE_ACCOUNT_TARGET": f"{LOOPBACK}:{free_ports(1)[0]}"}
    for arguments, variables in (
        ([*add, "--marketplace-id", "none"], secrets),
        (add, {**secrets, **unreachable}),
        (add, secrets),
        (["accounts", "list"], secrets),
        (["applications", "list"], {}),
        (["audit", "list", "--limit", "0"], {}),
        (["secrets", "list"], {}),
        (["doctor"], {}),
    ):
        world.program("the command line", "sellergate_cli", arguments, operator.environment | variables)


async def refused_settings(world: World) -> None:
    """Start each service with each of its secrets malformed."""
    for name in _SERVICES:
        environment = world.suite.supervisor.processes[name].environment
        for variable in sorted(one for one in environment if _SECRET.fullmatch(one)):
            secret = f"malformed-{Seller.made().refresh_token[5:45]}"
            world.hide("a malformed setting", secret)
            changed = {key: value for key, value in environment.items() if key != variable}
            given = changed | {variable.removesuffix("_FILE"): f"k1 {secret}!", "SELLERGATE_LOG_LEVEL": "debug"}
            code = await asyncio.to_thread(world.program, "refused starts", f"sellergate_{name}", [], given)
            assert code == 2, f"{name} accepts a malformed {variable}"


async def crashes(world: World) -> None:
    """Crash each service, and Redis, while calls are on their way; the traceback of each thread is written to its log."""
    account = await world.rest.connect(await world.seller())
    for name in (*_SERVICES[:-1], "redis"):
        seller = await world.seller()
        requests = [
            asyncio.create_task(world.rest.request("GET", f"/api/amazon/accounts/{account}/sp-api/{_CALL}")),
            asyncio.create_task(world.rest.request("POST", "/api/amazon/accounts", json=seller.connection())),
        ]
        await asyncio.sleep(0)
        world.suite.send(name, signal.SIGABRT)
        await asyncio.gather(*requests)
        await world.suite.restart(name)


# Crashes come first, since Redis loses what it held by then.
PATHS = {
    path.__name__.replace("_", " "): path
    for path in (crashes, calls, refused_requests, drop_in, faults_of_amazon, command_line, refused_settings)
}
