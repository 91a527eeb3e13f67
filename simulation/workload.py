"""The clients: each operation of a plan, what its client learns from it, and the checks of what it got."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from pydantic import SecretStr
from sellergate.account.v1 import account_pb2, account_service_pb2, account_service_pb2_grpc
from sellergate.gateway.v1 import gateway_service_pb2_grpc
from sellergate.token.v1 import token_service_pb2, token_service_pb2_grpc
from sellergate_account.accounts import Connection
from sellergate_account.applications import NewApplication
from sellergate_client.rpc.writes import write
from sellergate_common.errors import SellergateError
from sellergate_common.flights.local_flight import FLIGHT_SECONDS
from sellergate_common.rpc.channel import invoke
from sellergate_token.lwa.client import EXCHANGE_SECONDS

from simulation import bursts, gateway
from simulation.acknowledged import Acknowledged
from simulation.administration import USER
from simulation.cluster import World
from simulation.history import History
from simulation.invariants import PROMPT_SECONDS, Checker
from simulation.other_tokens import OtherTokens
from simulation.plan import ACCOUNTS, BUSY_SECONDS, REPLICAS, SPARE, Operation
from simulation.races import ask_isolated, gather, is_slow, late_reads, reading_meanwhile, use_after_exchange
from simulation.rotation import deliver_secrets
from simulation.seldom import Seldom
from simulation.world.amazon import APPLICATION, CLIENT_ID
from simulation.world.database import DirectStore
from simulation.world.loop import EPOCH
from tests.fakes.account import Domain

OPERATOR = "operator"
APPLICATION_OF_ALL = NewApplication(
    "",
    SecretStr(CLIENT_ID),
    SecretStr("secret-1"),
    spapi_application_id="amzn1.sp.solution.simulation",
    redirect_uris=("https://simulation.example/callback",),
)
# An operation must have ended these seconds after its deadline.
LATE_SECONDS = 0.25
# How long an inactive account stays so: longer than a change may take to take effect.
INACTIVE_SECONDS = 6.5
# The deadline of a token's use after a change: a little more than an exchange may take.
USE_SECONDS = EXCHANGE_SECONDS + 1.0
# Writes that must not be left undone are repeated until the end of the faults and a while longer.
PATIENCE_SECONDS = BUSY_SECONDS + 30.0


class Client:
    """The clients of all services. `accounts` are (account id, seller), in order."""

    def __init__(self, world: World, checker: Checker) -> None:
        self.world = world
        self.checker = checker
        self.history: History = world.history
        self.accounts: list[tuple[str, str]] = []
        self._locks: list[asyncio.Lock] = []
        self._bursts: list[asyncio.Lock] = []
        self._revoked: set[str] = set()
        self._stubs: dict[str, Any] = {}
        self._account: Any = world.channel(
            "account", OPERATOR, (account_service_pb2.DESCRIPTOR.services_by_name["AccountService"],)
        )
        self.application_id = ""
        self.other_tokens = OtherTokens(self, checker, world.amazon)
        self.seldom = Seldom(self, checker)
        self._accounts = account_service_pb2_grpc.AccountServiceStub(self._account)

    async def connect_sellers(self) -> None:
        """Store the application and the sellers before the cluster starts."""
        store = DirectStore(self.world.database)
        domain = Domain(store, lambda: datetime.fromtimestamp(EPOCH, UTC))  # type: ignore[arg-type]
        made = await domain.applications.create(APPLICATION_OF_ALL, "")
        self.application_id = made.application_id
        for number in (*range(ACCOUNTS), SPARE):
            seller = f"SELLER{chr(65 + number)}"
            grant = self.world.amazon.grant_of(seller, self.world.amazon.new_grant(seller))
            connection = Connection(USER, seller, "US", made.application_id, refresh_token=SecretStr(grant))
            account, _ = await domain.accounts.upsert(connection)
            self.accounts.append((account.account_id, seller))
            self.checker.accounts[seller] = Acknowledged(grants=[(0.0, 1)])
            self._locks.append(asyncio.Lock())
            self._bursts.append(asyncio.Lock())

    def token_stub(self, replica: int) -> Any:
        """Return a stub of one replica of the token service, counted from 0, whatever its number."""
        contract = token_service_pb2.DESCRIPTOR.services_by_name["TokenService"]
        return self._stub(f"token-{replica % REPLICAS['token'] + 1}", contract, token_service_pb2_grpc.TokenServiceStub)

    def _stub(self, target: str, contract: Any, kind: Any) -> Any:
        found = self._stubs.get(target)
        if found is None:
            found = self._stubs[target] = kind(self.world.channel(target, OPERATOR, (contract,)))
        return found

    async def run(self, operations: tuple[Operation, ...]) -> None:
        """Carry out all operations, each at its time."""
        loop, all_ended = asyncio.get_running_loop(), asyncio.Event()
        left = len(operations)

        def begin(operation: Operation) -> None:
            self.history.note("begin", str(operation))
            task = loop.create_task(self._outcome(operation))
            task.add_done_callback(partial(end, operation, self.checker.now))
            if operation.cancel:
                loop.call_later(operation.cancel, task.cancel)

        def end(operation: Operation, began: float, task: "asyncio.Task[str]") -> None:
            nonlocal left
            self._check_end(operation, began, task)
            left -= 1
            if not left:
                all_ended.set()

        for one in operations:
            loop.call_later(one.at, begin, one)
        if operations:
            await all_ended.wait()

    def _check_end(self, operation: Operation, began: float, task: "asyncio.Task[str]") -> None:
        """Write the outcome of an operation into the history, and check it."""
        if task.cancelled():
            outcome = "cancelled"
        elif task.exception() is not None:
            outcome = f"raised {task.exception()!r}"
            self.history.violate("error", f"#{operation.number} {outcome}"[:500])
        else:
            outcome = task.result()
        self.history.note("end", f"#{operation.number} {outcome}")
        late = self.checker.now - began - operation.deadline
        if operation.kind in ("token", "read", "write", "verify") and late > LATE_SECONDS:
            self.history.violate("deadline", f"#{operation.number} ended {late:.2f} s after its deadline")
        self.checker.check_exchanges()

    async def _outcome(self, operation: Operation) -> str:
        method: Callable[[Operation], Awaitable[str]] = getattr(self, f"_{operation.kind}")
        try:
            return await method(operation)
        except SellergateError as error:
            return str(error.reason)

    async def get_token(self, account: int, replica: int, seconds: float, revision: int = 0) -> Any:
        """Return a token of an account, checked. Raises SellergateError."""
        account_id, seller = self.accounts[account]
        began = self.checker.now
        request = token_service_pb2.GetAccessTokenRequest(account_id=account_id, expected_revision=revision)
        stub = self.token_stub(replica)
        response = await invoke(stub.GetAccessToken, request, dependency="token", seconds=seconds)
        self.checker.check_token(
            seller, response.access_token, began, f"client of token-{replica % REPLICAS['token'] + 1}"
        )
        return response

    async def _token(self, operation: Operation) -> str:
        response = await self.get_token(operation.account, operation.replica, operation.deadline)
        return f"{response.access_token} of revision {response.revision}"

    async def call(self, account: int, replica: int, name: str, key: str, seconds: float) -> Any:
        """Call SP-API through one gateway, counted from 0 whatever the number. Raises SellergateError."""
        account_id, seller = self.accounts[account]
        self.checker.begin_call(key, APPLICATION if name == gateway.OTHERS[0] else seller)
        target = f"gateway-{replica % REPLICAS['gateway'] + 1}"
        stub = self._stub(target, gateway.CONTRACTS[0], gateway_service_pb2_grpc.GatewayServiceStub)
        try:
            response = await gateway.call(stub, name, key, account_id, seconds)
        except SellergateError as error:
            self.checker.end_call(key, error, writes=name in gateway.WRITES)
            raise
        self.checker.end_call(key, None, writes=name in gateway.WRITES)
        return response

    async def _read(self, operation: Operation) -> str:
        key = f"op-{operation.number}"
        await self.call(operation.account, operation.replica, gateway.READS[0], key, operation.deadline)
        return "response"

    async def _write(self, operation: Operation) -> str:
        key, name = f"op-{operation.number}", gateway.WRITES[operation.draw < 0.2]
        await self.call(operation.account, operation.replica, name, key, operation.deadline)
        return "response"

    async def _burst(self, operation: Operation) -> str:
        async with self._bursts[operation.account]:
            return await bursts.burst(self, operation)

    async def _storm(self, operation: Operation) -> str:
        return await bursts.storm(self, operation)

    def lock(self, account: int) -> asyncio.Lock:
        """Return the lock of changes of an account."""
        return self._locks[account]

    async def _seldom(self, operation: Operation) -> str:
        return await self.seldom.request(operation)

    async def _other(self, operation: Operation) -> str:
        return await self.other_tokens.request(operation)

    async def _verify(self, operation: Operation) -> str:
        account_id, seller = self.accounts[operation.account]
        request = token_service_pb2.VerifyAccountRequest(account_id=account_id)
        stub = self.token_stub(operation.replica)
        use_after_exchange(self, operation)
        with self.checker.accounts[seller].may_exchange(lambda: self.checker.now, FLIGHT_SECONDS) as verification:
            found = await invoke(stub.VerifyAccount, request, dependency="token", seconds=operation.deadline)
            verification.continues = 0.0
        return f"exchanged {found.exchanged}"

    async def _invalidate(self, operation: Operation) -> str:
        account_id, seller = self.accounts[operation.account]
        causes = self.checker.accounts[seller].causes
        response = await self.get_token(operation.account, operation.replica, operation.deadline)
        causes.append(self.checker.now)
        if seller not in self._revoked:
            # A token that replaces a refused one within a minute is not replaced itself, by design.
            self._revoked.add(seller)
            self.world.amazon.tokens[response.access_token].revoked = self.checker.now
        fingerprint = hashlib.sha256(response.access_token.encode()).hexdigest()
        request = token_service_pb2.InvalidateAccessTokenRequest(account_id=account_id, fingerprint=fingerprint)
        stub = self.token_stub(operation.replica)
        dropped = await invoke(stub.InvalidateAccessToken, request, dependency="token", seconds=operation.deadline)
        causes.append(self.checker.now)
        return f"{response.access_token} dropped {dropped.invalidated}"

    async def _rotate(self, operation: Operation) -> str:
        """Let Amazon rotate the application's secret, and its queue deliver the message whether or not a client leaves."""
        return await asyncio.shield(asyncio.get_running_loop().create_task(deliver_secrets(self, operation)))

    async def _new_grant(self, operation: Operation) -> str:
        """Let LWA send a new refresh token with the next exchange; sometimes the seller authorizes again at that moment."""
        seller = self.accounts[operation.account][1]
        amazon = self.world.amazon
        amazon.sends_new_grant.add(seller)
        self.checker.accounts[seller].changes.append(self.checker.now)
        if operation.draw < 0.5:
            sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            amazon.on_new_grant[seller] = sent
            try:
                async with asyncio.timeout(max(1.0, BUSY_SECONDS + 2.0 - self.checker.now)):
                    await sent
            except TimeoutError:
                return "LWA has sent none yet"
            return await self._authorize(operation)
        return "LWA will send one"

    async def _authorize(self, operation: Operation) -> str:
        """Store a new refresh token, as after a new consent of the seller, if no other change came between."""
        account_id, seller = self.accounts[operation.account]
        known = self.checker.accounts[seller]
        async with self._locks[operation.account], late_reads(self, operation) as known_etag:
            etag = known_etag or (await self._get_account(account_id, operation.deadline)).etag
            number = self.world.amazon.new_grant(seller)
            request = account_service_pb2.UpdateAccountRequest(
                account=account_pb2.Account(account_id=account_id),
                update_mask=FieldMask(paths=["refresh_token"]),
                etag=etag,
                refresh_token=self.world.amazon.grant_of(seller, number),
            )
            self._begin_write(known)
            try:
                async with reading_meanwhile(self, operation):
                    changed = await self.update_account(request)
            finally:
                known.changes.append(self.checker.now)
            known.grants.append((self.checker.now, number))
        await self._use(operation)
        await ask_isolated(self, operation)
        if not operation.number % 4:
            await self._expect_grant(operation, number, changed.account.revision)
        return f"grant {number}, revision {changed.account.revision}"

    async def _expect_grant(self, operation: Operation, number: int, revision: int) -> None:
        """Request a token of a revision, which is of the new credentials whatever the copies of the replica are."""
        response = await self.get_token(operation.account, operation.replica, operation.deadline, revision)
        grant = self.world.amazon.tokens[response.access_token].grant
        if grant < number:
            words = f"{response.access_token} of grant {grant}, requested with revision {revision} of grant {number}"
            self.history.violate("revision", words)

    async def update_account(self, request: account_service_pb2.UpdateAccountRequest) -> Any:
        """Change an account. Raises SellergateError."""
        return await write(self._account, self._accounts.UpdateAccount, request, dependency="account")

    async def _use(self, operation: Operation) -> None:
        """Request tokens of all replicas together, at once or when the change must have taken effect.

        While changes are not announced, make calls through one gateway instead, which may learn of the change first.
        """
        if self.world.redis.muted:
            key = f"op-{operation.number}"
            for index in range(8):
                await self.call(
                    operation.account, operation.replica, gateway.READS[2], f"{key}-{index}", operation.deadline
                )
                await asyncio.sleep(0.12)
            return
        if operation.draw >= 0.5 or self.world.database.slowest_commit or is_slow(operation):
            await asyncio.sleep(PROMPT_SECONDS + 0.02)
        calls = [self.get_token(operation.account, replica, USE_SECONDS) for replica in range(REPLICAS["token"])]
        await gather(*calls)

    async def _deactivate(self, operation: Operation) -> str:
        """Make an account inactive for a while."""
        account_id, seller = self.accounts[operation.account]
        known = self.checker.accounts[seller]
        lock = self._locks[operation.account]
        # A client that leaves must not leave the account inactive: what follows is not cancelled.
        return await asyncio.shield(
            asyncio.get_running_loop().create_task(self._pause_account(account_id, known, lock))
        )

    async def _pause_account(self, account_id: str, known: Acknowledged, lock: asyncio.Lock) -> str:
        delete = account_service_pb2.DeleteAccountRequest(account_id=account_id)
        undelete = account_service_pb2.UndeleteAccountRequest(account_id=account_id)

        async def end() -> str:
            self._begin_write(known)
            await write(self._account, self._accounts.UndeleteAccount, undelete, dependency="account")
            known.states.append((self.checker.now, True))
            known.causes.append(self.checker.now)
            return "active again"

        async with lock:
            self._begin_write(known)
            known.causes.append(self.checker.now)
            try:
                await write(self._account, self._accounts.DeleteAccount, delete, dependency="account")
                known.states.append((self.checker.now, False))
                self.history.note("inactive", account_id)
                await asyncio.sleep(INACTIVE_SECONDS)
            finally:
                await self.until_done(end)
        return "inactive and active again"

    def _begin_write(self, known: Acknowledged) -> None:
        known.last_write_began = self.checker.now
        known.changes.append(self.checker.now)

    async def _get_account(self, account_id: str, seconds: float) -> Any:
        request = account_service_pb2.GetAccountRequest(account_id=account_id)
        return (await invoke(self._accounts.GetAccount, request, dependency="account", seconds=seconds)).account

    async def until_done(self, attempt: Callable[[], Awaitable[str]]) -> str:
        """Repeat what a queue or an operator would repeat."""
        ends = self.checker.now + PATIENCE_SECONDS
        while True:
            try:
                return await attempt()
            except SellergateError as error:
                if self.checker.now > ends:
                    self.history.violate("convergence", f"a write still fails long after the faults: {error.reason}")
                    raise
                await asyncio.sleep(0.5)
