"""The account service: seller accounts, their secrets sealed with AES-256."""

import random
import time
from contextlib import AsyncExitStack

import uvloop
from sellergate_common.blocking.names import Loop
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

# More than the database has connections, so that none of them rests while calls are read and written.
CALLS_AT_ONCE = 32
# So few keep the processor busy; more would keep it from taking calls while it is.
FEWEST_CALLS_AT_ONCE = 2


def main() -> None:
    """Run the service until it is told to stop."""
    settings = load_settings(AccountSettings)
    configure_logging("account", settings.log_level)
    uvloop.run(serve(settings), loop_factory=Loop)


async def serve(settings: AccountSettings) -> None:
    """Serve what `wiring` has put together."""
    settings = await with_plain_keys(settings)
    background = BackgroundTasks()
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(open_redis(settings.redis_url, settings.redis_tls))
        database = await stack.enter_async_context(
            open_database(settings.database, folder=settings.own_folder, allow_plain=settings.database_allow_plain)
        )
        probes: dict[str, Probe] = {"redis": redis.ping, "database": database.probe}
        # Before the servicers, which wait for the database: until then health says that it is down.
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
        )


if __name__ == "__main__":
    main()
