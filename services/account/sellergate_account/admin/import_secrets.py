"""The precedence of rows of one LWA client: active before inactive, newer before older, and at most two secrets."""

from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import SecretStr
from sellergate_common.errors import InvalidRequest

_FIELD = "lwa_client_secret"


@dataclass(frozen=True, slots=True)
class Rank:
    """The rank of a row among the rows of its LWA client."""

    active: bool
    update_time: datetime | None


@dataclass(frozen=True, slots=True)
class KeptSecrets:
    """The stored secrets of a user's LWA client, with the rank of the rows that contained them.

    `living`: an account that is not inactive uses the client. `update_time`: when the client was last stored (None: now).
    `best`: the update time of the best active row of this import that has the current secret.
    """

    current: SecretStr
    previous: SecretStr | None
    living: bool
    update_time: datetime | None
    best: datetime | None = None


def first(secret: SecretStr, rank: Rank) -> KeptSecrets:
    """Return the kept secrets of an LWA client after its first row."""
    return KeptSecrets(secret, None, rank.active, None, rank.update_time if rank.active else None)


def settle(kept: KeptSecrets, secret: SecretStr | None, rank: Rank) -> tuple[KeptSecrets, InvalidRequest | None]:
    """Return the kept secrets after a row, and a warning about the row or None.

    Raises InvalidRequest for a third secret, which cannot be kept: the row's account would have a wrong secret.
    """
    after = replace(kept, living=kept.living or rank.active)
    if secret is None:
        return after, None
    if secret == kept.current:
        times = [time for time in (kept.best, rank.update_time if rank.active else None) if time]
        return replace(after, best=max(times, default=None)), None
    if _outranks(kept, rank):
        words = "is newer than the stored secret of this LWA client and replaces it; the old secret is kept as the previous one"
        if kept.previous not in (None, secret):
            words += ", and the earlier previous secret is deleted"
        after = replace(after, current=secret, previous=kept.current, best=rank.update_time)
        return after, InvalidRequest.of_field(_FIELD, words)
    if kept.previous in (None, secret):
        reason = "of a better row (active before inactive, then the newest updatedAt)" if kept.living else "stored"
        words = f"differs from the secret {reason} for this LWA client, which stays current; this one is kept as the previous one"
        return replace(after, previous=secret), InvalidRequest.of_field(_FIELD, words)
    raise InvalidRequest.of_field(
        _FIELD,
        "is a third secret of this LWA client: only a current and a previous one are kept, and both are stored already or"
        " come from better rows (active before inactive, then the newest updatedAt); put the current secret into this row,"
        " or leave the row out",
    )


def _outranks(kept: KeptSecrets, rank: Rank) -> bool:
    """Return whether a row is active and ranks before the rows that contained the current secret."""
    if not rank.active:
        return False
    known = kept.best or kept.update_time
    return not kept.living or (rank.update_time is not None and known is not None and rank.update_time > known)
