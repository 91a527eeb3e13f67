"""What the iam domain needs: the role of an account, STS, and a cache of credentials."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class Role:
    """A role to assume, for whom, and at which STS. `account_id` is empty for a bare role of an operator's."""

    arn: str
    external_id: str
    region: str
    account_id: str = ""
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """How the role is assumed: the session's name in the owner's CloudTrail, and the seconds it lasts."""

    name: str
    seconds: int


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """Temporary credentials. `expire_time` is in seconds since the epoch."""

    access_key_id: SecretStr
    secret_access_key: SecretStr
    session_token: SecretStr
    expire_time: float


@dataclass(slots=True)
class Counts:
    """What happened since the process started."""

    hits: int = 0
    misses: int = 0
    assumptions: int = 0
    shared_waits: int = 0
    failures: int = 0

    @property
    def hit_ratio(self) -> float:
        """Hits among all answers; 0 when nothing was asked."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0


class Accounts(Protocol):
    """The account service, as the iam service may see it."""

    async def role(self, account_id: str) -> Role:
        """Return the role of an account that can be used. Raises NotFound, PreconditionFailed, InvalidRequest, Unavailable."""


class Sts(Protocol):
    """AWS's Security Token Service."""

    async def assume(self, role: Role, session: Session) -> AwsCredentials:
        """Assume a role. Raises RoleRejected, Unavailable, OutOfTime."""


class CredentialsCache(Protocol):
    """Credentials of accounts' roles by revision, shared by all replicas. It may lose anything at any moment."""

    async def get(self, role: Role) -> AwsCredentials | None:
        """Return the cached credentials, whatever is left of their life."""

    async def put(self, role: Role, credentials: AwsCredentials) -> None:
        """Keep credentials until they expire."""

    async def drop_if(self, role: Role, access_key_id: SecretStr) -> bool:
        """Drop the credentials if they have this access key; True when they were there."""

    async def drop(self, role: Role) -> bool:
        """Drop the credentials; True when there were some."""

    async def clear(self) -> int:
        """Drop all credentials and return how many there were. Raises Unavailable."""

    async def count(self) -> int:
        """Return how many credentials there are. Raises Unavailable."""

    async def once(
        self,
        role: Role,
        look: Callable[[], Awaitable[AwsCredentials | None]],
        fetch: Callable[[], Awaitable[AwsCredentials]],
    ) -> AwsCredentials:
        """Return what `look` finds, or what `fetch` brings and puts here: fetched once for all who ask at the time."""

    @property
    def shared_waits(self) -> int:
        """Return how many waited for another's fetch, since the process started."""
