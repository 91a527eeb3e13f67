"""The JSON of the REST API: camelCase, secrets in and never out."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from google.protobuf.message import Message
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic.alias_generators import to_camel
from sellergate.account.v1 import account_pb2, application_pb2, drop_in_client_service_pb2


class Json(BaseModel):
    """A document with camelCase names; unknown members are refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", hide_input_in_errors=True
    )


class SigningMode(StrEnum):
    """Whether calls are signed with SigV4; AUTO: when the account has a role."""

    AUTO = "AUTO"
    NONE = "NONE"
    SIGV4 = "SIGV4"


class AccountState(StrEnum):
    """Whether an account can be used. AUTHORIZATION_REVOKED ends with a new refresh token, or with a successful verification."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    AUTHORIZATION_REVOKED = "AUTHORIZATION_REVOKED"


MAX_ITEMS = 1000
MAX_MEMBERS = 32
_HALVES = re.compile("[\ud800-\udfff]")
Secret = Annotated[SecretStr, Field(min_length=1, max_length=2048)]


class Given(Json):
    """A document from outside. What is too much of it is one fault, found before the rest is looked at."""

    @model_validator(mode="before")
    @classmethod
    def _has_few_members(cls, value: Any) -> Any:
        if isinstance(value, dict) and len(value) > MAX_MEMBERS:
            raise ValueError(f"must have at most {MAX_MEMBERS} members")
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _is_text(cls, value: Any) -> Any:
        """Refuse long lists, and half a character, which the escapes of JSON can write and no encoding can."""
        if isinstance(value, list | dict) and len(value) > MAX_ITEMS:
            raise ValueError(f"must have at most {MAX_ITEMS} items")
        texts = value if isinstance(value, list) else [value]
        if any(isinstance(text, str) and _HALVES.search(text) for text in texts):
            raise ValueError("must be text without lone surrogates")
        return value


class NewAccount(Given):
    """A seller to connect. An LWA client is named by applicationId, or given by lwaClientId and lwaClientSecret."""

    amazon_seller_id: Annotated[str, Field(examples=["A1B2C3D4E5F6G7"])]
    marketplace: Annotated[str, Field(examples=["US"])]
    application_id: str | None = None
    lwa_client_id: Secret | None = None
    lwa_client_secret: Secret | None = None
    refresh_token: Secret | None = None
    iam_role_arn: Annotated[str | None, Field(examples=["arn:aws:iam::123456789012:role/SP-API-Role"])] = None
    marketplace_ids: Annotated[list[str] | None, Field(examples=[["ATVPDKIKX0DER"]])] = None
    region: Annotated[str | None, Field(examples=["us-east-1"])] = None
    signing_mode: SigningMode | None = None
    sandbox: bool | None = None


class AccountPatch(Given):
    """New values of single fields; fields that are left out stay as they are."""

    application_id: str | None = None
    lwa_client_secret: Secret | None = None
    refresh_token: Secret | None = None
    iam_role_arn: str | None = None
    marketplace_ids: list[str] | None = None
    region: str | None = None
    signing_mode: SigningMode | None = None
    sandbox: bool | None = None


class Account(Json):
    """A connected seller; never a secret."""

    id: Annotated[str, Field(examples=["01a209db-1d77-7db0-8f3f-d79cea19c35d"])]
    user_id: Annotated[str, Field(examples=["user-17"])]
    application_id: Annotated[str, Field(examples=["01a209da-52f1-7c1b-9d1e-0b4c8f6a2e10"])]
    amazon_seller_id: Annotated[str, Field(examples=["A1B2C3D4E5F6G7"])]
    marketplace: Annotated[str, Field(examples=["US"])]
    marketplace_ids: Annotated[list[str], Field(examples=[["ATVPDKIKX0DER"]])]
    region: Annotated[str, Field(examples=["us-east-1"])]
    iam_role_arn: Annotated[str, Field(examples=[""])]
    external_id: Annotated[str, Field(description="What the role's trust policy must ask for (sts:ExternalId)")]
    signing_mode: SigningMode
    sandbox: bool
    state: AccountState
    refresh_token_set: bool
    authorization_expire_time: datetime | None
    create_time: datetime
    update_time: datetime
    etag: str

    @classmethod
    def from_message(cls, message: account_pb2.Account) -> "Account":
        """Read the account service's message."""
        return cls(
            id=message.account_id,
            user_id=message.user_id,
            application_id=message.application_id,
            amazon_seller_id=message.amazon_seller_id,
            marketplace=message.marketplace,
            marketplace_ids=list(message.marketplace_ids),
            region=message.region,
            iam_role_arn=message.iam_role_arn,
            external_id=message.external_id,
            signing_mode=SigningMode(account_pb2.SigningMode.Name(message.signing_mode).removeprefix("SIGNING_MODE_")),
            sandbox=message.sandbox,
            state=AccountState(account_pb2.AccountState.Name(message.state).removeprefix("ACCOUNT_STATE_")),
            refresh_token_set=message.refresh_token_set,
            authorization_expire_time=_time(message, "authorization_expire_time"),
            create_time=_time(message, "create_time"),
            update_time=_time(message, "update_time"),
            etag=message.etag,
        )


