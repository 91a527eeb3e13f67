"""Decides about LWA clients: which one an account uses, and how a secret is replaced."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import SecretStr
from sellergate_common.errors import InvalidRequest, NotAllowed, NotFound

from sellergate_account.ports import Account, Application, ApplicationSecrets, Store, Work

# After a rotation Amazon takes the old secret for 7 more days (developer docs, "rotating your app's LWA credentials").
OLD_SECRET_LIFE = timedelta(days=7)
_HINT_LENGTH = 4


@dataclass(frozen=True, slots=True)
class LwaClient:
    """An LWA client as a caller gives it; the secret may be left out where the client is known."""

    client_id: SecretStr
    client_secret: SecretStr | None


class Applications:
    """The LWA clients: the operator's, shared by all, and each user's own."""

    def __init__(self, store: Store, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._store = store
        self._now = now
        self._new_id = new_id

    async def secrets(self, application_id: str) -> tuple[Application, ApplicationSecrets]:
        """Open an application's secrets. Raises NotFound."""
        async with self._store.reading() as work:
            application = await self.existing(work, application_id)
            return application, await self.opened(work, application)

    async def opened(self, work: Work, application: Application) -> ApplicationSecrets:
        """Open an application's secrets; a previous one that Amazon takes no longer is left out."""
        secrets = await work.application_secrets(application)
        until = application.previous_secret_expire_time
        return secrets if until is None or until > self._now() else replace(secrets, previous_client_secret=None)

    async def existing(self, work: Work, application_id: str) -> Application:
        """Return an application. Raises NotFound."""
        application = await work.application(application_id)
        if application is None:
            raise NotFound.application(application_id)
        return application

    async def usable(self, work: Work, application_id: str, user_id: str) -> Application:
        """Return an application that the user may use: its own or a shared one. Raises NotFound."""
        application = await self.existing(work, application_id)
        if application.owner_user_id not in ("", user_id):
            raise NotFound.application(application_id)
        return application

    async def for_connection(
        self, work: Work, user_id: str, application_id: str, client: LwaClient | None
    ) -> Application:
        """Return the application of a new or renewed connection: the one named, or the user's own of this LWA client.

        Raises InvalidRequest, NotFound.
        """
        if application_id and client:
            raise InvalidRequest.of_field("application_id", "must be left out when lwa_client_id is given")
        if application_id:
            return await self.usable(work, application_id, user_id)
        if client is None:
            raise InvalidRequest.of_field("lwa_client_id", "must be set, or application_id")
        found = await work.application_of_client(user_id, client.client_id)
        if found is None:
            return await self._made(work, user_id, client)
        if client.client_secret is not None:
            return await self._with_secret(work, found, client.client_secret)
        return found

    async def store_secret(self, work: Work, account: Account, client_secret: SecretStr) -> None:
        """Replace the secret of the account's own application. Raises NotAllowed for a shared one."""
        application = await self.existing(work, account.application_id)
        if application.owner_user_id != account.user_id:
            raise NotAllowed("The account uses a shared application; only an operator replaces its secret.")
        await self._with_secret(work, application, client_secret)

    async def _made(self, work: Work, user_id: str, client: LwaClient) -> Application:
        if client.client_secret is None:
            raise InvalidRequest.of_field("lwa_client_secret", "must be set for an LWA client that is not known yet")
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
        await work.add_application(application, ApplicationSecrets(client.client_id, client.client_secret))
        return application

    async def _with_secret(self, work: Work, application: Application, client_secret: SecretStr) -> Application:
        """Store a secret that differs from the present one, and keep that one until Amazon stops taking it."""
        secrets = await work.application_secrets(application)
        if secrets.client_secret == client_secret:
            return application
        now = self._now()
        changed = replace(
            application,
            revision=application.revision + 1,
            version=application.version + 1,
            update_time=now,
            previous_secret_expire_time=now + OLD_SECRET_LIFE,
        )
        await work.save_application(
            changed, ApplicationSecrets(secrets.client_id, client_secret, secrets.client_secret)
        )
        return changed
