"""The records of the account domain. Secrets travel beside them, never in them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import SecretStr
from sellergate_common.errors import Conflict

ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""The shape of Sellergate's ids; text of another shape is not looked up."""


class State(StrEnum):
    """The state of an account, which decides whether it can be used."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    AUTHORIZATION_REVOKED = "AUTHORIZATION_REVOKED"


class Signing(StrEnum):
    """The signing of calls with SigV4; AUTO signs when the account has a role."""

    AUTO = "AUTO"
    NONE = "NONE"
    SIGV4 = "SIGV4"


class VerificationMethod(StrEnum):
    """The way in which Amazon accepted a refresh token; NONE: it has not since the token was stored."""

    NONE = ""
    REFRESH_TOKEN = "REFRESH_TOKEN"
    CONSENT = "CONSENT"


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
    role_without_external_id: bool = False
    external_ref: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    verified_time: datetime | None = None
    verification_method: VerificationMethod = VerificationMethod.NONE


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
    secret_issue_time: datetime | None = None
    """When Amazon published the newest notification whose secret was stored; None: none was stored."""


@dataclass(frozen=True, slots=True)
class ApplicationSecrets:
    """The client ID and secrets of an LWA client in the clear."""

    client_id: SecretStr
    client_secret: SecretStr
    previous_client_secret: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class SecretRef:
    """The reference of one secret: its row ("accounts/<id>"), its field, and the row's revision (None: the row has none)."""

    row: str
    field: str
    revision: int | None = None

    def __str__(self) -> str:
        """Return the reference as a path, to which a sealed value is bound: "accounts/<id>/refresh_token/<revision>"."""
        path = f"{self.row}/{self.field}"
        return path if self.revision is None else f"{path}/{self.revision}"


@dataclass(frozen=True, slots=True)
class DropInClient:
    """A client of Sellergate's for an SP-API SDK, without its secrets. `account_ids` have a drop-in refresh token each."""

    client_id: str
    user_id: str
    name: str
    account_ids: tuple[str, ...]
    create_time: datetime
    revoke_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClientPage:
    """A page of clients, and whether more follow."""

    clients: Sequence[DropInClient]
    more: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """The most rows of each kind that one user may have; requests that run at the same time may exceed it slightly."""

    accounts: int = 20_000
    applications: int = 100
    clients: int = 100
    """Drop-in clients that are not revoked; as many revoked ones are kept."""


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in a list, which is ordered by time of creation and id."""

    create_time: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Filter:
    """The filter of a list; empty fields filter nothing."""

    user_id: str = ""
    states: tuple[State, ...] = ()
    marketplaces: tuple[str, ...] = ()
    expires_before: datetime | None = None
    application_id: str = ""
    amazon_seller_id: str = field(default="", repr=False)
    external_ref: str = field(default="", repr=False)
    labels: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """The labels that an account must have, in the order of their keys."""

    @property
    def query(self) -> object:
        """What a page token is bound to: without the newest fields the text of the release before, whose tokens stay valid."""
        newest = self.amazon_seller_id, self.external_ref, self.labels
        return (self, newest) if any(newest) else self


@dataclass(frozen=True, slots=True)
class Batch:
    """The result of a batch of rows. The next batch begins after `last_id`, which is empty after the last row."""

    rewrapped: int
    skipped: int
    unopened_ids: tuple[str, ...]
    last_id: str


@dataclass(frozen=True, slots=True)
class Actor:
    """The actor of a request: the caller's certificate identity, the user it acts for (empty: none), and the request's id."""

    caller: str
    on_behalf_of: str
    request_id: str


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One link of an audit chain. `chain` is an account's id, or empty for everything else; `sequence` counts from 1.

    `mac` is the HMAC over all other fields and over the `mac` of the event before.
    """

    chain: str
    sequence: int
    action: str
    subject: str
    detail: str
    caller: str
    on_behalf_of: str
    request_id: str
    create_time: datetime
    mac: str = ""


@dataclass(frozen=True, slots=True)
class EventOrder:
    """The order of a list of events, and the time of the earliest one (None: all)."""

    newest_first: bool = False
    since: datetime | None = None


OLDEST_FIRST = EventOrder()


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The stored end of a chain: the number of events, the `mac` of the last one, and an HMAC over both."""

    count: int = 0
    mac: str = ""
    seal: str = ""


@dataclass(frozen=True, slots=True)
class Anchor:
    """The log line of a stored audit event: its chain, number and MAC, and the account's revision (0: no account)."""

    chain: str
    number: int
    mac: str
    revision: int


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row as the database holds it. `key` is its primary key; `is_authentic` shows whether its MAC is valid."""

    table: str
    key: tuple[str, ...]
    values: Mapping[str, Any]
    is_authentic: bool

    @property
    def name(self) -> str:
        """The row's displayed name: "accounts/<id>"."""
        return "/".join((self.table, *self.key))


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A writing request with an idempotency key, which is valid for its caller, and with `user` for that user.

    `digest` is the SHA-256 of the method and the content without the key.
    """

    key: str
    caller: str
    user: str
    method: str
    digest: str


@dataclass(frozen=True, slots=True)
class FirstResponse:
    """The first response under a key, and whether its request was the same one."""

    is_same: bool
    response: bytes


@dataclass(frozen=True, slots=True)
class Changes:
    """New values of single fields; None leaves a field as it is."""

    application_id: str | None = None
    refresh_token: SecretStr | None = None
    client_secret: SecretStr | None = None
    iam_role_arn: str | None = None
    marketplace_ids: tuple[str, ...] | None = None
    region: str | None = None
    signing: Signing | None = None
    sandbox: bool | None = None
    authorization_expire_time: datetime | None = None
    role_without_external_id: bool | None = None
    external_ref: str | None = None
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Renewal:
    """The secrets of a change: a refresh token, whether it is of another consent, and whether the LWA secret is new.

    `is_verified` says that Amazon has accepted the refresh token.
    """

    refresh_token: SecretStr | None = None
    renews_consent: bool = False
    client_secret: bool = False
    is_verified: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """The values of an account from a former system; empty fields take new values. `detail` is for the audit log."""

    account_id: str = ""
    state: State = State.ACTIVE
    create_time: datetime | None = None
    update_time: datetime | None = None
    role_without_external_id: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Endings:
    """The ends of secrets or authorizations. `single` are ends by id.

    `within` counts them by window, past ones included; `unknown` counts the rows without a known end.
    """

    within: Mapping[datetime, int]
    single: Mapping[str, datetime]
    unknown: int


def etag_of(row: Account | Application) -> str:
    """Return the etag of a row's present version."""
    return f"v{row.version:x}"


def check_etag(row: Account | Application, etag: str) -> None:
    """Raise Conflict where `etag` is set and belongs to an older version of the row."""
    if etag and etag != etag_of(row):
        noun = "account" if isinstance(row, Account) else "application"
        raise Conflict(f"The {noun} was changed since it was read; read it again and repeat the change.")
