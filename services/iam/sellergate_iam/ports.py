"""What the iam domain needs: the role of an account, STS, a cache of credentials, and a signer."""

from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr
from sellergate_common.cache.entries import Entries
from sellergate_common.context import Caller

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Role:
    """A role to assume, its account, and the STS; the marketplace decides where its signatures are valid.

    `external_id` is empty where none is sent, `account_id` and what follows it for a bare role of an operator's.
    """

    arn: str
    external_id: str
    region: str
    account_id: str = ""
    revision: int = 0
    marketplace: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """How the role is assumed: the session's name in the owner's CloudTrail, and the seconds it lasts."""

    name: str
    seconds: int


@dataclass(frozen=True, slots=True)
class CallersRole:
    """The role, session and caller whose credentials are cached together; no other caller's request has an equal key."""

    role: Role
    session: Session
    caller: Caller


CredentialsKey = Role | CallersRole
"""An account's role with its default session, which all callers share, or a bare role as one caller assumes it."""


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """Temporary credentials. `expire_time` is in seconds since the epoch, `life` the seconds that STS gave them."""

    access_key_id: SecretStr
    secret_access_key: SecretStr
    session_token: SecretStr
    expire_time: float
    life: float
    revision: int = 0
    """Of the account that they were handed out for; 0 for a bare role."""


@dataclass(frozen=True, slots=True)
class UnsignedRequest:
    """A request that a caller will send itself. `payload_sha256` is in hex, empty for an empty body.

    A header may hold an access token: its values stay out of the repr.
    """

    method: str
    url: str
    headers: Headers
    payload_sha256: str

    def __repr__(self) -> str:
        return f"UnsignedRequest({self.method})"


class Accounts(Protocol):
    """The account service, as the iam service may see it."""

    async def role(self, account_id: str, at_least: int = 0) -> Role:
        """Return the role of an account that can be used, of the revision `at_least` or a later one.

        Raises NotFound, PreconditionFailed, InvalidRequest, Unavailable.
        """


class Sts(Protocol):
    """AWS's Security Token Service."""

    async def assume(self, role: Role, session: Session) -> AwsCredentials:
        """Assume a role. Raises RoleRejected, Unavailable, OutOfTime."""


class Signer(Protocol):
    """AWS Signature Version 4."""

    def sign(self, request: UnsignedRequest, credentials: AwsCredentials, region: str) -> Headers:
        """Return the headers that sign the request for execute-api in an AWS region."""


# Credentials of accounts' roles by revision and of bare roles by caller, shared by all replicas; the mark is their access key.
CredentialsCache = Entries[CredentialsKey, AwsCredentials, SecretStr]
