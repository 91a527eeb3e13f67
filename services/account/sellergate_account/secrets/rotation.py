"""An application's client secrets after a rotation: the present one, and the previous one that is tried beside it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import SecretStr

from sellergate_account.model import Application, ApplicationSecrets

# After a rotation Amazon accepts the old secret for 7 more days (developer docs, "rotating your app's LWA credentials").
OLD_SECRET_LIFE = timedelta(days=7)
# A secret must be rotated every 180 days (the same page).
SECRET_LIFE = timedelta(days=180)
# The most that Amazon's clock may be ahead of this process's clock.
ISSUE_SKEW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A client secret to store.

    `until` and `old_until` are the ends of this secret and of the previous one (None: 180 and 7 days from now). `issue_time` is
    when Amazon published it (None: an operator or user sent it).
    """

    client_secret: SecretStr
    until: datetime | None = None
    old_until: datetime | None = None
    issue_time: datetime | None = None


def is_superseded(new: NewSecret, application: Application) -> bool:
    """Return whether Amazon issued a secret before the newest stored one; of two issued at one time, the later end is newer."""
    newest = application.secret_issue_time
    if new.issue_time is None or newest is None:
        return False
    if new.issue_time != newest:
        return new.issue_time < newest
    end = application.secret_expire_time
    return new.until is None or end is None or new.until <= end


def rotate(
    application: Application, secrets: ApplicationSecrets, new: NewSecret, now: datetime
) -> tuple[Application, ApplicationSecrets]:
    """Return an application with a new secret; the present one becomes the previous one."""
    changed = replace(
        application,
        revision=application.revision + 1,
        version=application.version + 1,
        update_time=now,
        previous_secret_expire_time=new.old_until or now + OLD_SECRET_LIFE,
        secret_expire_time=new.until or now + SECRET_LIFE,
        # A secret from an operator is newer than all stored ones, and older than the next one that Amazon issues.
        secret_issue_time=new.issue_time or application.secret_issue_time,
    )
    stored = replace(secrets, client_secret=new.client_secret, previous_client_secret=secrets.client_secret)
    return changed, stored


def fill(
    application: Application, secrets: ApplicationSecrets, late: NewSecret, now: datetime
) -> tuple[Application, ApplicationSecrets] | None:
    """Return an application with a superseded secret as its previous one; None where it has one, or Amazon no longer accepts it."""
    if secrets.previous_client_secret is not None or application.secret_issue_time is None:
        return None
    until = min(late.until or now + SECRET_LIFE, application.secret_issue_time + OLD_SECRET_LIFE)
    if until <= now:
        return None
    changed = replace(
        application,
        revision=application.revision + 1,
        version=application.version + 1,
        update_time=now,
        previous_secret_expire_time=until,
    )
    return changed, replace(secrets, previous_client_secret=late.client_secret)
