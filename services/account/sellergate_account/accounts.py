"""The rules of accounts: which user may see them, how they change, and when their revision grows."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from pydantic import SecretStr
from sellergate_amazon.marketplaces import marketplace_by_code
from sellergate_common.context import bind
from sellergate_common.errors import Conflict, InvalidRequest, NotFound, PreconditionFailed

from sellergate_account import model
from sellergate_account.account_fields import check_labels, check_marketplace_ids, check_ref_is_free, marketplace_code
from sellergate_account.applications import Applications, LwaClient, check_future
from sellergate_account.audit import Audit
from sellergate_account.changes.publishing import write_and_publish
from sellergate_account.changes.retry import retry_transaction
from sellergate_account.model import (
    DEFAULT_LIMITS,
    Account,
    Application,
    ApplicationSecrets,
    Changes,
    Cursor,
    Filter,
    Limits,
    Origin,
    Renewal,
    Signing,
    State,
    VerificationMethod,
    check_etag,
)
from sellergate_account.ports.change_publisher import ChangePublisher
from sellergate_account.ports.errors import DecryptionError, UserLimitReached
from sellergate_account.ports.unit_of_work import Store, UnitOfWork
from sellergate_account.secrets.rules import CLIENT_SECRET, REFRESH_TOKEN, check_connection, check_credentials

DEFAULT_REGION = "us-east-1"
ID = model.ID
# A change of any of these fields raises the revision.
_CREDENTIALS = frozenset(
    {"application_id", "iam_role_arn", "role_without_external_id", "state", "refresh_token", "lwa_client_secret"}
)

_NOTHING_NEW = Renewal()
_EXCHANGE = VerificationMethod.REFRESH_TOKEN

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Connection:
    """The fields that connect a seller. None keeps the stored value, or selects the default on a new account."""

    user_id: str
    amazon_seller_id: str
    marketplace: str
    application_id: str = ""
    client: LwaClient | None = None
    refresh_token: SecretStr | None = None
    iam_role_arn: str | None = None
    marketplace_ids: tuple[str, ...] | None = None
    region: str | None = None
    signing: Signing | None = None
    sandbox: bool | None = None
    authorization_expire_time: datetime | None = None
    external_ref: str | None = None
    labels: Mapping[str, str] | None = None


class Accounts:
    """The operations on accounts. `user` restricts each call to that user's accounts; an empty `user` allows all accounts."""

    def __init__(
        self,
        store: Store,
        applications: Applications,
        audit: Audit,
        publisher: ChangePublisher,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        new_external_id: Callable[[], str],
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._store = store
        self._applications = applications
        self._audit = audit
        self._publisher = publisher
        self._now = now
        self._new_id = new_id
        self._new_external_id = new_external_id
        self._limits = limits

    async def upsert(self, connection: Connection) -> tuple[Account, bool]:
        """Store a seller; return the account and whether it is new. Raises InvalidRequest, NotFound."""
        marketplace = marketplace_code(connection.marketplace, "marketplace")
        check_marketplace_ids(connection.marketplace_ids)
        check_labels(connection.labels)
        check_connection(connection)
        check_future(connection.authorization_expire_time, self._now(), "authorization_expire_time")
        connection = replace(connection, marketplace=marketplace)
        return await self._write(lambda work: self._upsert(work, connection))

    async def get(self, account_id: str, user: str) -> Account:
        """Return one account. Raises NotFound, with one message for an unknown id, a malformed id and another user's account."""
        async with self._store.reading_once() as work:
            return await self.get_owned(work, account_id, user)

    async def with_application(self, account_id: str, user: str) -> tuple[Account, Application]:
        """Return one account and its application. Raises the errors of `get`."""
        async with self._store.reading_once() as work:
            account = await self.get_owned(work, account_id, user, with_application=True)
            return account, await self._applications.get_existing(work, account.application_id)

    async def list(self, narrowed: Filter, after: Cursor | None, limit: int) -> tuple[Account, ...]:
        """Return at most `limit` accounts in order of creation, beginning after a cursor."""
        async with self._store.reading_once() as work:
            return tuple(await work.accounts.list(narrowed, after, limit))

    async def update(self, account_id: str, user: str, changes: Changes, etag: str) -> Account:
        """Change single fields. Raises InvalidRequest, NotFound, Conflict."""
        check_marketplace_ids(changes.marketplace_ids, "account.marketplace_ids")
        check_labels(changes.labels, "account.labels")
        check_credentials({REFRESH_TOKEN: changes.refresh_token, CLIENT_SECRET: changes.client_secret})
        check_future(changes.authorization_expire_time, self._now(), "account.authorization_expire_time")

        async def change(work: UnitOfWork) -> Account:
            account = await self.get_owned(work, account_id, user)
            check_etag(account, etag)
            if changes.application_id is not None:
                await self._applications.get_usable(work, changes.application_id, account.user_id)
            if changes.client_secret is not None:
                await self._applications.store_secret(work, account, changes.client_secret)
            changed = replace(
                account,
                application_id=_or(changes.application_id, account.application_id),
                iam_role_arn=_or(changes.iam_role_arn, account.iam_role_arn),
                marketplace_ids=_or(changes.marketplace_ids, account.marketplace_ids),
                region=_or(changes.region, account.region) or DEFAULT_REGION,
                signing=_or(changes.signing, account.signing),
                sandbox=_or(changes.sandbox, account.sandbox),
                authorization_expire_time=_or(changes.authorization_expire_time, account.authorization_expire_time),
                role_without_external_id=_or(changes.role_without_external_id, account.role_without_external_id),
                external_ref=_or(changes.external_ref, account.external_ref),
                labels=_or(changes.labels, account.labels),
            )
            secrets = Renewal(
                changes.refresh_token, changes.authorization_expire_time is None, changes.client_secret is not None
            )
            return await self._save(work, "account.updated", account, changed, secrets)

        return await self._write(change)

    async def set_active(self, account_id: str, user: str, etag: str, *, active: bool) -> Account:
        """Make an account active or inactive. Raises NotFound, Conflict."""

        async def change(work: UnitOfWork) -> Account:
            account = await self.get_owned(work, account_id, user)
            check_etag(account, etag)
            if not active:
                return await self._save(work, "account.deactivated", account, replace(account, state=State.INACTIVE))
            state = State.ACTIVE if account.state is State.INACTIVE else account.state
            return await self._save(work, "account.activated", account, replace(account, state=state))

        return await self._write(change)

    async def remove(self, account_id: str, user: str, etag: str) -> None:
        """Remove an account permanently. Raises NotFound, Conflict."""

        async def change(work: UnitOfWork) -> None:
            account = await self.get_owned(work, account_id, user)
            check_etag(account, etag)
            await self._audit.account_removed(work.audit_log, account.account_id)
            await work.accounts.remove(account.account_id)

        await self._write(change, account_id)

    async def secrets(
        self, account_id: str, *, verifying: bool = False
    ) -> tuple[Account, Application, ApplicationSecrets, SecretStr]:
        """Return the secrets for a token exchange, once the access is recorded. `verifying` allows a revoked account too.

        Raises NotFound, PreconditionFailed.
        """
        async with self._store.reading_once() as work:
            account = await self.get_owned(work, account_id, "", with_application=True)
            if not (verifying and account.state is State.AUTHORIZATION_REVOKED):
                check_usable(account)
            application = await self._applications.get_existing(work, account.application_id)
            secrets = await self._applications.open_secrets(work, application)
            refresh_token = await work.accounts.read_refresh_token(account)

        async def record(work: UnitOfWork) -> None:
            await self.get_owned(work, account_id, "")
            await self._audit.record(work.audit_log, "secrets.read", account_id)

        await retry_transaction(self._store, record)
        return account, application, secrets, refresh_token

    async def note(self, account_id: str, action: str, detail: str) -> None:
        """Record in the audit log what another service does with an account. Raises NotFound."""

        async def record(work: UnitOfWork) -> None:
            await self.get_owned(work, account_id, "")
            await self._audit.record(work.audit_log, action, account_id, detail=detail)

        await retry_transaction(self._store, record)

    async def rotate_refresh_token(
        self, account_id: str, expected_revision: int, refresh_token: SecretStr, consent_until: datetime | None = None
    ) -> Account:
        """Store the refresh token that Amazon sent, if the account is at the expected revision.

        Raises InvalidRequest, NotFound, Conflict.
        """
        check_credentials({REFRESH_TOKEN: refresh_token})

        async def change(work: UnitOfWork) -> Account:
            account = self._check_revision(await self.get_owned(work, account_id, ""), expected_revision)
            changed = replace(account, authorization_expire_time=_or(consent_until, account.authorization_expire_time))
            return await self._save(
                work, "refresh_token.rotated", account, changed, Renewal(refresh_token, is_verified=True)
            )

        return await self._write(change)

    async def mark_revoked(self, account_id: str, expected_revision: int) -> Account:
        """Record that Amazon refused the refresh token of the expected revision. Raises NotFound, Conflict."""

        async def change(work: UnitOfWork) -> Account:
            account = await self.get_owned(work, account_id, "")
            if account.state is State.AUTHORIZATION_REVOKED:
                return account
            account = self._check_revision(account, expected_revision)
            revoked = replace(account, state=State.AUTHORIZATION_REVOKED)
            return await self._save(work, "authorization.revoked", account, revoked)

        return await self._write(change)

    async def restore(self, account_id: str, expected_revision: int, method: VerificationMethod = _EXCHANGE) -> Account:
        """Record that Amazon accepted the refresh token, which makes a revoked account active. Raises NotFound, Conflict."""

        async def change(work: UnitOfWork) -> Account:
            account = self._check_revision(await self.get_owned(work, account_id, ""), expected_revision)
            if account.state is State.INACTIVE:
                return account
            action = "verified" if account.state is State.ACTIVE else "restored"
            accepted = replace(
                account, state=State.ACTIVE, verified_time=self._now(), verification_method=method or _EXCHANGE
            )
            return await self._save(work, f"authorization.{action}", account, accepted)

        return await self._write(change)

    async def _upsert(self, work: UnitOfWork, connection: Connection) -> tuple[Account, bool]:
        found = await work.accounts.find(connection.user_id, connection.amazon_seller_id, connection.marketplace)
        current = found.application_id if found else ""
        application = await self._applications.for_connection(
            work,
            connection.user_id,
            connection.application_id or ("" if connection.client else current),
            connection.client,
        )
        if found is None:
            return await self.create(work, connection, application.application_id, Origin()), True
        changed = replace(
            found,
            application_id=application.application_id,
            iam_role_arn=_or(connection.iam_role_arn, found.iam_role_arn),
            marketplace_ids=_or(connection.marketplace_ids, found.marketplace_ids),
            region=_or(connection.region, found.region),
            signing=_or(connection.signing, found.signing),
            sandbox=_or(connection.sandbox, found.sandbox),
            authorization_expire_time=_or(connection.authorization_expire_time, found.authorization_expire_time),
            external_ref=_or(connection.external_ref, found.external_ref),
            labels=_or(connection.labels, found.labels),
            # Only a new refresh token, or an exchange that Amazon accepts, makes a revoked account active.
            state=found.state if found.state is State.AUTHORIZATION_REVOKED else State.ACTIVE,
        )
        secrets = Renewal(connection.refresh_token, connection.authorization_expire_time is None)
        return await self._save(work, "account.updated", found, changed, secrets), False

    async def create(self, work: UnitOfWork, connection: Connection, application_id: str, origin: Origin) -> Account:
        """Store a new account within a transaction. Raises InvalidRequest, UserLimitReached, DuplicateKey."""
        if connection.refresh_token is None:
            raise InvalidRequest.of_field("refresh_token", "must be set to connect a new seller")
        if await work.accounts.count(connection.user_id, self._limits.accounts) >= self._limits.accounts:
            raise UserLimitReached("accounts", self._limits.accounts)
        home = marketplace_by_code(connection.marketplace)
        assert home is not None  # noqa: S101  (checked by the callers)
        now = self._now()
        for field, time in (("create_time", origin.create_time), ("update_time", origin.update_time)):
            if time is not None and time > now:
                raise InvalidRequest.of_field(field, "must not lie in the future")
        account = Account(
            account_id=origin.account_id or self._new_id(),
            user_id=connection.user_id,
            application_id=application_id,
            amazon_seller_id=connection.amazon_seller_id,
            marketplace=connection.marketplace,
            marketplace_ids=connection.marketplace_ids or (home.id,),
            region=connection.region or DEFAULT_REGION,
            iam_role_arn=connection.iam_role_arn or "",
            external_id=await work.external_ids.get_or_add(connection.user_id, self._new_external_id()),
            signing=connection.signing or Signing.AUTO,
            sandbox=bool(connection.sandbox),
            state=origin.state,
            refresh_token_set=True,
            authorization_expire_time=connection.authorization_expire_time,
            revision=1,
            version=1,
            create_time=origin.create_time or now,
            update_time=origin.update_time or origin.create_time or now,
            role_without_external_id=origin.role_without_external_id,
            external_ref=connection.external_ref or "",
            labels=connection.labels or {},
        )
        await check_ref_is_free(work.accounts, account)
        await work.accounts.add(account, connection.refresh_token)
        if origin.account_id:
            await work.audit_log.resume_chain(origin.account_id)
        await self._audit.account_created(work.audit_log, account.account_id, origin.detail)
        return account

    async def _save(
        self, work: UnitOfWork, action: str, before: Account, after: Account, renewal: Renewal = _NOTHING_NEW
    ) -> Account:
        """Store and record the changed fields, if there are any. A changed credential or state raises the revision."""
        token = renewal.refresh_token
        if token is None and after.application_id != before.application_id:
            await self._applications.check_same_client(work, before.application_id, after.application_id)
        if token is not None and await self._has(work, before, token):
            token = None
        if token is not None and renewal.renews_consent:
            # The seller consented at an unknown time, perhaps long ago: the token may be an older one.
            after = replace(after, authorization_expire_time=None)
        if token is not None:
            verified = (self._now(), _EXCHANGE) if renewal.is_verified else (None, VerificationMethod.NONE)
            after = replace(after, verified_time=verified[0], verification_method=verified[1])
        if token is not None and after.state is State.AUTHORIZATION_REVOKED:
            after = replace(after, state=State.ACTIVE)
        changed = [name for name in Account.__dataclass_fields__ if getattr(before, name) != getattr(after, name)]
        changed += ["refresh_token"] * (token is not None) + ["lwa_client_secret"] * renewal.client_secret
        if not changed:
            return before
        if "external_ref" in changed:
            await check_ref_is_free(work.accounts, after)
        raises = not _CREDENTIALS.isdisjoint(changed)
        if raises and _CREDENTIALS.intersection(changed) == {"state"} and not await self._has(work, before, None):
            # A token that does not open cannot be sealed for another revision, and a change of state must not lose it.
            raises = False
        after = replace(after, revision=before.revision + raises, version=before.version + 1, update_time=self._now())
        await work.accounts.save(after, token)
        await self._audit.record(work.audit_log, action, after.account_id, detail=",".join(changed))
        return after

    async def _has(self, work: UnitOfWork, account: Account, token: SecretStr | None) -> bool:
        """Return whether `token` is the account's refresh token; with None, whether the stored one opens."""
        try:
            stored = await work.accounts.read_refresh_token(account)
        except DecryptionError:
            return False
        return token is None or stored == token

    async def get_owned(
        self, work: UnitOfWork, account_id: str, user: str, *, with_application: bool = False
    ) -> Account:
        """Return an account that the user may see. Raises NotFound as `get` does."""
        known = ID.fullmatch(account_id)
        account = await work.accounts.get(account_id, with_application=with_application) if known else None
        if account is None or (user and account.user_id != user):
            raise NotFound.account(account_id)
        bind(account_id)
        return account

    async def _write(self, change: Callable[[UnitOfWork], Awaitable[_Result]], account_id: str = "") -> _Result:
        return await write_and_publish(self._store, self._publisher, change, account_id)

    def _check_revision(self, account: Account, expected: int) -> Account:
        if account.revision != expected:
            raise Conflict(
                f"The account's credentials are at revision {account.revision} and no longer at {expected}; nothing was changed."
            )
        return account


def check_usable(account: Account) -> None:
    """Raise PreconditionFailed unless the account can be used."""
    if account.state is State.INACTIVE:
        raise PreconditionFailed.inactive()
    if account.state is State.AUTHORIZATION_REVOKED:
        raise PreconditionFailed.revoked()


def _or(new: _Result | None, old: _Result) -> _Result:
    return old if new is None else new
