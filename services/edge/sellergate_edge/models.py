"""The JSON of the REST API: camelCase, secrets in and never out."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic.alias_generators import to_camel
from sellergate.account.v1 import account_pb2


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
    """Whether an account can be used."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    AUTHORIZATION_REVOKED = "AUTHORIZATION_REVOKED"


_HALVES = re.compile("[\ud800-\udfff]")
Secret = Annotated[SecretStr, Field(min_length=1, max_length=2048)]


class Given(Json):
    """A document from outside."""

    @field_validator("*", mode="before")
    @classmethod
    def _is_text(cls, value: Any) -> Any:
        """Refuse half a character, which the escapes of JSON can write and no encoding can."""
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

    id: str
    user_id: str
    application_id: str
    amazon_seller_id: str
    marketplace: str
    marketplace_ids: list[str]
    region: str
    iam_role_arn: str
    external_id: str
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


class Stage(Json):
    """One stage of a check: what was tried, how it went, why not, and how many milliseconds it took."""

    name: Annotated[str, Field(examples=["token"])]
    outcome: Annotated[str, Field(examples=["OK"])]
    reason: str
    ms: float


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


def _time(message: account_pb2.Account, field: str) -> Any:
    """Return a time; None when it is absent."""
    return getattr(message, field).ToDatetime(tzinfo=UTC) if message.HasField(field) else None  # type: ignore[arg-type]
