"""The rules of LWA clients: which one an account uses, and how its secret is replaced."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import SecretStr
from sellergate_common.errors import InvalidRequest, NotAllowed, NotFound

from sellergate_account.audit import Audit
from sellergate_account.changes.retry import retry_transaction
from sellergate_account.model import (
    DEFAULT_LIMITS,
    ID,
    Account,
    Application,
    ApplicationSecrets,
    Cursor,
    Limits,
    check_etag,
)
from sellergate_account.ports.errors import DecryptionError, InUse, UserLimitReached
from sellergate_account.ports.unit_of_work import Store, UnitOfWork
from sellergate_account.redirect_uris import check_redirect_uris
from sellergate_account.secrets.rotation import (
    ISSUE_SKEW,
    OLD_SECRET_LIFE,
    SECRET_LIFE,
    NewSecret,
    fill,
    is_superseded,
    rotate,
)
from sellergate_account.secrets.rules import CLIENT_ID, CLIENT_SECRET, check_credentials

_HINT_LENGTH = 4


@dataclass(frozen=True, slots=True)
class LwaClient:
    """An LWA client in a request; the secret is optional where the client is stored already."""

    client_id: SecretStr
    client_secret: SecretStr | None


@dataclass(frozen=True, slots=True)
class NewApplication:
    """An LWA client to store. `owner_user_id` is empty for one that all users share."""

    owner_user_id: str
    client_id: SecretStr
    client_secret: SecretStr
    name: str = ""
    spapi_application_id: str = ""
    redirect_uris: tuple[str, ...] = ()
    draft: bool = False
    secret_expire_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApplicationChanges:
    """New values of single fields; None leaves a field as it is."""

    name: str | None = None
    spapi_application_id: str | None = None
    redirect_uris: tuple[str, ...] | None = None
    draft: bool | None = None
    secret_expire_time: datetime | None = None


class Applications:
    """The operations on LWA clients: the operator's, which all users share, and each user's own."""

    def __init__(
        self,
        store: Store,
        audit: Audit,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._store = store
        self._audit = audit
        self._now = now
        self._new_id = new_id
        self._limits = limits

    async def create(self, application: NewApplication, user: str) -> Application:
        """Store an LWA client for its owner; operators may store it for any owner. Raises InvalidRequest when the owner has it.

        A client whose stored secrets no longer open is stored again under its id, so that its accounts work again.
        """
        owner = user or application.owner_user_id
        now = self._now()
        check_redirect_uris(application.redirect_uris)
        check_credentials({CLIENT_ID: application.client_id, CLIENT_SECRET: application.client_secret})
        check_future(application.secret_expire_time, now, "application.secret_expire_time")

        async def change(work: UnitOfWork) -> Application:
            found = await work.applications.find(owner, application.client_id)
            if found is not None and await self._is_readable(work, found):
                raise InvalidRequest.of_field("lwa_client_id", "is stored already; rotate its secret or update it")
            if found is not None:
                return await self._with_secret(work, found, NewSecret(application.client_secret), application.client_id)
            await self._check_room(work, owner)
            made = Application(
                application_id=self._new_id(),
                owner_user_id=owner,
                client_id_hint=application.client_id.get_secret_value()[-_HINT_LENGTH:],
                revision=1,
                version=1,
                create_time=now,
                update_time=now,
                name=application.name,
                spapi_application_id=application.spapi_application_id,
                redirect_uris=application.redirect_uris,
                draft=application.draft,
                secret_expire_time=application.secret_expire_time,
            )
            await work.applications.add(made, ApplicationSecrets(application.client_id, application.client_secret))
            await self._record(work, "application.created", made)
            return made

        return await retry_transaction(self._store, change)

    async def get(self, application_id: str, user: str) -> Application:
        """Return an application that the user may use. Raises NotFound."""
        async with self._store.reading_once() as work:
            return (
                await self.get_usable(work, application_id, user)
                if user
                else await self.get_existing(work, application_id)
            )

    async def list(self, user: str, after: Cursor | None, limit: int) -> Sequence[Application]:
        """Return at most `limit` applications: a user's own and the shared ones; all of them for an empty user."""
        async with self._store.reading_once() as work:
            return await work.applications.list((user, "") if user else None, after, limit)

    async def update(self, application_id: str, user: str, changes: ApplicationChanges, etag: str) -> Application:
        """Change single fields. Raises InvalidRequest, NotFound, NotAllowed, Conflict."""
        check_redirect_uris(changes.redirect_uris or ())

        async def change(work: UnitOfWork) -> Application:
            before = await self._get_own(work, application_id, user)
            check_etag(before, etag)
            given = {name: value for name in changes.__slots__ if (value := getattr(changes, name)) is not None}
            after = replace(before, **given)
            if after == before:
                return before
            after = replace(after, version=before.version + 1, update_time=self._now())
            await work.applications.save(after, None)
            await self._record(work, "application.updated", after, ",".join(given))
            return after

        return await retry_transaction(self._store, change)

    async def remove(self, application_id: str, user: str, etag: str) -> None:
        """Remove an application that no account uses. Raises InvalidRequest, NotFound, NotAllowed, Conflict."""

        async def change(work: UnitOfWork) -> None:
            application = await self._get_own(work, application_id, user)
            check_etag(application, etag)
            await self._record(work, "application.removed", application)
            try:
                await work.applications.remove(application.application_id)
            except InUse:
                raise InvalidRequest.of_field(
                    "application_id", "names an application that accounts use; delete those accounts permanently first"
                ) from None

        await retry_transaction(self._store, change)

    async def rotate(self, application_id: str, user: str, new: NewSecret) -> tuple[Application, bool]:
        """Store the secret that Amazon issued, and keep the old one until it ends; return also whether the new one is superseded.

        The old one may have ended already, since Amazon's notification may come late. The new one is superseded, and the
        present one stays, where Amazon issued the present one later. Raises InvalidRequest, NotFound, NotAllowed.
        """
        now = self._now()
        check_credentials({"client_secret": new.client_secret})
        check_future(new.until, now, "secret_expire_time")
        if new.old_until is not None and new.old_until >= (new.until or now + SECRET_LIFE):
            raise InvalidRequest.of_field("old_secret_expire_time", "must lie before secret_expire_time")
        if new.issue_time is not None and new.issue_time > now + ISSUE_SKEW:
            raise InvalidRequest.of_field(
                "issue_time", "must not lie in the future: no later secret could replace this one"
            )

        async def change(work: UnitOfWork) -> tuple[Application, bool]:
            application = await self._get_own(work, application_id, user)
            if not is_superseded(new, application):
                return await self._with_secret(work, application, new), False
            secrets = await work.applications.read_secrets(application)
            if new.client_secret in (secrets.client_secret, secrets.previous_client_secret):
                return application, False
            kept = fill(application, await self.open_secrets(work, application), new, now)
            if kept is not None:
                await work.applications.save(*kept)
                await self._record(work, "application.secret_rotated", kept[0], "previous")
            return (kept[0] if kept else application), True

        return await retry_transaction(self._store, change)

    async def find(self, client_id: SecretStr) -> Application:
        """Return the operator's application of an LWA client. Raises NotFound, which does not repeat the client id."""
        async with self._store.reading_once() as work:
            found = await work.applications.find("", client_id)
        if found is None:
            raise NotFound.application("")
        return found

    async def secrets(self, application_id: str) -> tuple[Application, ApplicationSecrets]:
        """Return an application and its secrets, once the access is recorded. Raises NotFound, DecryptionError."""
        async with self._store.reading() as work:
            application = await self.get_existing(work, application_id)
            opened = await self.open_secrets(work, application)
        await retry_transaction(self._store, lambda work: self._record(work, "application.secrets_read", application))
        return application, opened

    async def open_secrets(self, work: UnitOfWork, application: Application) -> ApplicationSecrets:
        """Return an application's secrets, without a previous one that Amazon no longer accepts."""
        secrets = await work.applications.read_secrets(application)
        until = application.previous_secret_expire_time
        return secrets if until is None or until > self._now() else replace(secrets, previous_client_secret=None)

    async def get_existing(self, work: UnitOfWork, application_id: str) -> Application:
        """Return an application. Raises NotFound."""
        application = await work.applications.get(application_id) if ID.fullmatch(application_id) else None
        if application is None:
            raise NotFound.application(application_id)
        return application

    async def get_usable(self, work: UnitOfWork, application_id: str, user_id: str) -> Application:
        """Return an application that the user may use: its own or a shared one. Raises NotFound."""
        application = await self.get_existing(work, application_id)
        if application.owner_user_id not in ("", user_id):
            raise NotFound.application(application_id)
        return application

    async def for_connection(
        self, work: UnitOfWork, user_id: str, application_id: str, client: LwaClient | None
    ) -> Application:
        """Return the application of a new or renewed connection: the named one, or the user's own of the given LWA client.

        Raises InvalidRequest, NotFound.
        """
        if application_id and client:
            raise InvalidRequest.of_field("application_id", "must be left out when lwa_client_id is given")
        if application_id:
            return await self.get_usable(work, application_id, user_id)
        if client is None:
            raise InvalidRequest.of_field("lwa_client_id", "must be set unless application_id is set")
        found = await work.applications.find(user_id, client.client_id)
        if found is None:
            return await self.find_or_create(work, user_id, client)
        if client.client_secret is not None:
            return await self._with_secret(work, found, NewSecret(client.client_secret), client.client_id)
        return found

    async def find_or_create(self, work: UnitOfWork, user_id: str, client: LwaClient) -> Application:
        """Store a user's own application of a new LWA client. Raises InvalidRequest, DuplicateKey."""
        if client.client_secret is None:
            raise InvalidRequest.of_field("lwa_client_secret", "must be set for an LWA client that is not known yet")
        await self._check_room(work, user_id)
        now = self._now()
        application = Application(
            application_id=self._new_id(),
            owner_user_id=user_id,
            client_id_hint=client.client_id.get_secret_value()[-_HINT_LENGTH:],
            revision=1,
            version=1,
            create_time=now,
            update_time=now,
        )
        await work.applications.add(application, ApplicationSecrets(client.client_id, client.client_secret))
        await self._record(work, "application.created", application)
        return application

    async def keep_secrets(
        self, work: UnitOfWork, application: Application, secrets: ApplicationSecrets
    ) -> Application:
        """Store the secrets that an import selected; keep the previous one for OLD_SECRET_LIFE. Raises DecryptionError."""
        before, now = await work.applications.read_secrets(application), self._now()
        is_new = before.client_secret != secrets.client_secret
        changed = replace(
            application,
            revision=application.revision + 1,
            version=application.version + 1,
            update_time=now,
            previous_secret_expire_time=now + OLD_SECRET_LIFE,
            secret_expire_time=None if is_new else application.secret_expire_time,
        )
        await work.applications.save(changed, secrets)
        await self._record(work, "application.secret_rotated", changed, "import")
        return changed

    async def check_same_client(self, work: UnitOfWork, before_id: str, after_id: str) -> None:
        """Raise InvalidRequest unless two applications are of one LWA client: a refresh token belongs to one client."""
        clients = set[SecretStr]()
        for application_id in (before_id, after_id):
            application = await self.get_existing(work, application_id)
            if await self._is_readable(work, application):
                clients.add((await work.applications.read_secrets(application)).client_id)
            else:
                clients.add(SecretStr(application_id))
        if len(clients) > 1:
            raise InvalidRequest.of_field(
                "refresh_token",
                "must be set with another application or LWA client: Amazon accepts the stored one only from its own client",
            )

    async def store_secret(self, work: UnitOfWork, account: Account, client_secret: SecretStr) -> None:
        """Replace the secret of the account's own application. Raises NotAllowed for a shared one."""
        application = await self.get_existing(work, account.application_id)
        if application.owner_user_id != account.user_id:
            raise NotAllowed(
                "The account uses a shared application, whose secret only an operator may replace; ask an operator to do so."
            )
        await self._with_secret(work, application, NewSecret(client_secret))

    async def _is_readable(self, work: UnitOfWork, application: Application) -> bool:
        try:
            await work.applications.read_secrets(application)
        except DecryptionError:
            return False
        return True

    async def _check_room(self, work: UnitOfWork, owner: str) -> None:
        """Raise UserLimitReached where a user owns as many applications as the limit allows; the operator has no limit."""
        most = self._limits.applications
        if owner and await work.applications.count(owner, most) >= most:
            raise UserLimitReached("applications", most)

    async def _record(self, work: UnitOfWork, action: str, application: Application, detail: str = "") -> None:
        await self._audit.record(
            work.audit_log, action, subject=f"application/{application.application_id}", detail=detail
        )

    async def _get_own(self, work: UnitOfWork, application_id: str, user: str) -> Application:
        """Return an application that the user may change; an empty user may change all. Raises NotFound, NotAllowed."""
        application = await self.get_existing(work, application_id)
        if not user:
            return application
        await self.get_usable(work, application_id, user)
        if application.owner_user_id != user:
            raise NotAllowed(
                "The application is shared by all users, and only an operator may change it; ask an operator to do so."
            )
        return application

    async def _with_secret(
        self, work: UnitOfWork, application: Application, new: NewSecret, client_id: SecretStr | None = None
    ) -> Application:
        """Store a secret that differs from the present one, and keep the present one until Amazon stops accepting it.

        Where the stored secrets do not open, `client_id` replaces the stored one. Raises DecryptionError without it.
        """
        try:
            secrets = await work.applications.read_secrets(application)
        except DecryptionError:
            if client_id is None:
                raise
            secrets = None
        if secrets is not None and secrets.client_secret == new.client_secret:
            return await self._store_issued(work, application, new)
        present = secrets or ApplicationSecrets(client_id or SecretStr(""), new.client_secret)
        changed, stored = rotate(application, present, new, self._now())
        if secrets is None:
            changed = replace(changed, previous_secret_expire_time=None)
            stored = replace(stored, previous_client_secret=None)
        await work.applications.save(changed, stored)
        await self._record(work, "application.secret_rotated", changed)
        return changed

    async def _store_issued(self, work: UnitOfWork, application: Application, new: NewSecret) -> Application:
        """Record when Amazon issued the present secret, where an operator stored it before Amazon's notification came."""
        if new.issue_time is None or is_superseded(new, application):
            return application
        changed = replace(
            application, version=application.version + 1, update_time=self._now(), secret_issue_time=new.issue_time
        )
        await work.applications.save(changed, None)
        await self._record(work, "application.updated", changed, "secret_issue_time")
        return changed


def check_future(time: datetime | None, now: datetime, field: str) -> None:
    """Raise InvalidRequest where the time in a field has passed."""
    if time is not None and time <= now:
        raise InvalidRequest.of_field(field, "must lie in the future")
