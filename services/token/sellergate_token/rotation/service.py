"""Decides about rotations: what a new refresh token or client secret must show before it is stored.

Both sources, the signed webhook and Amazon's queue, lead here, and either may bring the same news twice, late or out of order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import SecretStr
from sellergate_common.errors import InvalidRequest, NotFound, PreconditionFailed
from sellergate_common.observability.logs import get_logger

from sellergate_token.ports import AUTHORIZATION_LOST, RefreshToken
from sellergate_token.rotation.ports import Stored, StoredApplication
from sellergate_token.tokens.exchanges import Exchanges

# After a rotation Amazon accepts the old secret for 7 more days (developer docs, "rotating your app's LWA credentials").
OLD_SECRET_LIFE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class NewRefreshToken:
    """An account's new refresh token, for the application that its sender named. `consent_until`: None leaves what is known."""

    application_id: str
    account_id: str
    refresh_token: SecretStr
    consent_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewClientSecret:
    """A new client secret of an application, of an LWA client, or of both, which must then belong together.

    `issue_time` is when Amazon published it (None: it does not come from Amazon itself); secrets are ordered by it.
    """

    application_id: str
    client_id: SecretStr | None
    client_secret: SecretStr
    until: datetime | None = None
    old_until: datetime | None = None
    issue_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class SecretExpiry:
    """Amazon's warning that a client's present secret ends; `reported_at` is when Amazon published it (None: not known)."""

    client_id: SecretStr
    until: datetime
    reported_at: datetime | None = None


Rotation = NewRefreshToken | NewClientSecret | SecretExpiry


class Rotations:
    """Applies rotations. `now` is the wall clock, aware."""

    def __init__(self, stored: Stored, exchanges: Exchanges, now: Callable[[], datetime]) -> None:
        self._stored = stored
        self._exchanges = exchanges
        self._now = now

    async def apply(self, rotation: Rotation) -> bool:
        """Store what a rotation brings, durably; False when it was known or is out of date, and nothing changed.

        Raises InvalidRequest, NotFound, Conflict, PreconditionFailed (LWA_CLIENT_REJECTED, SECRET_UNREADABLE), Unavailable.
        """
        match rotation:
            case NewRefreshToken():
                return await self._refresh_token(rotation)
            case NewClientSecret():
                return await self._client_secret(rotation)
            case SecretExpiry():
                return await self._expiry(rotation)

    async def _refresh_token(self, new: NewRefreshToken) -> bool:
        """Store a refresh token after it has worked. One that Amazon refuses changes nothing: what is stored may work yet."""
        account = await self._stored.account(new.account_id)
        if account.application_id != new.application_id:
            raise NotFound.account(new.account_id)
        client = await self._stored.client(account.application_id)
        try:
            await self._exchanges.exchange(client, RefreshToken(new.refresh_token))
        except PreconditionFailed as error:
            if error.reason not in AUTHORIZATION_LOST:
                raise
            said = error.metadata.get("lwa_error", "invalid_grant")
            raise InvalidRequest.of_field(
                "refresh_token", f"is refused by Amazon ({said}); the stored token is not changed; send the current one"
            ) from None
        return await self._stored.store_refresh_token(account, new.refresh_token, new.consent_until)

    async def _client_secret(self, new: NewClientSecret) -> bool:
        """Store a client secret that is neither known nor older than what is stored.

        The account service decides which secret is older, in the transaction that stores: two notifications may come at once.
        """
        application = await self._application(new)
        client = await self._stored.client(application.application_id)
        if new.client_id is not None and new.client_id != client.client_id:
            raise InvalidRequest.of_field(
                "lwa_client_id", "is not the LWA client of the application; nothing was stored"
            )
        is_known = new.client_secret in (client.client_secret, client.previous_secret)
        if is_known and (new.issue_time is None or application.secret_issue_time is not None):
            return False
        applied = not self._is_outdated(new, application) and await self._stored.store_client_secret(
            application.application_id, new.client_secret, new.until, new.old_until, new.issue_time
        )
        if not applied:
            get_logger().warning("rotation_outdated", application_id=application.application_id)
        return applied and not is_known

    async def _application(self, new: NewClientSecret) -> StoredApplication:
        if new.application_id:
            return await self._stored.application(new.application_id)
        if new.client_id is None:
            raise InvalidRequest.of_field("lwa_client_id", "must be set where no application is named")
        return await self._stored.application_of_client(new.client_id)

    def _is_outdated(self, new: NewClientSecret, application: StoredApplication) -> bool:
        """Return whether a secret has ended or, where the times of issue do not say it, ends much before the one that is stored.

        A secret of the rotation before is known for 7 days, so that only older ones show by their end; the margin lets Amazon's
        secret win over one that an operator stored by hand, whose end is only an estimate.
        """
        if new.until is None:
            return False
        if new.until <= self._now():
            return True
        known = application.secret_expire_time
        is_ordered = new.issue_time is not None and application.secret_issue_time is not None
        return not is_ordered and known is not None and new.until < known - OLD_SECRET_LIFE

    async def _expiry(self, expiry: SecretExpiry) -> bool:
        """Store when the present secret ends; a warning from before the last rotation is about the secret of before."""
        application = await self._stored.application_of_client(expiry.client_id)
        get_logger().warning(
            "client_secret_ends", application_id=application.application_id, expire_time=expiry.until.isoformat()
        )
        previous_end = application.previous_secret_expire_time
        rotations = application.secret_issue_time, previous_end and previous_end - OLD_SECRET_LIFE
        outdated = expiry.reported_at is not None and any(
            time is not None and expiry.reported_at < time for time in rotations
        )
        if outdated or expiry.until == application.secret_expire_time:
            return False
        await self._stored.store_secret_expiry(application.application_id, expiry.until)
        return True
