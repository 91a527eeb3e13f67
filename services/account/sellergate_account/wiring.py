"""The wiring of the account service: its database, its domain and its servicers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from redis.asyncio import Redis
from sellergate_common.crypto.sealing import KeyRing, parse_key
from sellergate_common.tasks import BackgroundTasks

from sellergate_account.accounts import Accounts
from sellergate_account.admin.rewrap import adopt
from sellergate_account.applications import Applications
from sellergate_account.audit import Audit, current_actor
from sellergate_account.changes.idempotency import forget_expired
from sellergate_account.changes.retention import remove_old_changes
from sellergate_account.clients import Clients
from sellergate_account.expiry_metrics import expiry_metrics
from sellergate_account.ids import new_external_id, new_secret, new_uuid7
from sellergate_account.redis_change_publisher import RedisChangePublisher
from sellergate_account.rpc.accounts import AccountSecretsServicer, AccountServicer
from sellergate_account.rpc.admin import AccountAdminServicer, Admin
from sellergate_account.rpc.applications import ApplicationServicer
from sellergate_account.rpc.clients import DropInClientServicer
from sellergate_account.secrets.sealed_columns import SealedColumns
from sellergate_account.settings import AccountSettings
from sellergate_account.storage.database import Database
from sellergate_account.storage.feed.change_log import SqlChangeLog
from sellergate_account.storage.migrating import migrate, wait_for
from sellergate_account.storage.rewrapper import SqlRewrapper
from sellergate_account.storage.store import SqlStore


@asynccontextmanager
async def open_servicers(
    settings: AccountSettings, database: Database, redis: Redis, background: BackgroundTasks
) -> AsyncIterator[Sequence[object]]:
    """Wire the service by hand, once the database is up; keys of the settings are in the clear.

    Raises SystemExit when the database stays down.
    """
    await wait_for(database.engine, settings.database_wait_seconds)
    if settings.database_migrate:
        await migrate(database.engine)
    ring = KeyRing.parse(settings.sealing_keys.get_secret_value())
    index_key = parse_key(settings.index_key.get_secret_value(), "the index key")
    adopts = settings.row_macs == "adopt"
    secrets = SealedColumns(ring)
    store = SqlStore(database, ring, index_key, adopts=adopts, secrets=secrets)
    rewrapper = SqlRewrapper(database, ring, adopts=adopts, secrets=secrets)
    now = partial(datetime.now, UTC)
    audit = Audit(parse_key(settings.audit_key.get_secret_value(), "the audit key"), now, current_actor)
    applications = Applications(store, audit, now, new_uuid7, settings.limits)
    publisher = RedisChangePublisher(redis)
    accounts = Accounts(store, applications, audit, publisher, now, new_uuid7, new_external_id, settings.limits)
    clients = Clients(store, accounts, audit, now, new_secret, settings.limits)
    admin = Admin(store, rewrapper, audit, accounts, applications, settings.operators)
    if adopts and settings.database_migrate:
        # The replica that migrates the database also gives the rows of an earlier release their MACs.
        await adopt(store, rewrapper, audit)
    changes = SqlChangeLog(database)
    servicers = (
        AccountServicer(accounts, changes, settings.operators),
        AccountSecretsServicer(accounts, applications),
        ApplicationServicer(applications),
        DropInClientServicer(clients),
        AccountAdminServicer(admin),
    )
    async with (
        expiry_metrics(store, now, ring.newest, asyncio.sleep, background),
        background.run("keyed_requests", partial(forget_expired, store, now, asyncio.sleep)),
        background.run("old_changes", partial(remove_old_changes, changes, asyncio.sleep)),
    ):
        yield servicers
