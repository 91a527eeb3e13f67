"""Targets: webhook messages with their signatures, messages of Amazon's queue, and responses of SQS."""

from tests.fuzz.parsers.aws import respond
from tests.fuzz.parsers.inputs import as_json, http, lines_of
from tests.fuzz.parsers.target import CANARY, Parser, Target, finished, waited

ROTATION = "sellergate_token.rotation"
_NEW_SECRET = {
    "notificationType": "APPLICATION_OAUTH_CLIENT_NEW_SECRET",
    "eventTime": "2026-11-26T10:00:00.000Z",
    "notificationMetadata": {"publishTime": "2026-11-26T10:00:00.000Z"},
    "payload": {
        "applicationOAuthClientNewSecret": {
            "clientId": CANARY,
            "newClientSecret": CANARY,
            "newClientSecretExpiryTime": "2027-05-25T10:00:00Z",
            "oldClientSecretExpiryTime": "2026-12-03T10:00:00Z",
        }
    },
}
_EXPIRY = {
    "notificationType": "APPLICATION_OAUTH_CLIENT_SECRET_EXPIRY",
    "payload": {
        "applicationOAuthClientSecretExpiry": {"clientId": CANARY, "clientSecretExpiryTime": "2026-12-03T10:00:00Z"}
    },
}
_WITHOUT_TIME = {
    name: value for name, value in _NEW_SECRET.items() if name not in ("eventTime", "notificationMetadata")
}


def queue_message() -> Parser:
    """A message that cannot be read is refused, and its order is known before it is."""
    from sellergate_common.errors import InvalidRequest
    from sellergate_token.rotation.messages import order_of, read_queue_message

    def read(data: bytes) -> object:
        client, time = order_of(data)
        rotation = read_queue_message(data)
        assert client
        assert time == time  # noqa: PLR0124  (not NaN, which has no order)
        return repr(rotation)

    wrong = [{**_EXPIRY, "payload": {}}, {**_EXPIRY, "notificationType": CANARY}, {"notificationType": 1}]
    seeds = tuple(map(as_json, (_NEW_SECRET, _EXPIRY, _WITHOUT_TIME, *wrong)))
    return Parser(read, (InvalidRequest,), seeds)


def webhook_body() -> Parser:
    from sellergate_common.errors import InvalidRequest
    from sellergate_token.rotation.messages import read_webhook

    token = {"type": "REFRESH_TOKEN", "applicationId": "app", "accountId": "a", "refreshToken": CANARY}
    secret = {"type": "CLIENT_SECRET", "applicationId": "app", "lwaClientId": CANARY, "clientSecret": CANARY}
    times = {"secretExpireTime": "2026-12-03T10:00:00Z", "oldSecretExpireTime": "2026-11-27T10:00:00+05:30"}
    bodies = (token, secret | times, token | {CANARY: 1}, secret | {"applicationId": "other"}, {"type": CANARY})
    return Parser(lambda data: read_webhook(data, "app"), (InvalidRequest,), tuple(map(as_json, bodies)))


def webhook_signature() -> Parser:
    """A message is admitted only with the signature of a known secret, once."""
    from pydantic import SecretStr
    from sellergate_common.errors import Unauthenticated
    from sellergate_token.rotation.webhooks import SignedMessage, Webhooks, WebhookSecret, sign

    secret = SecretStr(CANARY * 3)

    class Seen:
        async def claim(self, _: str) -> bool:
            return True

        async def release(self, _: str) -> None:
            return None

    webhooks = Webhooks([WebhookSecret("app", secret)], Seen(), lambda: 1e9)

    async def admit(data: bytes) -> None:
        timestamp, signature, body = lines_of(data, 3)
        async with webhooks.admit(SignedMessage(timestamp, signature, body.encode())):
            assert signature == sign(secret, timestamp, body.encode())

    def signed(timestamp: str, body: str) -> bytes:
        return f"{timestamp}\n{sign(secret, timestamp, body.encode())}\n{body}".encode()

    seeds = (signed("1000000000", "{}"), signed("999999999999", "{}"), signed("1e9", ""), b"1\nv1=\n\xff")
    return Parser(lambda data: finished(admit(data)), (Unauthenticated,), seeds)


def sqs_response() -> Parser:
    from sellergate_token.rotation.consumer import QueueUnavailable
    from sellergate_token.rotation.sqs_queue import SqsQueue

    client, feed = respond("sqs")
    queue = SqsQueue("https://sqs.eu-west-1.amazonaws.com/1/q", "eu-west-1", visibility_seconds=60)
    queue.__dict__["_client"] = client

    def read(data: bytes) -> object:
        feed(data)
        return [(one.body, one.receipt) for one in waited(queue.receive())]

    kind = {"content_type": "application/x-amz-json-1.0"}
    message = {"Body": as_json(_NEW_SECRET).decode(), "ReceiptHandle": "r", "MessageId": "m"}
    seeds = (
        http(200, {"Messages": [message, message]}, **kind),
        http(200, {}, **kind),
        http(200, {"Messages": [{"Body": 1}]}, **kind),
        http(400, {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": CANARY}, **kind),
        http(500, b"<html>"),
    )
    return Parser(read, (QueueUnavailable,), seeds)


TARGETS = (
    Target("queue-message", (f"{ROTATION}.messages",), queue_message),
    Target("webhook-body", (f"{ROTATION}.messages",), webhook_body),
    Target("webhook-signature", (f"{ROTATION}.webhooks",), webhook_signature),
    Target("sqs-response", (f"{ROTATION}.sqs_queue",), sqs_response),
)
