"""What the iam domain needs: the role of an account, STS, and a cache of credentials."""

from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr
from sellergate_common.entries import Entries


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
    """Temporary credentials. `expire_time` is in seconds since the epoch, `life` the seconds that STS gave them."""

    access_key_id: SecretStr
    secret_access_key: SecretStr
    session_token: SecretStr
    expire_time: float
    life: float


class Accounts(Protocol):
    """The account service, as the iam service may see it."""

    async def role(self, account_id: str) -> Role:
        """Return the role of an account that can be used. Raises NotFound, PreconditionFailed, InvalidRequest, Unavailable."""


class Sts(Protocol):
    """AWS's Security Token Service."""

    async def assume(self, role: Role, session: Session) -> AwsCredentials:
        """Assume a role. Raises RoleRejected, Unavailable, OutOfTime."""


# Credentials of accounts' roles by revision, shared by all replicas; the mark is their access key.
CredentialsCache = Entries[Role, AwsCredentials, SecretStr]
