"""The records of the account domain. Secrets travel beside them, never in them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import SecretStr


class State(StrEnum):
    """Whether an account can be used."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    AUTHORIZATION_REVOKED = "AUTHORIZATION_REVOKED"


class Signing(StrEnum):
    """Whether calls are signed with SigV4; AUTO: when the account has a role."""

    AUTO = "AUTO"
    NONE = "NONE"
    SIGV4 = "SIGV4"


@dataclass(frozen=True, slots=True)
class Account:
    """One connected seller, without its secret. Times are aware and in UTC.

    `revision` grows with every change of a credential, `version` with every change at all.
    """

    account_id: str
    user_id: str
    application_id: str
    amazon_seller_id: str
    marketplace: str
    marketplace_ids: tuple[str, ...]
    region: str
    iam_role_arn: str
    external_id: str
    signing: Signing
    sandbox: bool
    state: State
    refresh_token_set: bool
    authorization_expire_time: datetime | None
    revision: int
    version: int
    create_time: datetime
    update_time: datetime


@dataclass(frozen=True, slots=True)
class Application:
    """One LWA client, without its secrets. `owner_user_id` is empty for the operator's."""

    application_id: str
    owner_user_id: str
    client_id_hint: str
    revision: int
    version: int
    create_time: datetime
    update_time: datetime
    name: str = ""
    spapi_application_id: str = ""
    redirect_uris: tuple[str, ...] = ()
    draft: bool = False
    secret_expire_time: datetime | None = None
    previous_secret_expire_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApplicationSecrets:
    """An LWA client in the clear."""

    client_id: SecretStr
    client_secret: SecretStr
    previous_client_secret: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class DropInClient:
    """Credentials of our own for an SP-API SDK, without their secrets. `account_ids` are those that a handle opens."""

    client_id: str
    user_id: str
    name: str
    account_ids: tuple[str, ...]
    create_time: datetime
    revoke_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list, which is ordered by time of creation and id."""

    create_time: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to; empty fields narrow nothing."""

    user_id: str = ""
    states: tuple[State, ...] = ()
    marketplaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """What was done to a batch of rows. `last_id` is where the next one begins after; empty: there are no more rows."""

    rewrapped: int
    skipped: int
    unopened_ids: tuple[str, ...]
    last_id: str
