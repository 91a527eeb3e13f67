"""The account service: seller accounts, their secrets sealed with AES-256."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial

import uvloop
from sellergate_common.crypto.sealing import KeyRing, parse_key
from sellergate_common.observability.logs import configure_logging
from sellergate_common.redis_client import open_redis
from sellergate_common.rpc.server import run_server
from sellergate_common.settings import load_settings

from sellergate_account.accounts import Accounts
from sellergate_account.applications import Applications
from sellergate_account.audit import Audit, current_actor
from sellergate_account.clients import Clients
from sellergate_account.expiry_metrics import expiry_metrics
from sellergate_account.ids import new_external_id, new_secret, new_uuid7
from sellergate_account.redis_announcer import RedisAnnouncer
from sellergate_account.rpc.accounts import AccountSecretsServicer, AccountServicer
from sellergate_account.rpc.admin import AccountAdminServicer, Admin
from sellergate_account.rpc.applications import ApplicationServicer
from sellergate_account.rpc.clients import DropInClientServicer
from sellergate_account.secrets.keys import with_plain_keys
from sellergate_account.settings import AccountSettings
from sellergate_account.storage.database import open_database
from sellergate_account.storage.expiries import SqlExpiries
from sellergate_account.storage.migrating import migrate
from sellergate_account.storage.sealed_rows import SqlVault
from sellergate_account.storage.store import SqlStore


def main() -> None:
    """Run the service until it is told to stop."""
    settings = load_settings(AccountSettings)
    configure_logging("account", settings.log_level)
    uvloop.run(serve(settings))


async def serve(settings: AccountSettings) -> None:
    """Wire the service by hand and serve it."""
    settings = await with_plain_keys(settings)
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(open_redis(settings.redis_url, settings.redis_tls))
        database = await stack.enter_async_context(open_database(settings.database))
        if settings.database_migrate:
            await migrate(database.engine)
        ring = KeyRing.parse(settings.sealing_keys.get_secret_value())
        store = SqlStore(database, ring, parse_key(settings.index_key.get_secret_value(), "the index key"))
        now = partial(datetime.now, UTC)
        audit = Audit(parse_key(settings.audit_key.get_secret_value(), "the audit key"), now, current_actor)
        applications = Applications(store, audit, now, new_uuid7)
        accounts = Accounts(store, applications, audit, RedisAnnouncer(redis), now, new_uuid7, new_external_id)
        clients = Clients(store, accounts, audit, now, new_secret)
        admin = Admin(store, SqlVault(database, ring), audit, accounts, applications)
        await stack.enter_async_context(expiry_metrics(SqlExpiries(database), now, ring.newest, asyncio.sleep))
        await run_server(
            "account",
            settings.account_port,
            settings,
            servicers=[
                AccountServicer(accounts),
                AccountSecretsServicer(accounts, applications),
                ApplicationServicer(applications),
                DropInClientServicer(clients),
                AccountAdminServicer(admin),
            ],
            dependencies={"redis": redis.ping, "database": database.ping},
        )


if __name__ == "__main__":
    main()
