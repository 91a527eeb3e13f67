"""One row of the former system: either read completely or refused, and its request to the account service."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr
from sellergate_amazon.marketplaces import marketplace_by_code

from sellergate_cli.legacy.ciphers import LegacyCipher
from sellergate_cli.legacy.notes import Refused
from sellergate_cli.legacy.values import to_flag, to_list, to_optional_text, to_text, to_time

if TYPE_CHECKING:
    from sellergate.account.v1.account_admin_service_pb2 import ImportAccountsRequest

Seller = tuple[str, str, str]
"""User, seller and marketplace: the natural key of an account in the account service."""
COLUMNS = (
    "id",
    "userId",
    "amazonSellerId",
    "marketplace",
    "lwaClientId",
    "lwaClientSecret",
    "refreshToken",
    "iamRoleArn",
    "marketplaceIds",
    "region",
    "isActive",
    "createdAt",
    "updatedAt",
)


@dataclass(frozen=True, slots=True)
class LegacyAccount:
    """An account of the former system, decrypted."""

    account_id: str
    user_id: str
    amazon_seller_id: str
    marketplace: str
    lwa_client_id: SecretStr
    lwa_client_secret: SecretStr
    refresh_token: SecretStr
    iam_role_arn: str
    marketplace_ids: tuple[str, ...]
    region: str
    inactive: bool
    create_time: datetime
    update_time: datetime

    @property
    def seller(self) -> Seller:
        """The account's natural key; the account service accepts marketplaces in any case, and GB for UK."""
        return _seller(self.user_id, self.amazon_seller_id, self.marketplace)


@dataclass(frozen=True, slots=True)
class Choices:
    """The operator's choices for all rows. `application_id` is the only shared application that accounts are attached to."""

    dry_run: bool = False
    role_without_external_id: bool = False
    own_applications: bool = False
    application_id: str = ""


def read_row(row: Mapping[str, Any], cipher: LegacyCipher, now: datetime) -> LegacyAccount:
    """Read a row by the names of COLUMNS. Raises Refused that names the first invalid field."""
    return LegacyAccount(
        account_id=to_text(row["id"], "account_id"),
        user_id=to_text(row["userId"], "account.user_id"),
        amazon_seller_id=to_text(row["amazonSellerId"], "account.amazon_seller_id"),
        marketplace=to_text(row["marketplace"], "account.marketplace"),
        lwa_client_id=cipher.open(row["lwaClientId"], "lwaClientId"),
        lwa_client_secret=cipher.open(row["lwaClientSecret"], "lwaClientSecret"),
        refresh_token=cipher.open(row["refreshToken"], "refreshToken"),
        iam_role_arn=to_optional_text(row["iamRoleArn"], "account.iam_role_arn"),
        marketplace_ids=to_list(row["marketplaceIds"], "account.marketplace_ids"),
        region=to_optional_text(row["region"], "account.region"),
        inactive=not to_flag(row["isActive"], "inactive"),
        create_time=to_time(row["createdAt"], "create_time", now),
        update_time=to_time(row["updatedAt"], "update_time", now),
    )


def inactive_seller(row: Mapping[str, Any]) -> tuple[Seller | None, bool]:
    """Return the seller of a refused row, or None if it is unreadable, and whether the row is inactive."""
    try:
        seller = _seller(*(to_text(row[name], name) for name in ("userId", "amazonSellerId", "marketplace")))
        return seller, not to_flag(row["isActive"], "inactive")
    except Refused:
        return None, False


def _seller(user_id: str, amazon_seller_id: str, marketplace: str) -> Seller:
    known = marketplace_by_code(marketplace)
    return user_id, amazon_seller_id, known.code if known else marketplace


def to_request(account: LegacyAccount, choices: Choices) -> "ImportAccountsRequest":
    """Return the request of an account, which holds its secrets in the clear."""
    from sellergate.account.v1 import account_admin_service_pb2 as pb2  # noqa: PLC0415
    from sellergate.account.v1.account_service_pb2 import UpsertAccountRequest  # noqa: PLC0415

    request = pb2.ImportAccountsRequest(
        account_id=account.account_id,
        account=UpsertAccountRequest(
            user_id=account.user_id,
            amazon_seller_id=account.amazon_seller_id,
            marketplace=account.marketplace,
            lwa_client_id=account.lwa_client_id.get_secret_value(),
            lwa_client_secret=account.lwa_client_secret.get_secret_value(),
            refresh_token=account.refresh_token.get_secret_value(),
            iam_role_arn=account.iam_role_arn,
            marketplace_ids=account.marketplace_ids,
            region=account.region,
        ),
        inactive=account.inactive,
        dry_run=choices.dry_run,
        role_without_external_id=choices.role_without_external_id and bool(account.iam_role_arn),
        use_shared_application=not choices.own_applications,
        shared_application_id=choices.application_id,
    )
    request.create_time.FromDatetime(account.create_time)
    request.update_time.FromDatetime(account.update_time)
    return request
