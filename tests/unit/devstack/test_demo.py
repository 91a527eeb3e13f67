"""The demo against an edge whose calls to Amazon fail."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr
from sellergate_devstack.demo import DemoFailed, run_demo
from sellergate_devstack.processes.ports import LOOPBACK, free_ports

ACCOUNT = {"id": "a1", "amazonSellerId": "S", "marketplace": "US"}
STAGES = {"stages": [{"name": "token", "outcome": "OK", "reason": ""}]}
REFUSED = {"detail": "Amazon refuses the call."}


@pytest.mark.parametrize(
    ("statuses", "account_id", "step"),
    [
        ((400, 200, 200), "", "POST /api/amazon/accounts: 400"),
        ((201, 502, 200), "a1", "GET /api/amazon/test/status: 502"),
        ((201, 200, 502), "a1", "GET /api/amazon/test/orders: 502"),
    ],
)
async def test_a_failed_step_is_named_and_a_connected_account_is_kept(
    statuses: tuple[int, int, int], account_id: str, step: str
) -> None:
    def respond(status: int, document: dict[str, Any]) -> Any:
        async def handle(_: web.Request) -> web.Response:
            return web.json_response(document if status < 300 else REFUSED, status=status)

        return handle

    app = web.Application()
    app.router.add_post("/api/amazon/accounts", respond(statuses[0], ACCOUNT))
    app.router.add_get("/api/amazon/test/status", respond(statuses[1], STAGES))
    app.router.add_get("/api/amazon/test/orders", respond(statuses[2], {"orders": [], "operation": "x"}))
    runner = web.AppRunner(app)
    await runner.setup()
    (port,) = free_ports(1)
    await web.TCPSite(runner, LOOPBACK, port).start()
    secret = SecretStr("s")
    demo = SimpleNamespace(
        user_id="u",
        seller_id="S",
        marketplace="US",
        marketplace_id="M",
        client_id="c",
        role_arn="",
        client_secret=secret,
        refresh_token=secret,
    )
    suite: Any = SimpleNamespace(demo=demo, edge=f"http://{LOOPBACK}:{port}", jwt=lambda _: "token")
    try:
        with pytest.raises(DemoFailed, match=step) as caught:
            await run_demo(suite, lambda _: None)
    finally:
        await runner.cleanup()
    assert caught.value.account_id == account_id
    assert "Amazon refuses the call." in str(caught.value)