class AccountPage(Json):
    """One page of accounts; nextPageToken is empty on the last."""

    accounts: list[Account]
    next_page_token: str


class Application(Json):
    """An LWA client, the user's own or one that the operator shares; never a secret."""

    id: str
    name: Annotated[str, Field(examples=["Acme Inventory"])]
    shared: bool
    lwa_client_id_hint: Annotated[str, Field(examples=["9f3c"], description="The LWA client id's last four characters")]
    authorizes_on_website: Annotated[bool, Field(description="Sellers can be connected by a click")]
    secret_expire_time: datetime | None

    @classmethod
    def from_message(cls, message: application_pb2.Application) -> "Application":
        """Read the account service's message."""
        return cls(
            id=message.application_id,
            name=message.name,
            shared=not message.owner_user_id,
            lwa_client_id_hint=message.lwa_client_id_hint,
            authorizes_on_website=bool(message.spapi_application_id and message.redirect_uris),
            secret_expire_time=_time(message, "secret_expire_time"),
        )


class ApplicationPage(Json):
    """One page of applications; nextPageToken is empty on the last."""

    applications: list[Application]
    next_page_token: str


class NewClient(Given):
    """A client for SP-API SDKs, for accounts of the user."""

    name: Annotated[str, Field(max_length=128, examples=["warehouse"])] = ""
    account_ids: Annotated[list[str], Field(min_length=1, max_length=MAX_ITEMS)]


class DropInClient(Json):
    """A client for SP-API SDKs; never a secret."""

    client_id: Annotated[str, Field(examples=["sgc_…"])]
    name: str
    account_ids: list[str]
    create_time: datetime
    revoke_time: datetime | None

    @classmethod
    def from_message(cls, message: drop_in_client_service_pb2.DropInClient) -> "DropInClient":
        """Read the account service's message."""
        return cls(
            client_id=message.client_id,
            name=message.name,
            account_ids=list(message.account_ids),
            create_time=_time(message, "create_time"),
            revoke_time=_time(message, "revoke_time"),
        )


class Handle(Json):
    """What stands for one account in the place of a refresh token."""

    account_id: str
    handle: Annotated[str, Field(examples=["sgr_…"])]


class IssuedClient(DropInClient):
    """A new client with its secret and handles, which are shown this once."""

    client_secret: Annotated[str, Field(examples=["sgs_…"])]
    handles: list[Handle]


class ClientPage(Json):
    """One page of clients; nextPageToken is empty on the last."""

    clients: list[DropInClient]
    next_page_token: str


class Operation(Json):
    """One operation of SP-API. Rates are in calls a second; 0: Amazon publishes none."""

    name: Annotated[str, Field(examples=["orders/2026-01-01/searchOrders"])]
    method: Annotated[str, Field(examples=["GET"])]
    path: Annotated[str, Field(examples=["/orders/2026-01-01/orders"])]
    rate: Annotated[float, Field(examples=[0.0056])]
    burst: Annotated[int, Field(examples=[20])]
    restricted: bool
    deprecated: bool
    idempotent: bool
    grantless_scope: str
    removal_date: Annotated[str, Field(examples=["2027-03-27"])]


class OperationPage(Json):
    """One page of operations; nextPageToken is empty on the last."""

    operations: list[Operation]
    next_page_token: str


class Quota(Json):
    """What is left for one operation of an account: calls a second, at once, now; and where the rate is from."""

    operation: Annotated[str, Field(examples=["orders/2026-01-01/searchOrders"])]
    rate: Annotated[float, Field(examples=[0.0056])]
    burst: int
    remaining: int
    reset_time: datetime
    source: Annotated[str, Field(examples=["HEADER"])]


class Quotas(Json):
    """The quota of an account."""

    account_id: str
    quotas: list[Quota]


class Stage(Json):
    """One stage of a check: what was tried, the result, the reason of a failure, and how many milliseconds it took."""

    name: Annotated[str, Field(examples=["token"])]
    outcome: Annotated[
        str,
        Field(
            examples=["OK"],
            description="OK: it was tried now and works. CACHED: it was not tried now, ageSeconds is the age of the cached result."
            " SKIPPED: it was not tried. WARNING: it works, and something looks wrong. FAILED: it does not work.",
        ),
    ]
    reason: str
    ms: float
    age_seconds: Annotated[
        float | None,
        Field(description="Age of a result that was not obtained by this check; null: it was, or there is none"),
    ] = None


class Status(Json):
    """What a check of an account found."""

    account_id: str
    state: str
    stages: list[Stage]


class Orders(Json):
    """The orders of the last seven days as Amazon gave them, and how they were got."""

    account_id: str
    operation: str
    orders: list[Any]
    request_id: str
    amazon_request_id: str
    stages: list[Stage]


class Applied(Json):
    """What came of a rotation: whether it was stored now; false: it was known already."""

    applied: bool


class Problem(BaseModel):
    """An error (RFC 9457). `reason` is what a program decides by."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    reason: str
    requestId: str  # noqa: N815  (the name on the wire)


def _time(message: Message, field: str) -> Any:
    """Return a time; None when it is absent."""
    return getattr(message, field).ToDatetime(tzinfo=UTC) if message.HasField(field) else None
