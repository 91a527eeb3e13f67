"""Preparation after the demo: an application for website authorization, and a drop-in client for an SP-API SDK."""

import time

from google.protobuf.field_mask_pb2 import FieldMask
from sellergate.account.v1 import application_pb2, application_service_pb2
from sellergate_client import Sellergate

from sellergate_devstack.demo import DemoSuite
from sellergate_devstack.state import DEMO_APPLICATION

CLIENT_NAME = "make run"
_SECRET_SECONDS = 180 * 24 * 3600


async def prepare(suite: DemoSuite, account_id: str) -> dict[str, str]:
    """Prepare both; return the SDK's client ID, client secret and drop-in refresh token. Raises SellergateError."""
    connecting = Sellergate.connect(
        suite.target("gateway"), suite.target("account"), suite.identity("operator"), suite.target("token")
    )
    async with connecting as sellergate:
        if suite.simulator:
            await _prepare_application(suite, sellergate, account_id)
        return await _create_client(suite, sellergate, account_id)


async def _prepare_application(suite: DemoSuite, sellergate: Sellergate, account_id: str) -> None:
    """Store the demo application's ID at Amazon and its redirect URI, as the simulator has them."""
    account = await sellergate.accounts.get(account_id)
    application = application_pb2.Application(
        application_id=account.application_id,
        name="Demo application",
        spapi_application_id=DEMO_APPLICATION,
        redirect_uris=[suite.callback_url],
    )
    application.secret_expire_time.FromSeconds(int(time.time()) + _SECRET_SECONDS)
    mask = FieldMask(paths=["name", "spapi_application_id", "redirect_uris", "secret_expire_time"])
    await sellergate.applications.update(
        application_service_pb2.UpdateApplicationRequest(application=application, update_mask=mask)
    )


async def _create_client(suite: DemoSuite, sellergate: Sellergate, account_id: str) -> dict[str, str]:
    """Create a drop-in client, and revoke those of earlier runs, whose secrets were shown only then."""
    user = suite.demo.user_id
    async for client in sellergate.clients.each(user):
        if client.name == CLIENT_NAME and not client.HasField("revoke_time"):
            await sellergate.clients.revoke(client.client_id)
    made = await sellergate.clients.create(user, CLIENT_NAME, [account_id])
    return {
        "client_id": made.client.client_id,
        "client_secret": made.secret.get_secret_value(),
        "handle": made.handles[account_id].get_secret_value(),
    }
