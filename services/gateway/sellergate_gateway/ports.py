"""What the gateway domain needs: accounts, tokens, credentials, quota, and Amazon itself."""

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class AmazonRequest:
    """One HTTPS request. `url` is percent-encoded and sent exactly as it is. Secrets stay out of its repr."""

    method: str
    url: str
    headers: Headers
    body: bytes

    def __repr__(self) -> str:
        return f"AmazonRequest({self.method})"


@dataclass(frozen=True, slots=True)
class AmazonAnswer:
    """A complete answer: headers and bytes as they came."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """Return the first header of this name, in any case; empty when there is none."""
        wanted = name.lower()
        return next((value for known, value in self.headers if known.lower() == wanted), "")


class NotSent(Exception):
    """Nothing reached Amazon: it is safe to send again. The message says why, without the URL."""


class FateUnknown(Exception):
    """The request was sent and no complete answer came; Amazon may have executed it. The message says why."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket of quota: `rate` calls a second, `burst` at once, unless Amazon has since told another rate.

    `share` is the part of Amazon's rate that this bucket lets through; `rate` has it in it already.
    """

    key: str
    rate: float
    burst: int
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Admission:
    """A slot that is reserved: go in `wait` seconds. `rate` is that of the first bucket, as it is believed now."""

    wait: float
    rate: float


@dataclass(frozen=True, slots=True)
class BucketState:
    """What is in a bucket now. `reset` is in seconds from now; `learned` tells that Amazon told the rate."""

    rate: float
    remaining: int
    reset: float
    learned: bool


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


class Signer(Protocol):
    """AWS Signature Version 4."""

    def sign(self, request: AmazonRequest, credentials: AwsCredentials, region: str) -> AmazonRequest:
        """Return the request with its signature, for execute-api in an AWS region."""


class Quota(Protocol):
    """Buckets of quota, shared by all replicas."""

    async def admit(self, buckets: Sequence[Bucket], max_wait: float) -> Admission:
        """Reserve one slot in every bucket, first come first served. Raises QuotaExceeded when the wait would be longer."""

    async def turn(self, bucket: Bucket, admission: Admission, longest: float) -> float:
        """Wait for a slot reserved with `bucket` first, `longest` seconds at most; return the seconds waited.

        A rate that is learned meanwhile moves the slot.
        """

    async def learn(self, buckets: Sequence[Bucket], rate: float) -> None:
        """Believe the rate that Amazon told, each bucket its share; what is owed is rescaled at once."""

    async def drain(self, bucket: Bucket, seconds: float) -> None:
        """Empty a bucket after a 429: nobody goes for `seconds`."""

    async def state(self, bucket: Bucket) -> BucketState:
        """Return what is in a bucket now."""


class Amazon(Protocol):
    """Selling Partner API over HTTPS."""

    async def send(self, request: AmazonRequest, seconds: float) -> AmazonAnswer:
        """Send a request and return the complete answer within `seconds`. Raises NotSent, FateUnknown."""
