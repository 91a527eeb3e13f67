"""What the gateway domain needs: accounts, tokens, credentials, quota, and Amazon itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pydantic import SecretStr

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of a seller's account; never a secret. `region` chooses the STS, the host follows the marketplace."""

    account_id: str
    user_id: str
    application_id: str
    amazon_seller_id: str
    marketplace: str
    region: str
    iam_role_arn: str
    signing: str
    sandbox: bool
    state: str
    revision: int
    marketplace_ids: tuple[str, ...] = ()
    shared_application: bool = True
    """Other users may have accounts of the same application: nobody of them acts for it."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An LWA access token; `expire_time` in seconds since the epoch, `life` the seconds that it had when it was new."""

    value: SecretStr
    expire_time: float
    life: float


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """Temporary credentials of an account's role; times as an access token's."""

    access_key_id: SecretStr
    secret_access_key: SecretStr
    session_token: SecretStr
    expire_time: float
    life: float


@dataclass(slots=True)
class AmazonRequest:
    """One HTTPS request. `url` is percent-encoded and sent exactly as it is. Secrets stay out of its repr."""

    method: str
    url: str
    headers: Headers
    body: bytes
    operation: str = ""
    """The catalogue's name, for traces; empty: an unknown path."""

    def __repr__(self) -> str:
        return f"AmazonRequest({self.method})"


@dataclass(slots=True)
class AmazonAnswer:
    """A complete answer: headers and bytes as they came."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """Return the first header of this name, in any case; empty when there is none."""
        wanted = name.lower()
        for known, value in self.headers:
            if len(known) == len(wanted) and known.lower() == wanted:
                return value
        return ""


class _Unanswered(Exception):
    """No complete answer came. The message says why, without the URL; `late`: the time that was given ran out."""

    def __init__(self, why: str, *, late: bool = False) -> None:
        super().__init__(why)
        self.late = late


class NotSent(_Unanswered):
    """Nothing reached Amazon: it is safe to send again."""


class FateUnknown(_Unanswered):
    """The request was sent; Amazon may have executed it."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket of quota: `rate` calls a second, `burst` at once, unless Amazon has since told another rate.

    `share` is the part of Amazon's rate that this bucket lets through; `rate` has it in it already.
    """

    key: str
    rate: float
    burst: int
    share: float = 1.0
    learns: bool = False
    """It follows the rate that Amazon tells, which is that of a pair of seller and application."""
    gate: bool = False
    """Whoever must wait here takes a slot of the other buckets only afterwards."""


class RateSource(StrEnum):
    """Where a rate comes from."""

    CATALOGUE = "CATALOGUE"
    HEADER = "HEADER"
    BACKOFF = "BACKOFF"


@dataclass(slots=True)
class Passage:
    """A call that passed its buckets, `waited` seconds after it came. `rate` is that of the first bucket, as it is believed."""

    waited: float
    rate: float


@dataclass(frozen=True, slots=True)
class BucketState:
    """What is in a bucket now. `reset` is in seconds from now."""

    rate: float
    remaining: int
    reset: float
    source: RateSource


class Accounts(Protocol):
    """The account service."""

    async def get(self, account_id: str) -> Account:
        """Return an account, at most five seconds old. Raises NotFound, Unavailable."""


class Tokens(Protocol):
    """Access tokens."""

    async def get(self, account: Account) -> AccessToken:
        """Return a token that lives for a minute at least. Raises PreconditionFailed, Unavailable."""

    async def grantless(self, account: Account, scope: str) -> AccessToken:
        """Return a token of the account's application itself for a scope. Raises PreconditionFailed, Unavailable."""

    async def invalidate(self, account: Account, token: AccessToken) -> None:
        """Forget a token that Amazon refused, everywhere, if it is still the current one."""


class Credentials(Protocol):
    """AWS credentials of roles."""

    async def get(self, account: Account) -> AwsCredentials:
        """Return credentials that live for a minute at least. Raises RoleRejected, Unavailable."""

    async def invalidate(self, account: Account, credentials: AwsCredentials) -> None:
        """Forget credentials that Amazon refused, everywhere, if they are still the current ones."""


class Signer(Protocol):
    """AWS Signature Version 4."""

    def sign(self, request: AmazonRequest, credentials: AwsCredentials, region: str) -> AmazonRequest:
        """Return the request with its signature, for execute-api in an AWS region."""


class Quota(Protocol):
    """Buckets of quota, shared by all replicas."""

    async def enter(self, buckets: Sequence[Bucket], longest: float) -> Passage:
        """Pass all buckets, first come first served, after a wait of `longest` seconds at most.

        Raises QuotaExceeded at once when the wait would be longer. Who is cancelled gives its slot back if it was the newest.
        """

    async def learn(self, buckets: Sequence[Bucket], rate: float) -> None:
        """Believe the rate that Amazon told, each bucket that learns its share; who waits is moved accordingly."""

    async def throttled(self, buckets: Sequence[Bucket], seconds: float) -> None:
        """Take note of a 429: nobody goes for `seconds`, and the rate may be lowered until it proves right."""

    async def state(self, bucket: Bucket) -> BucketState:
        """Return what is in a bucket now."""


class Amazon(Protocol):
    """Selling Partner API over HTTPS."""

    async def send(self, request: AmazonRequest, seconds: float) -> AmazonAnswer:
        """Send a request and return the complete answer within `seconds`. Raises NotSent, FateUnknown."""
