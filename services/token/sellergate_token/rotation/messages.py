"""Parsers of rotations: webhook bodies in Sellergate's own form, and some fields of Amazon's notifications.

Error messages name fields and never repeat their values. Source of Amazon's form: its sample "lwa-rotation",
NotificationPayload.java.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from sellergate_common.errors import FieldViolation, InvalidRequest

from sellergate_token.rotation.service import (
    NewClientSecret,
    NewRefreshToken,
    Rotation,
    SecretExpiry,
    old_secret_begin,
)

_Id = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]
_Secret = Annotated[SecretStr, Field(min_length=1, max_length=2048)]
_ClientId = Annotated[SecretStr, Field(min_length=1, max_length=512)]


class _WebhookModel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True, hide_input_in_errors=True)


class _RefreshToken(_WebhookModel):
    type: Literal["REFRESH_TOKEN"]
    application_id: _Id
    account_id: _Id
    refresh_token: _Secret
    authorization_expire_time: AwareDatetime | None = None

    def rotation(self) -> Rotation:
        return NewRefreshToken(self.application_id, self.account_id, self.refresh_token, self.authorization_expire_time)


class _ClientSecret(_WebhookModel):
    type: Literal["CLIENT_SECRET"]
    application_id: _Id
    lwa_client_id: _ClientId | None = None
    client_secret: _Secret
    secret_expire_time: AwareDatetime | None = None
    old_secret_expire_time: AwareDatetime | None = None

    def rotation(self) -> Rotation:
        return NewClientSecret(
            self.application_id,
            self.lwa_client_id,
            self.client_secret,
            self.secret_expire_time,
            self.old_secret_expire_time,
        )


class _AmazonModel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", strict=True, hide_input_in_errors=True)


class _Metadata(_AmazonModel):
    publish_time: AwareDatetime | None = None


class _NewSecret(_AmazonModel):
    client_id: _ClientId
    new_client_secret: _Secret
    new_client_secret_expiry_time: AwareDatetime
    old_client_secret_expiry_time: AwareDatetime


class _SecretExpiry(_AmazonModel):
    client_id: _ClientId
    client_secret_expiry_time: AwareDatetime


class _NewSecretPayload(_AmazonModel):
    new: _NewSecret = Field(alias="applicationOAuthClientNewSecret")


class _ExpiryPayload(_AmazonModel):
    ending: _SecretExpiry = Field(alias="applicationOAuthClientSecretExpiry")


class _Notification(_AmazonModel):
    event_time: AwareDatetime | None = None
    notification_metadata: _Metadata = _Metadata()

    @property
    def time(self) -> datetime | None:
        """The time at which Amazon published the notification."""
        return self.notification_metadata.publish_time or self.event_time


class _NewSecretMessage(_Notification):
    notification_type: Literal["APPLICATION_OAUTH_CLIENT_NEW_SECRET"]
    payload: _NewSecretPayload

    def rotation(self) -> NewClientSecret:
        new = self.payload.new
        return NewClientSecret(
            "",
            new.client_id,
            new.new_client_secret,
            new.new_client_secret_expiry_time,
            new.old_client_secret_expiry_time,
            # A notification without a time is as old as the rotation, after which the old secret works for 7 days.
            self.time or old_secret_begin(new.old_client_secret_expiry_time),
        )


class _ExpiryMessage(_Notification):
    notification_type: Literal["APPLICATION_OAUTH_CLIENT_SECRET_EXPIRY"]
    payload: _ExpiryPayload

    def rotation(self) -> SecretExpiry:
        ending = self.payload.ending
        return SecretExpiry(ending.client_id, ending.client_secret_expiry_time, self.time)


_Shape = TypeVar("_Shape")
_BODIES: TypeAdapter[_RefreshToken | _ClientSecret] = TypeAdapter(
    Annotated[_RefreshToken | _ClientSecret, Field(discriminator="type")]
)
_MESSAGES: TypeAdapter[_NewSecretMessage | _ExpiryMessage] = TypeAdapter(
    Annotated[_NewSecretMessage | _ExpiryMessage, Field(discriminator="notification_type")]
)


def read_webhook(body: bytes, application_id: str) -> Rotation:
    """Parse a webhook's body, which must be about the application whose secret signed it. Raises InvalidRequest."""
    given = _read(_BODIES, body)
    if given.application_id != application_id:
        raise InvalidRequest.of_field(
            "application_id",
            "is not the application whose secret signed the message; sign with this application's secret",
        )
    return given.rotation()


def read_queue_message(body: bytes) -> Rotation:
    """Parse a message of Amazon's queue. Raises InvalidRequest."""
    return _read(_MESSAGES, body).rotation()


def order_of(body: bytes) -> tuple[str, float]:
    """Return the LWA client that a message of Amazon's queue is about, and its time in seconds since the epoch.

    Messages about one client are handled in the order of their times. A message that cannot be read has the client "".
    """
    try:
        rotation = _read(_MESSAGES, body).rotation()
    except InvalidRequest:
        return "", 0.0
    time = rotation.issue_time if isinstance(rotation, NewClientSecret) else rotation.reported_at
    return rotation.client_id.get_secret_value() if rotation.client_id else "", time.timestamp() if time else 0.0


def _read(shape: TypeAdapter[_Shape], body: bytes) -> _Shape:
    try:
        return shape.validate_json(body)
    except ValidationError as error:
        # The cause is not chained: pydantic's error holds the body.
        violations = [_violation(fault) for fault in error.errors(include_input=False, include_context=False)]
    words = "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
    raise InvalidRequest(words, violations=violations)


def _violation(fault: Any) -> FieldViolation:
    """Return the violation of a field. Unknown names and types are not repeated."""
    kind = fault["type"]
    if kind.startswith("union_tag"):
        return FieldViolation("type", "is missing or not one of the known types")
    if kind == "extra_forbidden":
        return FieldViolation("body", "has an unknown field; leave it out")
    if kind == "json_invalid":
        return FieldViolation("body", "must be JSON")
    path = ".".join(str(part) for part in fault["loc"][1:]) or "body"
    return FieldViolation(path, "must be given" if kind == "missing" else str(fault["msg"]))
