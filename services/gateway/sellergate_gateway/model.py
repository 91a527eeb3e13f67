"""The values that all packages of the gateway share (account, credentials), and the port of the account service."""

from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr
from sellergate_common.errors import InvalidRequest
from sellergate_common.sites import Site


@dataclass(frozen=True, slots=True)
class Account:
    """A seller's account without secrets. `region` determines the STS; the marketplace determines the host."""

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
    """Whether other users may have accounts of the same application, so that no user acts for it."""
    version: int = 0
    """Grows with every change; 0: the account service is of a release without it."""

    def shared_parts(self, site: Site) -> tuple[str, ...]:
        """Return the parts of keys that replicas share: application, user, region, sandbox and seller ID.

        A user only claims a seller ID, and no operation of Amazon names the seller of a grant. With the user in the key, a false
        claim affects only the user that makes it (ADR 0012).
        """
        return self.application_id, self.user_id, site.region.name, str(site.sandbox), self.amazon_seller_id


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An LWA access token; `expire_time` in seconds since the epoch, `life` the lifetime at its issue in seconds."""

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


class Accounts(Protocol):
    """The account service."""

    async def get(self, account_id: str) -> Account:
        """Return an account with all changes that were acknowledged five seconds ago. Raises NotFound, Unavailable."""


def signs(account: Account) -> bool:
    """Return whether calls for this account are signed. Raises InvalidRequest for SIGV4 without a role."""
    if account.signing == "SIGV4" and not account.iam_role_arn:
        raise InvalidRequest.of_field(
            "account_id", "names an account that signs (SIGV4) and has no IAM role; set iam_role_arn"
        )
    return account.signing != "NONE" and bool(account.iam_role_arn)
