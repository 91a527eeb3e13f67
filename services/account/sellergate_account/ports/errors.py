"""Errors that the adapters and the rules of the account domain raise."""

from sellergate_common.errors import PreconditionFailed, Reason


class DuplicateKey(Exception):
    """A conflict with another transaction, by the same key or a deadlock; the work is repeated from its start."""


class InUse(Exception):
    """A row that cannot be removed, since another row refers to it."""


class DecryptionError(PreconditionFailed):
    """A stored secret of `row` ("accounts/<id>") that cannot be opened: its key is missing, or it was changed."""

    def __init__(self, row: str) -> None:
        super().__init__(
            "A stored secret cannot be opened: its key is missing, or it was changed. Add the key to the key ring again, or"
            " store the secret again.",
            reason=Reason.SECRET_UNREADABLE,
            metadata={"row": row},
        )


class NotAuthentic(PreconditionFailed):
    """A stored `row` ("accounts/<id>") that this service with its keys did not write; the service refuses to use it."""

    def __init__(self, row: str) -> None:
        super().__init__(
            "A stored row was changed outside of Sellergate, or its key is missing; the request was refused. An operator finds"
            " the cause with `sellergate audit verify` and restores the row.",
            reason=Reason.ROW_NOT_AUTHENTIC,
            metadata={"row": row},
        )


class UserLimitReached(PreconditionFailed):
    """The limit on the rows of a kind ("accounts") that one user may have."""

    def __init__(self, kind: str, most: int) -> None:
        super().__init__(
            f"The user has {most} {kind}, the most for one user. Remove some that are not needed, or ask an operator to raise"
            f" SELLERGATE_{kind.upper()}_PER_USER.",
            reason=Reason.USER_LIMIT_REACHED,
            metadata={"limit": kind, "most": str(most)},
        )


class KeysUsedUp(PreconditionFailed):
    """The limit on the requests with an idempotency key that are kept for one user within a day."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"The user has sent {most} requests with an idempotency_key within 24 hours, as many as are kept for one user; nothing"
            " was changed. Repeats of those return their responses. Send this request without a key, or again when the oldest keys"
            " are a day old.",
            reason=Reason.USER_LIMIT_REACHED,
            metadata={"limit": "idempotency_keys", "most": str(most)},
        )
