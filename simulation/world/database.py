"""The database of the account service: committed transactions, which survive every crash, and the list of changes.

It is the in-memory store of the account service's tests, which passes the same contract tests as the SQL repositories. Transactions
that write follow one another, as in SQLite; a COMMIT may be lost on its way there or back.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sellergate_account.ports.change_log import Kind, ListedChange, ListedChanges
from sellergate_account.ports.unit_of_work import UnitOfWork
from sellergate_common.errors import OutcomeUnknown, Unavailable

from simulation.world.loop import NODE, Node, later_on
from simulation.world.network import Network
from tests.fakes.account import FakeUnitOfWork

# The seconds after which a process counts its connection to the database as lost.
PATIENCE_SECONDS = 3.0
OnCommit = Callable[[FakeUnitOfWork, FakeUnitOfWork], None]
"""A function that sees the state before and after each transaction that is committed."""


class SimulatedDatabase:
    """The server, which never loses what was committed."""

    def __init__(self, node: Node, network: Network, on_commit: OnCommit) -> None:
        self.node = node
        self.network = network
        self.committed = FakeUnitOfWork()
        self.changes: list[ListedChange] = []
        self.slowest_commit = 0.0
        """The longest time that a COMMIT takes at present, in seconds."""
        self._on_commit = on_commit
        self._holder: tuple[Node, asyncio.Future[None]] | None = None
        self._queue: list[tuple[Node, asyncio.Future[None]]] = []

    def begin(self, client: Node, turn: "asyncio.Future[None]") -> None:
        """Give a client the turn to write when the earlier ones have ended."""
        self._queue.append((client, turn))
        self._next()

    def end(self, turn: "asyncio.Future[None]") -> None:
        """Take a turn back, or a client's place in the queue."""
        self._queue = [one for one in self._queue if one[1] is not turn]
        if self.is_held(turn):
            self._holder = None
        self._next()

    def is_held(self, turn: "asyncio.Future[None]") -> bool:
        """Return whether a transaction is still open; that of a client that was killed is rolled back."""
        return self._holder is not None and self._holder[1] is turn

    def disconnect(self, client: Node) -> None:
        """Roll back the transaction of a client that was killed."""
        self._queue = [one for one in self._queue if one[0] is not client]
        if self._holder is not None and self._holder[0] is client:
            self._holder = None
        self._next()

    def commit(self, work: FakeUnitOfWork) -> None:
        """Make a transaction durable."""
        before, self.committed = self.committed, work
        for kind, old, new in (
            (Kind.ACCOUNT, before.accounts.rows, work.accounts.rows),
            (Kind.APPLICATION, before.applications.rows, work.applications.rows),
        ):
            for id_, row in new.items():
                known = old.get(id_)
                if known is None or known[0].version != row[0].version:  # type: ignore[attr-defined]
                    self.changes.append(ListedChange(kind, id_, row[0].version))  # type: ignore[attr-defined]
            self.changes += [ListedChange(kind, id_, 0) for id_ in old if id_ not in new]
        self._on_commit(before, work)

    def _next(self) -> None:
        while self._holder is None and self._queue:
            client, turn = self._queue.pop(0)
            if client.alive and not turn.done():
                self._holder = client, turn
                self.network.send(self.node, client, lambda turn=turn: turn.done() or turn.set_result(None))


class SimulatedStore:
    """The store of one replica of the account service."""

    def __init__(self, database: SimulatedDatabase) -> None:
        self._database = database
        self._node = NODE.get()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[UnitOfWork]:
        """Read what is committed."""
        found: asyncio.Future[FakeUnitOfWork] = asyncio.get_running_loop().create_future()
        database = self._database
        await self._ask(found, lambda: database.committed)
        yield found.result()

    reading_once = reading

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[UnitOfWork]:
        """Write in turn. Raises Unavailable and OutcomeUnknown."""
        database, loop, ended = self._database, asyncio.get_running_loop(), False
        network = database.network
        turn: asyncio.Future[None] = loop.create_future()

        def arrive(work: FakeUnitOfWork, done: "asyncio.Future[None]") -> None:
            slowness = database.slowest_commit * network.draw()
            if slowness:
                later_on(database.node, slowness, apply, work, done)
            else:
                apply(work, done)

        def apply(work: FakeUnitOfWork, done: "asyncio.Future[None]") -> None:
            if not database.is_held(turn):
                return
            database.commit(work)
            database.end(turn)
            network.send(database.node, self._node, lambda: done.done() or done.set_result(None))

        network.send(self._node, database.node, database.begin, self._node, turn)
        try:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await turn
            except TimeoutError:
                raise Unavailable(
                    "The database does not respond; nothing was stored. Try again.", retry_after=1.0
                ) from None
            work = database.committed.copy()
            yield work
            done: asyncio.Future[None] = loop.create_future()
            ended = True
            network.send(self._node, database.node, arrive, work, done)
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await done
            except TimeoutError:
                raise OutcomeUnknown(
                    "The database did not confirm COMMIT; read the row before you repeat it."
                ) from None
        finally:
            if not ended:
                network.send(self._node, database.node, database.end, turn)

    async def _ask(self, found: "asyncio.Future[FakeUnitOfWork]", read: Callable[[], FakeUnitOfWork]) -> None:
        database, network = self._database, self._database.network

        def respond() -> None:
            state = read()
            network.send(database.node, self._node, lambda: found.done() or found.set_result(state))

        # No fault separates a process from the database, so that a read needs no time-out.
        network.send(self._node, database.node, respond)
        await found


class SimulatedChangeLog:
    """The list of changes as one replica reads it. A cursor is the number of changes before it."""

    def __init__(self, database: SimulatedDatabase) -> None:
        self._database = database

    async def read(self, cursor: str) -> ListedChanges:
        """Return the changes since a cursor."""
        changes, network = self._database.changes, self._database.network
        # What is read is as old as a read may be: that of its first moment.
        seen = len(changes)
        await asyncio.sleep(network.delay() + network.delay())
        if not cursor:
            return ListedChanges((), str(seen), forgets_all=True)
        return ListedChanges(changes[int(cursor) : seen], str(seen), forgets_all=False)

    async def settled(self) -> int:
        """Return the position of a cursor that is made now."""
        return len(self._database.changes)

    async def remove(self, before: int, limit: int) -> int:  # noqa: ARG002
        """Remove nothing: a run is shorter than changes are kept."""
        return 0


class DirectStore:
    """The database before the run, without a network."""

    def __init__(self, database: SimulatedDatabase) -> None:
        self._database = database

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[UnitOfWork]:
        """Read and write at once."""
        work = self._database.committed.copy()
        yield work
        self._database.commit(work)

    reading = reading_once = writing
