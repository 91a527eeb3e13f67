"""Reads that meet a change: some while its COMMIT is slow, and some whose responses arrive after the change."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from sellergate.account.v1 import account_pb2, account_service_pb2
from sellergate_common.errors import SellergateError
from sellergate_common.feed.follower import POLL_SECONDS
from sellergate_common.tasks import retrieve

from simulation import gateway, revisions
from simulation.faults import SLOWEST_COMMIT
from simulation.invariants import TRUST_SECONDS
from simulation.plan import REPLICAS, Fault, Operation
from simulation.world.loop import WORLD, later_on

# The seconds between two rounds of reads while a COMMIT is slow.
ROUND_SECONDS = 0.1
# The longest time from an exchange until callers use its token, in seconds.
STORE_SECONDS = 0.01
# The seconds for which a read has been on its way when the change is requested.
HEAD_START_SECONDS = 0.02
# The seconds by which an account arrives late: longer than a COMMIT and the pause between requests for changes.
LATE_SECONDS = SLOWEST_COMMIT + POLL_SECONDS + 0.1
# The longest time for which a read waits.
PATIENCE_SECONDS = 6.0


async def gather(*calls: Awaitable[Any]) -> None:
    """Wait for calls, of which some may fail. Raises errors that no contract names."""
    for error in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(error, Exception) and not isinstance(error, SellergateError):
            raise error


def is_slow(operation: Operation) -> bool:
    """Return whether the COMMIT of an operation's change is slow, also without a fault: every third one is."""
    return not operation.number % 3


@asynccontextmanager
async def reading_meanwhile(client: Any, operation: Operation) -> AsyncIterator[None]:
    """Request an account's tokens while the body runs, if COMMITs are slow: copies of the old row are made at all moments."""
    account, database = operation.account, client.world.database
    written = asyncio.Event()

    async def read_all() -> None:
        await gather(*(client.get_token(account, replica, 1.0) for replica in range(REPLICAS["token"])))

    async def read() -> None:
        while not written.is_set():
            await read_all()
            await asyncio.sleep(ROUND_SECONDS)

    if is_slow(operation):
        # A token of the present credentials is cached: exchanges write too, and would wait for the COMMIT.
        await read_all()
        database.slowest_commit = SLOWEST_COMMIT
    reads = asyncio.get_running_loop().create_task(read()) if database.slowest_commit else None
    try:
        yield
    finally:
        written.set()
        if is_slow(operation):
            database.slowest_commit = 0.0
        if reads is not None:
            await asyncio.wait({reads})


def use_after_exchange(client: Any, operation: Operation) -> None:
    """Request tokens of all replicas within milliseconds of the next exchange, while its token is on its way to Redis."""

    def use() -> None:
        calls = (client.get_token(operation.account, replica, 1.0) for replica in range(REPLICAS["token"]))
        asyncio.get_running_loop().create_task(gather(*calls)).add_done_callback(retrieve)

    seconds = STORE_SECONDS * operation.draw
    client.world.amazon.on_exchange.append(lambda *_: later_on(WORLD, seconds, use))


@asynccontextmanager
async def late_reads(client: Any, operation: Operation) -> AsyncIterator[str]:
    """Let reads begin before the change in the body, if replies are late: some arrive after it. Check at the end that none is kept.

    All replicas have cached tokens of the present credentials, and have just dropped their copies of the account. Yield the etag of
    the account; an empty text if replies are not late.
    """
    if not client.world.switchboard.slowest_reply:
        yield ""
        return
    account = operation.account
    await read_everywhere(client, account, f"op-{operation.number}-1")
    etag = await set_label(client, account, f"label-{operation.number}")
    with _late_accounts(client):
        reads = asyncio.get_running_loop().create_task(read_everywhere(client, account, f"op-{operation.number}-2"))
        reads.add_done_callback(retrieve)
        await asyncio.sleep(HEAD_START_SECONDS)
    try:
        with _unannounced(client) if operation.number % 2 else nullcontext():
            yield etag
    finally:
        await asyncio.wait({reads})
    reads.result()
    await asyncio.sleep(TRUST_SECONDS + 0.05)
    await read_everywhere(client, account, f"op-{operation.number}-3")


@contextmanager
def _late_accounts(client: Any) -> Iterator[None]:
    """Let accounts that are read while the body runs arrive late: each replica learns before of a change that follows."""
    client.checker.faults.append(Fault(-1, "slow_replies", client.checker.now, LATE_SECONDS, ""))
    switchboard = client.world.switchboard
    switchboard.late_method, switchboard.late_by = revisions.METHOD, LATE_SECONDS
    try:
        yield
    finally:
        switchboard.late_by = 0.0


@contextmanager
def _unannounced(client: Any) -> Iterator[None]:
    """Lose publications of changes while the body runs: replicas learn of them from the list only."""
    client.checker.faults.append(Fault(-1, "unannounced", client.checker.now, 0.0, ""))
    client.world.redis.muted += 1
    try:
        yield
    finally:
        client.world.redis.muted -= 1


async def ask_isolated(client: Any, operation: Operation) -> None:
    """Use each process that cannot learn of a change, as soon as it must not trust its copies any more."""
    now = client.checker.now
    isolated = [
        fault.target
        for fault in client.checker.faults
        if fault.kind == "isolated" and fault.at <= now < fault.at + fault.seconds - TRUST_SECONDS
    ]
    if isolated:
        await asyncio.sleep(TRUST_SECONDS + 0.05)
    for target in isolated:
        service, _, number = target.partition("-")
        replica, key = int(number) - 1, f"op-{operation.number}-9{number}"
        if service == "token":
            await gather(client.get_token(operation.account, replica, 1.0))
        else:
            await gather(client.call(operation.account, replica, gateway.READS[2], key, 1.0))


async def read_everywhere(client: Any, account: int, key: str) -> None:
    """Request a token of each replica, and make a call through each gateway."""
    tokens = (client.get_token(account, replica, PATIENCE_SECONDS) for replica in range(REPLICAS["token"]))
    calls = (
        client.call(account, replica, gateway.READS[2], f"{key}-{replica}", PATIENCE_SECONDS)
        for replica in range(REPLICAS["gateway"])
    )
    await gather(*tokens, *calls)


async def set_label(client: Any, account: int, label: str) -> str:
    """Change what is no credential, so that replicas drop their copies of the account; return the etag. Raises SellergateError."""
    account_id, _ = client.accounts[account]
    request = account_service_pb2.UpdateAccountRequest(
        account=account_pb2.Account(account_id=account_id, labels={"team": label}),
        update_mask=FieldMask(paths=["labels"]),
    )
    return str((await client.update_account(request)).account.etag)
