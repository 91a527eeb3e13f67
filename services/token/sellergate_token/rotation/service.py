"""The application of rotations: the conditions under which a new refresh token or client secret is stored.

The signed webhook and Amazon's queue may both deliver a rotation twice, late or out of order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr
from sellergate_common.errors import InvalidRequest, NotFound, PreconditionFailed
from sellergate_common.flights.local_flight import LocalFlight
from sellergate_common.observability.logs import get_logger

from sellergate_token.ports import AUTHORIZATION_LOST, RefreshToken
from sellergate_token.rotation.ports import Stored, StoredAccount, StoredApplication
from sellergate_token.tokens.exchanges import LATE, Exchanges, changed_token
from sellergate_token.tokens.service import fingerprint_of

# After a rotation Amazon accepts the old secret for 7 more days (developer docs, "rotating your app's LWA credentials").
OLD_SECRET_LIFE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class NewRefreshToken:
    """An account's new refresh token, for the application that its sender named. `consent_until`: None keeps the stored time."""

    application_id: str
    account_id: str
    refresh_token: SecretStr
    consent_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewClientSecret:
    """A new client secret of an application or an LWA client. If both are named, they must belong together.

    `issue_time` is the time at which Amazon published it, by which secrets are ordered; None: the secret was not published by
    Amazon.
    """

    application_id: str
    client_id: SecretStr | None
    client_secret: SecretStr
    until: datetime | None = None
    old_until: datetime | None = None
    issue_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class SecretExpiry:
    """Amazon's warning that a client's present secret ends. `reported_at` is its time of publication; None: unknown."""

    client_id: SecretStr
    until: datetime
    reported_at: datetime | None = None


def old_secret_begin(end: datetime) -> datetime:
    """Return the time 7 days before the end of an old secret, or the first of all times where there is none."""
    try:
        return end - OLD_SECRET_LIFE
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


Rotation = NewRefreshToken | NewClientSecret | SecretExpiry


class Rotations:
    """The application of rotations. `now` is the wall clock, with a time zone."""

    def __init__(self, stored: Stored, exchanges: Exchanges, now: Callable[[], datetime]) -> None:
        self._stored = stored
        self._exchanges = exchanges
        self._now = now
        self._flight: LocalFlight[bool] = LocalFlight(late=LATE)

    async def apply(self, rotation: Rotation) -> bool:
        """Store a rotation's credentials durably. Return False, without a change, if they are known or outdated.

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
        """Store a refresh token after one successful exchange. A refused one changes nothing: the stored one may still work."""
        account = await self._stored.account(new.account_id)
        if account.application_id != new.application_id:
            raise NotFound.account(new.account_id)
        key = f"{account.account_id} {new.consent_until} {fingerprint_of(new.refresh_token)}"
        return await self._flight.get(key, lambda: self._exchange(account, new))

    async def _exchange(self, account: StoredAccount, new: NewRefreshToken) -> bool:
        """Exchange a new refresh token and store it, or the one that LWA sends in its place."""
        client = await self._stored.client(account.application_id)
        try:
            token = await self._exchanges.exchange(client, RefreshToken(new.refresh_token))
        except PreconditionFailed as error:
            if error.reason not in AUTHORIZATION_LOST:
                raise
            lwa_error = error.metadata.get("lwa_error", "invalid_grant")
            raise InvalidRequest.of_field(
                "refresh_token",
                f"is refused by Amazon ({lwa_error}); the stored token did not change; send the current one",
            ) from None
        newest = changed_token(token.refresh_token, new.refresh_token) or new.refresh_token
        return await self._stored.store_refresh_token(account, newest, new.consent_until)

    async def _client_secret(self, new: NewClientSecret) -> bool:
        """Store a client secret that is neither known nor older than the stored one.

        The account service compares their ages in the transaction that stores, since two notifications may arrive at once.
        """
        application = await self._application(new)
        client = await self._stored.client(application.application_id)
        if new.client_id is not None and new.client_id != client.client_id:
            raise InvalidRequest.of_field(
                "lwa_client_id",
                "is not the LWA client of the application; nothing was stored; name the application's own",
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
            raise InvalidRequest.of_field("lwa_client_id", "must be set if no application is named")
        return await self._stored.application_of_client(new.client_id)

    def _is_outdated(self, new: NewClientSecret, application: StoredApplication) -> bool:
        """Return whether a secret has ended or, if a time of issue is missing, ends long before the stored one.

        The previous secret is stored for 7 days after a rotation, so the end is needed only to detect older ones. Because of the
        margin, Amazon's secret replaces one that an operator stored by hand, whose end is an estimate.
        """
        if new.until is None:
            return False
        if new.until <= self._now():
            return True
        known = application.secret_expire_time
        is_ordered = new.issue_time is not None and application.secret_issue_time is not None
        return not is_ordered and known is not None and new.until < old_secret_begin(known)

    async def _expiry(self, expiry: SecretExpiry) -> bool:
        """Store the end of the present secret. A warning from before the last rotation is about the previous secret."""
        application = await self._stored.application_of_client(expiry.client_id)
        get_logger().warning(
            "client_secret_ends", application_id=application.application_id, expire_time=expiry.until.isoformat()
        )
        previous_end = application.previous_secret_expire_time
        rotations = application.secret_issue_time, previous_end and old_secret_begin(previous_end)
        outdated = expiry.reported_at is not None and any(
            time is not None and expiry.reported_at < time for time in rotations
        )
        if outdated or expiry.until == application.secret_expire_time:
            return False
        await self._stored.store_secret_expiry(application.application_id, expiry.until)
        return True
