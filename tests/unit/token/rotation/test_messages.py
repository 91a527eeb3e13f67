"""The parsers of webhook bodies and Amazon's messages; no refusal repeats their content."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import SecretStr
from sellergate_common.errors import InvalidRequest
from sellergate_token.rotation.messages import order_of, read_queue_message, read_webhook
from sellergate_token.rotation.service import NewClientSecret, NewRefreshToken, SecretExpiry

LEAK = "amzn1.oa2-cs.v1.leak"
REFRESH = {"type": "REFRESH_TOKEN", "applicationId": "app", "accountId": "acc", "refreshToken": "Atzr|2"}
SECRET = {"type": "CLIENT_SECRET", "applicationId": "app", "clientSecret": LEAK}


def amazons(kind: str, name: str, **payload: str) -> dict[str, Any]:
    """Return a message in the form of Amazon's sample."""
    return {
        "notificationVersion": "1.0",
        "notificationType": kind,
        "payload": {name: {"clientId": "amzn1.application-oa2-client.1", **payload}},
        "notificationMetadata": {
            "applicationId": "amzn1.sellerapps.app.1",
            "subscriptionId": "s",
            "publishTime": "2026-11-24T10:00:00.123Z",
            "notificationId": "n",
        },
    }


NEW = amazons(
    "APPLICATION_OAUTH_CLIENT_NEW_SECRET",
    "applicationOAuthClientNewSecret",
    newClientSecret=LEAK,
    newClientSecretExpiryTime="2027-05-23T12:00:00+02:00",
    oldClientSecretExpiryTime="2026-12-01T10:00Z",
)
ENDING = amazons(
    "APPLICATION_OAUTH_CLIENT_SECRET_EXPIRY",
    "applicationOAuthClientSecretExpiry",
    clientSecretExpiryTime="2027-01-01T00:00:00Z",
    clientSecretExpiryReason="PERIODIC_ROTATION",
)


def test_amazons_messages_are_read_with_their_times() -> None:
    client = SecretStr("amzn1.application-oa2-client.1")
    plus_two = timezone(timedelta(hours=2))
    publish_time = datetime(2026, 11, 24, 10, 0, 0, 123000, tzinfo=UTC)
    assert read_queue_message(json.dumps(NEW).encode()) == NewClientSecret(
        "",
        client,
        SecretStr(LEAK),
        datetime(2027, 5, 23, 12, tzinfo=plus_two),
        datetime(2026, 12, 1, 10, tzinfo=UTC),
        publish_time,
    )
    assert read_queue_message(json.dumps(ENDING).encode()) == SecretExpiry(
        client, datetime(2027, 1, 1, tzinfo=UTC), publish_time
    )
    del ENDING["notificationMetadata"]
    assert read_queue_message(json.dumps(ENDING).encode()) == SecretExpiry(client, datetime(2027, 1, 1, tzinfo=UTC))


def issue_time(**changes: object) -> datetime | None:
    message = {name: value for name, value in {**NEW, **changes}.items() if value is not None}
    rotation = read_queue_message(json.dumps(message).encode())
    assert isinstance(rotation, NewClientSecret)
    return rotation.issue_time


def test_a_missing_publish_time_is_taken_from_the_event_or_the_old_secrets_end() -> None:
    event = datetime(2026, 11, 24, 9, tzinfo=UTC)
    assert issue_time(eventTime="2026-11-24T09:00:00Z") == datetime(2026, 11, 24, 10, 0, 0, 123000, tzinfo=UTC)
    assert issue_time(eventTime="2026-11-24T09:00:00Z", notificationMetadata=None) == event
    assert issue_time(eventTime="2026-11-24T09:00:00Z", notificationMetadata={"notificationId": "n"}) == event
    assert issue_time(notificationMetadata=None) == datetime(2026, 11, 24, 10, tzinfo=UTC)


