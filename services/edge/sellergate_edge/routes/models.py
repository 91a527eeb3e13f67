"""The JSON documents of the REST API. Names are camelCase; secrets are accepted and never returned."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from google.protobuf.message import Message
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic.alias_generators import to_camel
from sellergate.account.v1 import account_pb2, application_pb2
from sellergate.gateway.v1 import operation_pb2


class Json(BaseModel):
    """A document with camelCase names; unknown members are refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", hide_input_in_errors=True
    )


class SigningMode(StrEnum):
    """Whether calls are signed with SigV4. AUTO: only if the account has an IAM role."""

    AUTO = "AUTO"
    NONE = "NONE"
    SIGV4 = "SIGV4"


class AccountState(StrEnum):
    """The state of an account. AUTHORIZATION_REVOKED ends with a new refresh token or a successful verification."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    AUTHORIZATION_REVOKED = "AUTHORIZATION_REVOKED"


class VerificationMethod(StrEnum):
    """How Amazon accepted a refresh token: exchanged for an access token, or issued for the seller's consent and then exchanged."""

    REFRESH_TOKEN = "REFRESH_TOKEN"
    CONSENT = "CONSENT"


MAX_ITEMS = 1000
MAX_MEMBERS = 32
_HALVES = re.compile("[\ud800-\udfff]")
Secret = Annotated[SecretStr, Field(min_length=1, max_length=2048)]


class Given(Json):
    """A document from a client. Too many members or items are one violation, which is found before the rest is validated."""

    @model_validator(mode="before")
    @classmethod
    def _has_few_members(cls, value: Any) -> Any:
        if isinstance(value, dict) and len(value) > MAX_MEMBERS:
            raise ValueError(f"must have at most {MAX_MEMBERS} members")
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _is_text(cls, value: Any) -> Any:
        """Refuse long lists, and lone surrogates, which JSON escapes can express and UTF-8 cannot."""
        if isinstance(value, list | dict) and len(value) > MAX_ITEMS:
            raise ValueError(f"must have at most {MAX_ITEMS} items")
        texts = value if isinstance(value, list) else [value]
        if isinstance(value, dict):
            texts = [*value.keys(), *value.values()]
        if any(isinstance(text, str) and _HALVES.search(text) for text in texts):
            raise ValueError("must be text without lone surrogates")
        return value


ExternalRef = Annotated[
    str,
    Field(
        max_length=128,
        examples=["customer-4711"],
        description="Your own number or name of the account, unique per user where it is set; empty: none",
    ),
]
Labels = Annotated[
    dict[str, str],
    Field(
        max_length=16,
        examples=[{"tier": "gold"}],
        description="Your own labels, by which lists are filtered. A key has 1 to 63 letters, digits, `-`, `_`, `.` and `/`, a"
        " value at most 63 letters, digits, `-`, `_` and `.`; both begin and end with a letter or digit.",
    ),
]


AuthorizationEnd = Annotated[
    AwareDatetime,
    Field(
        examples=["2027-11-01T00:00:00Z"],
        description="When the seller's consent ends, as Seller Central shows it, in the future and with its offset. Without it the"
        " end is unknown, unless the seller consents on Amazon's page through Sellergate.",
    ),
]


class NewAccount(Given):
    """A seller account to connect. Name the LWA client by applicationId, or send lwaClientId and lwaClientSecret."""

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
    authorization_expire_time: AuthorizationEnd | None = None
    external_ref: ExternalRef | None = None
    labels: Labels | None = None


class AccountPatch(Given):
    """New values of single fields. Fields that are left out keep their values."""

    application_id: str | None = None
    lwa_client_secret: Secret | None = None
    refresh_token: Secret | None = None
    iam_role_arn: str | None = None
    marketplace_ids: list[str] | None = None
    region: str | None = None
    signing_mode: SigningMode | None = None
    sandbox: bool | None = None
    authorization_expire_time: AuthorizationEnd | None = None
    external_ref: ExternalRef | None = None
    labels: Annotated[Labels | None, Field(description="New labels, which replace all others")] = None


class Account(Json):
    """A connected seller account, without secrets."""

    id: Annotated[str, Field(examples=["01a209db-1d77-7db0-8f3f-d79cea19c35d"])]
    user_id: Annotated[str, Field(examples=["user-17"])]
    application_id: Annotated[str, Field(examples=["01a209da-52f1-7c1b-9d1e-0b4c8f6a2e10"])]
    amazon_seller_id: Annotated[str, Field(examples=["A1B2C3D4E5F6G7"])]
    marketplace: Annotated[str, Field(examples=["US"])]
    marketplace_ids: Annotated[list[str], Field(examples=[["ATVPDKIKX0DER"]])]
    region: Annotated[str, Field(examples=["us-east-1"])]
    iam_role_arn: Annotated[str, Field(examples=[""])]
    external_id: Annotated[
        str, Field(description="The value that the role's trust policy must require (sts:ExternalId)")
    ]
    signing_mode: SigningMode
    sandbox: bool
    state: AccountState
    refresh_token_set: bool
    authorization_expire_time: datetime | None
    verified_time: Annotated[
        datetime | None,
        Field(
            description="When Amazon last accepted the stored refresh token in a verification, a status check, a consent or a"
            " rotation; null: not since it was stored. Tokens that calls obtain do not change it."
        ),
    ]
    verification_method: Annotated[VerificationMethod | None, Field(description="How it was verified then")]
    create_time: datetime
    update_time: datetime
    etag: str
    external_ref: ExternalRef
    labels: Labels

    @classmethod
    def from_message(cls, message: account_pb2.Account) -> "Account":
        """Return the document of the account service's message."""
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
            authorization_expire_time=time_of(message, "authorization_expire_time"),
            verified_time=time_of(message, "verified_time"),
            verification_method=_method(message.verification_method),
            create_time=time_of(message, "create_time"),
            update_time=time_of(message, "update_time"),
            etag=message.etag,
            external_ref=message.external_ref,
            labels=dict(message.labels),
        )


