"""The check of webhook messages: signed with a current secret, recent, and not accepted before.

All refusals are alike, so that a forger does not learn which check failed.
"""

import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr
from sellergate_common.errors import SellergateError, Unauthenticated

from sellergate_token.rotation.ports import SeenMessages

TOLERANCE_SECONDS = 300
SHORTEST_SECRET_BYTES = 32
LIVE_SECRETS = 2
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_APPLICATION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class WebhookSecret:
    """A secret that signs messages about one application."""

    application_id: str
    secret: SecretStr


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A received message with its headers."""

    timestamp: str
    signature: str
    body: bytes


class Webhooks:
    """The check of webhook messages. `now` is in seconds since the epoch."""

    def __init__(self, secrets: Sequence[WebhookSecret], seen: SeenMessages, now: Callable[[], float]) -> None:
        self._secrets = tuple(secrets)
        self._seen = seen
        self._now = now

    @asynccontextmanager
    async def admit(self, message: SignedMessage) -> AsyncIterator[str]:
        """Yield the id of the application whose secret signed the message. It is accepted again only if the body raises.

        Raises Unauthenticated for an invalid message, Unavailable if it is unknown whether it is a replay.
        """
        application_id, expected = self._signer(message)
        if not application_id or not self._is_recent(message.timestamp):
            raise _refusal()
        # The record's name is a digest of the signature, which is an HMAC of the message and reveals nothing of it.
        digest = hashlib.sha256(expected.encode()).hexdigest()
        if not await self._seen.claim(digest):
            raise _refusal()
        try:
            yield application_id
        except SellergateError:
            await self._seen.release(digest)
            raise

    def _signer(self, message: SignedMessage) -> tuple[str, str]:
        """Return the secret that signed a message, and the signature. Every secret is tried, so that the time reveals none."""
        found = "", ""
        for known in self._secrets:
            expected = sign(known.secret, message.timestamp, message.body)
            if hmac.compare_digest(expected.encode(), message.signature.encode()):
                found = known.application_id, expected
        return found

    def _is_recent(self, timestamp: str) -> bool:
        return bool(_TIMESTAMP.fullmatch(timestamp)) and abs(self._now() - int(timestamp)) <= TOLERANCE_SECONDS


def sign(secret: SecretStr, timestamp: str, body: bytes) -> str:
    """Return the signature of a message."""
    signed = timestamp.encode() + b"." + body
    return "v1=" + hmac.digest(secret.get_secret_value().encode(), signed, hashlib.sha256).hex()


def parse_secrets(text: str) -> tuple[WebhookSecret, ...]:
    """Parse `application_id secret` lines. Raises ValueError that names the line and shows no secret."""
    found: list[WebhookSecret] = []
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines())), start=1):
        application_id, _, secret = line.partition(" ")
        secret = secret.strip()
        if (
            not _APPLICATION_ID.fullmatch(application_id)
            or len(secret.encode()) < SHORTEST_SECRET_BYTES
            or " " in secret
        ):
            raise ValueError(
                f"line {number} must hold an application id and a secret of at least {SHORTEST_SECRET_BYTES} bytes;"
                " `sellergate keys new --single` makes one"
            )
        if any(known.secret.get_secret_value() == secret for known in found):
            raise ValueError(f"line {number} repeats a secret; each line needs one of its own")
        found.append(WebhookSecret(application_id, SecretStr(secret)))
        if sum(known.application_id == application_id for known in found) > LIVE_SECRETS:
            raise ValueError(f"line {number} is the third secret of its application; leave at most {LIVE_SECRETS}")
    return tuple(found)


def _refusal() -> Unauthenticated:
    return Unauthenticated(
        "The message is not signed with a current secret of its application, is not recent, or was accepted before;"
        " sign each attempt with the current time."
    )
