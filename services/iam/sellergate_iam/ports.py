"""Ports and values of the iam domain: the role of an account, STS, the cache of credentials, and a signer."""

from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr
from sellergate_common.cache.entries import Entries
from sellergate_common.context import Caller

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Role:
    """A role to assume, with its account and the region of the STS. The marketplace determines where its signatures are valid.

    `external_id` is empty if none is sent; `account_id` and the fields after it are empty for a role that an operator names.
    """

    arn: str
    external_id: str
    region: str
    account_id: str = ""
    revision: int = 0
    marketplace: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """The parameters of a session: its name in the CloudTrail of the role's owner, and its duration in seconds."""

    name: str
    seconds: int


@dataclass(frozen=True, slots=True)
class CallersRole:
    """The cache key of a role that an operator names: role, session and caller. No other caller's request has an equal key."""

    role: Role
    session: Session
    caller: Caller


CredentialsKey = Role | CallersRole
"""A cache key: an account's role with its default session, which all callers share, or a role as one caller assumes it."""


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """Temporary credentials. `expire_time` is in seconds since the epoch, `life` the duration from their issue in seconds."""

    access_key_id: SecretStr
    secret_access_key: SecretStr
    session_token: SecretStr
    expire_time: float
    life: float
    revision: int = 0
    """The revision of the account; 0 for a role that an operator names."""


@dataclass(frozen=True, slots=True)
class UnsignedRequest:
    """A request that a caller will send itself. `payload_sha256` is in hex, empty for an empty body.

    Header values are not in the repr, because one may be an access token.
    """

    method: str
    url: str
    headers: Headers
    payload_sha256: str

    def __repr__(self) -> str:
        return f"UnsignedRequest({self.method})"


class Accounts(Protocol):
    """The part of the account service that the iam service uses."""

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


# A cache that all replicas share, of accounts' credentials by revision and of other roles' by caller; the mark is the access key.
CredentialsCache = Entries[CredentialsKey, AwsCredentials, SecretStr]
