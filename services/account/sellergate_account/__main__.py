"""The account service: seller accounts, their secrets sealed with AES-256."""

import random
import time
from contextlib import AsyncExitStack

import uvloop
from sellergate_common.blocking.names import Loop
from sellergate_common.identity.own_certificate import with_own_certificate
from sellergate_common.observability.core_dumps import forbid_core_dumps
from sellergate_common.observability.logs import configure_logging
from sellergate_common.redis_client import open_redis
from sellergate_common.rpc.admission import Admission
from sellergate_common.rpc.admission_metrics import AdmissionMetrics
from sellergate_common.rpc.health import Probe, open_health
from sellergate_common.rpc.server import run_server
from sellergate_common.settings import load_settings
from sellergate_common.tasks import BackgroundTasks

from sellergate_account.secrets.keys import with_plain_keys
from sellergate_account.settings import AccountSettings
from sellergate_account.storage.database import open_database
from sellergate_account.wiring import open_servicers

# The limit exceeds the number of database connections, so that no connection is idle while calls are parsed and written.
CALLS_AT_ONCE = 32
# The limit never falls below this number: two calls keep a busy processor at work, and more would delay new calls.
FEWEST_CALLS_AT_ONCE = 2
# Every process that keeps copies calls once a second. A refusal would make it read each account again and again instead.
POLLS = frozenset({"sellergate.account.v1.AccountService/ListAccountChanges"})


def main() -> None:
    """Run the service until a signal stops it."""
    forbid_core_dumps()
    settings = with_own_certificate(load_settings(AccountSettings), "account")
    configure_logging("account", settings.log_level)
    uvloop.run(serve(settings), loop_factory=Loop)


async def serve(settings: AccountSettings) -> None:
    """Serve the servicers of `wiring`, with their health and metrics."""
    settings = await with_plain_keys(settings)
    background = BackgroundTasks()
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(open_redis(settings.redis_url, settings.redis_tls))
        database = await stack.enter_async_context(
            open_database(settings.database, folder=settings.own_folder, allow_plain=settings.database_allow_plain)
        )
        probes: dict[str, Probe] = {"redis": redis.ping, "database": database.probe}
        # Health starts before the servicers, which wait for the database: until it is up, health reports it as down.
        health = await stack.enter_async_context(open_health(settings, probes, background))
        servicers = await stack.enter_async_context(open_servicers(settings, database, redis, background))
        admission = Admission(CALLS_AT_ONCE, time.monotonic, random.random, fewest=FEWEST_CALLS_AT_ONCE)
        AdmissionMetrics.register(calls=admission)
        await run_server(
            "account",
            settings.account_port,
            settings,
            servicers=servicers,
            health=health,
            admission=admission,
            polls=POLLS,
        )


if __name__ == "__main__":
    main()