def test_a_secret_whose_end_is_the_first_of_all_times_is_as_old_as_can_be() -> None:
    message = {name: value for name, value in NEW.items() if name not in ("notificationMetadata", "eventTime")}
    body = json.dumps(message).replace('"2026-12-01T10:00Z"', '"0001-01-01T00:00Z"').encode()
    rotation = read_queue_message(body)
    assert isinstance(rotation, NewClientSecret)
    assert rotation.issue_time == datetime.min.replace(tzinfo=UTC)
    assert order_of(body)[1] == rotation.issue_time.timestamp()


def test_messages_of_a_client_are_ordered_by_amazons_times() -> None:
    client = "amzn1.application-oa2-client.1"
    time = datetime(2026, 11, 24, 10, 0, 0, 123000, tzinfo=UTC).timestamp()
    assert order_of(json.dumps(NEW).encode()) == (client, time)
    warning = {**NEW, "notificationType": "APPLICATION_OAUTH_CLIENT_SECRET_EXPIRY"}
    warning["payload"] = {
        "applicationOAuthClientSecretExpiry": {"clientId": client, "clientSecretExpiryTime": "2027-01-01T00:00:00Z"}
    }
    assert order_of(json.dumps(warning).encode()) == (client, time)
    assert order_of(b"not json") == ("", 0.0)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"not json",
        b"[]",
        b'"APPLICATION_OAUTH_CLIENT_NEW_SECRET"',
        b"\xff\xfe",
        json.dumps({"Type": "Notification", "Message": json.dumps(NEW)}).encode(),
        json.dumps({**NEW, "notificationType": "ANY_OFFER_CHANGED"}).encode(),
        json.dumps({**NEW, "payload": ENDING["payload"]}).encode(),
        json.dumps({**NEW, "payload": {}}).encode(),
        json.dumps(NEW).replace("+02:00", "").encode(),
        json.dumps(NEW).replace('"2026-12-01T10:00Z"', "1764583200").encode(),
        json.dumps(NEW).replace(f'"{LEAK}"', f'["{LEAK}"]').encode(),
        json.dumps(NEW).replace(f'"{LEAK}"', '""').encode(),
    ],
)
def test_an_invalid_message_is_refused_without_its_content(message: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_queue_message(message)
    assert LEAK not in f"{caught.value!r}{caught.value.violations}"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_webhook_bodies_are_read() -> None:
    until = {"authorizationExpireTime": "2027-11-24T00:00:00Z"}
    assert read_webhook(json.dumps(REFRESH | until).encode(), "app") == NewRefreshToken(
        "app", "acc", SecretStr("Atzr|2"), datetime(2027, 11, 24, tzinfo=UTC)
    )
    times = {"secretExpireTime": "2027-05-01T00:00:00Z", "oldSecretExpireTime": "2026-12-01T00:00:00Z"}
    assert read_webhook(json.dumps({**SECRET, **times, "lwaClientId": "c"}).encode(), "app") == NewClientSecret(
        "app",
        SecretStr("c"),
        SecretStr(LEAK),
        datetime(2027, 5, 1, tzinfo=UTC),
        datetime(2026, 12, 1, tzinfo=UTC),
    )
    assert LEAK not in repr(read_webhook(json.dumps(SECRET).encode(), "app"))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**SECRET, "applicationId": "other"}, "application_id"),
        ({**SECRET, "type": LEAK}, "type"),
        ({**SECRET, LEAK: "x"}, "body"),
        ({**SECRET, "clientSecret": 7}, "clientSecret"),
        ({**SECRET, "clientSecret": "x" * 2049}, "clientSecret"),
        ({**SECRET, "secretExpireTime": "2027-05-01T00:00:00"}, "secretExpireTime"),
        ({**REFRESH, "accountId": "../x"}, "accountId"),
        ({"type": "REFRESH_TOKEN", "applicationId": "app"}, "accountId"),
        ({"applicationId": "app"}, "type"),
        ([SECRET], "body"),
    ],
)
def test_a_wrong_webhook_body_is_refused_by_field(body: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_webhook(json.dumps(body).encode(), "app")
    assert caught.value.violations[0].field == field
    assert LEAK not in f"{caught.value!r}{caught.value.violations}"
