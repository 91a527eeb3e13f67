"""What every part of the gateway knows: an account, its credentials, and the port of the account service."""

from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr
from sellergate_common.errors import InvalidRequest
from sellergate_common.sites import Site


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
    """Other users may have accounts of the same application, so that no user acts for it."""

    def shared_parts(self, site: Site) -> tuple[str, ...]:
        """Return what everything that replicas share is keyed by: application, user, region, sandbox and seller id.

        A seller id is what a user claims, and Amazon has no operation that names the seller of a grant. With the user in the key, a
        false claim changes only what the claimant itself sees (ADR 0012).
        """
        return self.application_id, self.user_id, site.region.name, str(site.sandbox), self.amazon_seller_id


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


class Accounts(Protocol):
    """The account service."""

    async def get(self, account_id: str) -> Account:
        """Return an account, at most five seconds old. Raises NotFound, Unavailable."""


def signs(account: Account) -> bool:
    """Return whether calls for this account are signed. Raises InvalidRequest for SIGV4 without a role."""
    if account.signing == "SIGV4" and not account.iam_role_arn:
        raise InvalidRequest.of_field(
            "account_id", "names an account that signs (SIGV4) and has no IAM role; set iam_role_arn"
        )
    return account.signing != "NONE" and bool(account.iam_role_arn)
