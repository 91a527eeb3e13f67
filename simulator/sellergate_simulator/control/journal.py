"""The journal: each exchange and each execution with its time, for tests that compare them with what callers learned."""

from dataclasses import asdict, dataclass, field
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Exchange:
    """An issued access token. `at` is in seconds of the machine's monotonic clock; secrets are digests."""

    at: float
    seller: str
    grant: str
    token: str


@dataclass(frozen=True, slots=True)
class Execution:
    """An executed operation. `grant` is that of the access token; `body` is a digest."""

    at: float
    operation: str
    seller: str
    grant: str
    query: str
    body: str


@dataclass(slots=True)
class Journal:
    """The entries since the journal was started; it is off until then."""

    on: bool = False
    exchanges: list[Exchange] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)

    def start(self) -> None:
        """Forget all entries, and record those to come."""
        self.on = True
        self.exchanges.clear()
        self.executions.clear()

    def exchanged(self, at: float, seller: str | None, grant: str, token: str) -> None:
        """Record an issued access token."""
        if self.on:
            self.exchanges.append(Exchange(at, seller or "", grant, digest(token.encode())))

    def executed(self, at: float, operation: str, seller: str | None, grant: str, query: str, body: bytes) -> None:
        """Record an executed operation."""
        if self.on:
            self.executions.append(Execution(at, operation, seller or "", grant, query, digest(body)))

    def document(self) -> dict[str, object]:
        """Return the entries as the document of `GET /control/journal`."""
        return {
            "exchanges": [asdict(one) for one in self.exchanges],
            "executions": [asdict(one) for one in self.executions],
        }


def digest(secret: bytes) -> str:
    """Return the digest that the journal has in place of a secret or a body."""
    return sha256(secret).hexdigest()