class AccountPage(Json):
    """One page of accounts; nextPageToken is empty on the last."""

    accounts: list[Account]
    next_page_token: str


class SignedInUser(Json):
    """The user of a request. `isOperator`: it may ask for the accounts of all users."""

    id: Annotated[str, Field(examples=["user-17"])]
    is_operator: bool


class Application(Json):
    """An LWA client, of the user or shared by the operator, without secrets."""

    id: str
    name: Annotated[str, Field(examples=["Acme Inventory"])]
    shared: bool
    lwa_client_id_hint: Annotated[
        str, Field(examples=["9f3c"], description="The last four characters of the LWA client id")
    ]
    authorizes_on_website: Annotated[
        bool, Field(description="Sellers can be connected by Amazon's website authorization")
    ]
    secret_expire_time: datetime | None

    @classmethod
    def from_message(cls, message: application_pb2.Application) -> "Application":
        """Return the document of the account service's message."""
        return cls(
            id=message.application_id,
            name=message.name,
            shared=not message.owner_user_id,
            lwa_client_id_hint=message.lwa_client_id_hint,
            authorizes_on_website=bool(message.spapi_application_id and message.redirect_uris),
            secret_expire_time=time_of(message, "secret_expire_time"),
        )


class ApplicationPage(Json):
    """One page of applications; nextPageToken is empty on the last."""

    applications: list[Application]
    next_page_token: str


class Parameter(Json):
    """A parameter of an operation: its place (path, query, header or body), its name, and whether a call needs it."""

    place: Annotated[str, Field(examples=["query"])]
    name: Annotated[str, Field(examples=["marketplaceIds"])]
    required: bool

    @classmethod
    def from_catalogue(cls, words: str) -> "Parameter":
        """Return the parameter that the catalogue writes as "place:name", with `!` at the end where it is required."""
        place, _, name = words.partition(":")
        return cls(place=place, name=name.removesuffix("!"), required=name.endswith("!"))


class Operation(Json):
    """One operation of SP-API. Rates are in calls per second; 0: Amazon publishes none."""

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
    parameters: Annotated[
        list[Parameter], Field(description="The parameters that Amazon's model names; empty where none are known")
    ]

    @classmethod
    def from_message(cls, message: operation_pb2.Operation, parameters: Sequence[str]) -> "Operation":
        """Return the document of the gateway's message, with the parameters of this release's catalogue."""
        members = {name: getattr(message, name) for name in cls.model_fields if name != "parameters"}
        return cls(**members, parameters=[Parameter.from_catalogue(words) for words in parameters])


class OperationPage(Json):
    """One page of operations; nextPageToken is empty on the last."""

    operations: list[Operation]
    next_page_token: str


class Quota(Json):
    """The quota of one operation of an account: calls per second, burst, calls that remain now, and the source of the rate."""

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


class Outcome(StrEnum):
    """The outcome of a stage of a check."""

    OK = "OK"
    CACHED = "CACHED"
    SKIPPED = "SKIPPED"
    WARNING = "WARNING"
    FAILED = "FAILED"


class Stage(Json):
    """One stage of a check: its name, outcome, reason of a failure, and duration in milliseconds."""

    name: Annotated[str, Field(examples=["token"])]
    outcome: Annotated[
        Outcome,
        Field(
            examples=["OK"],
            description="OK: tried now, and it works. CACHED: not tried now; ageSeconds is the age of the cached result."
            " SKIPPED: not tried. WARNING: it works, but something looks wrong. FAILED: it does not work.",
        ),
    ]
    reason: str
    ms: float
    age_seconds: Annotated[
        float | None,
        Field(
            description="Age in seconds of a cached result; null if this check obtained the result, or there is none"
        ),
    ] = None


class Status(Json):
    """The result of a check of an account."""

    account_id: str
    state: AccountState
    stages: list[Stage]


class Orders(Json):
    """The orders of the last seven days as Amazon returned them, and the stages of the chain."""

    account_id: str
    operation: Annotated[str, Field(examples=["orders/2026-01-01/searchOrders"])]
    orders: Annotated[
        list[dict[str, Any]],
        Field(description="The orders as Amazon returned them; their members depend on the operation"),
    ]
    request_id: str
    amazon_request_id: str
    stages: list[Stage]


class Applied(Json):
    """The result of a rotation. `applied`: the credentials were stored now; false: they were stored before."""

    applied: bool


def _method(number: int) -> VerificationMethod | None:
    """Return the way of a verification; None if there is none, or a later release of the account service has named it."""
    names: Mapping[int, str] = {value: name for name, value in account_pb2.VerificationMethod.items()}
    return VerificationMethod.__members__.get(names.get(number, "").removeprefix("VERIFICATION_METHOD_"))


def time_of(message: Message, field: str) -> Any:
    """Return a time, or None if it is absent."""
    return getattr(message, field).ToDatetime(tzinfo=UTC) if message.HasField(field) else None
