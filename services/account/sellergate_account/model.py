"""The records of the account domain. Secrets travel beside them, never in them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import SecretStr
from sellergate_common.errors import Conflict

ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What an id of ours looks like; nothing else is looked up."""


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
    role_without_external_id: bool = False


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
    """When Amazon published the newest notification of a secret that was stored; None: none was."""


@dataclass(frozen=True, slots=True)
class ApplicationSecrets:
    """An LWA client in the clear."""

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
    """Credentials of our own for an SP-API SDK, without their secrets. `account_ids` are those that a handle opens."""

    client_id: str
    user_id: str
    name: str
    account_ids: tuple[str, ...]
    create_time: datetime
    revoke_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClientPage:
    """Clients of a list, and whether more come after them."""

    clients: Sequence[DropInClient]
    more: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one user may have of each; requests that run at one time may go a little above."""

    accounts: int = 20_000
    applications: int = 100
    clients: int = 100
    """Drop-in clients that are not revoked; as many revoked ones are kept."""


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list, which is ordered by time of creation and id."""

    create_time: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to; empty fields narrow nothing."""

    user_id: str = ""
    states: tuple[State, ...] = ()
    marketplaces: tuple[str, ...] = ()
    expires_before: datetime | None = None
    application_id: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """What was done to a batch of rows. `last_id` is where the next one begins after; empty: there are no more rows."""

    rewrapped: int
    skipped: int
    unopened_ids: tuple[str, ...]
    last_id: str


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: certificate identity, the user on whose behalf (empty: none), id of the request."""

    caller: str
    on_behalf_of: str
    request_id: str


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One link of an audit chain. `chain` is an account's id, or empty for everything else; `sequence` counts from 1.

    `mac` is the HMAC over all that stands here and over the mac of the event before.
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
class ChainHead:
    """What is known of a chain's end: how many events, the mac of the last, and an HMAC over these two."""

    count: int = 0
    mac: str = ""
    seal: str = ""


@dataclass(frozen=True, slots=True)
class Anchor:
    """What is logged of an audit event once it is stored: its chain, number and mac, and the account's revision (0: no account)."""

    chain: str
    number: int
    mac: str
    revision: int


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row as the database holds it. `key` is its primary key; `is_authentic` says whether its MAC fits."""

    table: str
    key: tuple[str, ...]
    values: Mapping[str, Any]
    is_authentic: bool

    @property
    def name(self) -> str:
        """The row's name for people: "accounts/<id>"."""
        return "/".join((self.table, *self.key))


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A writing request that its caller has named. Keys are each caller's own, and with `user` each user's.

    `digest` is the SHA-256 of the method and the content without the key.
    """

    key: str
    caller: str
    user: str
    method: str
    digest: str


@dataclass(frozen=True, slots=True)
class FirstResponse:
    """The response that a key's first request got, and whether that was the same request."""

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


@dataclass(frozen=True, slots=True)
class Renewal:
    """Secrets that a change brings: a refresh token, whether the seller consented again, whether the LWA secret is new."""

    refresh_token: SecretStr | None = None
    renews_consent: bool = False
    client_secret: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """What an account brings along from a former system; empty fields take what is made here. `detail` is for the audit log."""

    account_id: str = ""
    state: State = State.ACTIVE
    create_time: datetime | None = None
    update_time: datetime | None = None
    role_without_external_id: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Endings:
    """What ends. `within` counts by window, with those that have ended; `single` are ends by id; `unknown` have no known end."""

    within: Mapping[datetime, int]
    single: Mapping[str, datetime]
    unknown: int


def etag_of(row: Account | Application) -> str:
    """Return the opaque mark of a row's present version."""
    return f"v{row.version:x}"


def check_etag(row: Account | Application, etag: str) -> None:
    """Raise Conflict where `etag` is given and marks an older version of the row."""
    if etag and etag != etag_of(row):
        noun = "account" if isinstance(row, Account) else "application"
        raise Conflict(f"The {noun} was changed since it was read; read it again and repeat the change.")
