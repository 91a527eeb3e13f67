"""Handlers for the two sources of rotations. Each rotation is counted and logged by kind and outcome, without content."""

from collections.abc import Callable

from sellergate_common.errors import NotAllowed, Reason, SellergateError
from sellergate_common.identity.policy import EDGE
from sellergate_common.observability.logs import get_logger

from sellergate_token.rotation.messages import read_queue_message, read_webhook
from sellergate_token.rotation.service import NewClientSecret, NewRefreshToken, Rotation, Rotations, SecretExpiry
from sellergate_token.rotation.webhooks import SignedMessage, Webhooks

WEBHOOK, QUEUE = "webhook", "queue"
KINDS = {NewRefreshToken: "refresh_token", NewClientSecret: "client_secret", SecretExpiry: "secret_expiry"}
UNKNOWN = "unknown"
# Temporary failures; every other error repeats until an operator acts.
TEMPORARY = frozenset(
    {
        Reason.AMAZON_UNAVAILABLE,
        Reason.DEPENDENCY_UNAVAILABLE,
        Reason.DEADLINE_EXCEEDED,
        Reason.ETAG_MISMATCH,
        Reason.OUTCOME_UNKNOWN,
        Reason.CANCELLED,
        Reason.INTERNAL,
    }
)

Count = Callable[[str, str, str], None]
"""A function that counts a rotation by source, kind and outcome."""


class RotationHandlers:
    """The handlers of webhook messages and queue messages."""

    def __init__(self, webhooks: Webhooks, rotations: Rotations, count: Count) -> None:
        self._webhooks = webhooks
        self._rotations = rotations
        self._count = count

    async def webhook(self, message: SignedMessage) -> bool:
        """Apply a webhook message. Return whether it changed anything. Raises Unauthenticated, and as Rotations.apply does."""
        try:
            async with self._webhooks.admit(message) as application_id:
                return await self._apply(WEBHOOK, lambda: read_webhook(message.body, application_id))
        except SellergateError as error:
            if error.reason is Reason.CALLER_UNAUTHENTICATED:
                self._log_outcome(WEBHOOK, UNKNOWN, "refused", error.reason)
            raise

    async def queue_message(self, body: bytes, caller: str = "") -> bool:
        """Apply a message of Amazon's queue, or of an operator. The edge may send none, because it has no signature."""
        if caller == EDGE:
            raise NotAllowed(
                "The edge may send only webhook messages: a queue message has no signature to check. Send it as an operator."
            )
        return await self._apply(QUEUE, lambda: read_queue_message(body))

    async def _apply(self, source: str, read: Callable[[], Rotation]) -> bool:
        kind = UNKNOWN
        try:
            rotation = read()
            kind = KINDS[type(rotation)]
            applied = await self._rotations.apply(rotation)
        except SellergateError as error:
            self._log_outcome(source, kind, "failed" if error.reason in TEMPORARY else "refused", error.reason)
            raise
        self._log_outcome(source, kind, "applied" if applied else "known")
        return applied

    def _log_outcome(self, source: str, kind: str, outcome: str, reason: str = "OK") -> None:
        self._count(source, kind, outcome)
        get_logger().info("rotation", source=source, kind=kind, outcome=outcome, reason=reason)
