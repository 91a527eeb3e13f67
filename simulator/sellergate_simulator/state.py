"""The state of the simulated Amazon: applications, sellers, grants, roles, keys and sessions."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hmac import compare_digest

from sellergate_amazon.marketplaces import Region, marketplace_by_id

from sellergate_simulator.seed import Seed


@dataclass(slots=True)
class ClientSecret:
    """A secret and its expiry (seconds since 1970; None: no expiry)."""

    value: str = field(repr=False)
    expires_at: float | None = None


@dataclass(slots=True)
class Application:
    """An LWA client with its secrets, newest first."""

    application_id: str
    client_id: str
    secrets: list[ClientSecret]
    redirect_uris: tuple[str, ...] = ()
    login_uri: str | None = None
    draft: bool = False

    def accepts(self, secret: str, now: float) -> bool:
        """Return whether the secret is valid at this time."""
        live = [known for known in self.secrets if known.expires_at is None or known.expires_at > now]
        return any(compare_digest(known.value.encode(), secret.encode()) for known in live)

    def rotate(self, new_secret: str, old_expires_at: float) -> None:
        """Add a new secret, and let the previous newest one expire at the given time."""
        self.secrets = [ClientSecret(new_secret), ClientSecret(self.secrets[0].value, old_expires_at)]


@dataclass(frozen=True, slots=True)
class RotationQueue:
    """The SQS queue for an application's new secrets."""

    url: str
    region: str


@dataclass(slots=True)
class Seller:
    """A selling partner."""

    selling_partner_id: str
    marketplace_ids: tuple[str, ...]

    def marketplaces_in(self, region: Region | None) -> tuple[str, ...]:
        """Return the IDs of the seller's marketplaces in a region (without one: in all), in the seller's order."""
        return tuple(marketplace for marketplace in self.marketplace_ids if _lies_in(marketplace, region))


@dataclass(slots=True)
class Grant:
    """The data of a refresh token: one seller's consent to one client."""

    client_id: str
    selling_partner_id: str
    revoked: bool = False


@dataclass(slots=True)
class AuthorizationCode:
    """A code of the website authorization, for one exchange."""

    client_id: str
    selling_partner_id: str
    expires_at: float
    redirect_uri: str | None = None
    """The redirect URI of the code; an exchange with another one is refused."""
    withdrawn: bool = False
    """Whether consent is withdrawn at once, so that the code's refresh token never works."""


@dataclass(slots=True)
class AppstoreVisit:
    """A visit of a partner from the Appstore to an application, until the browser returns."""

    application_id: str
    selling_partner_id: str
    expires_at: float


@dataclass(slots=True)
class AwsKey:
    """A key that signs requests; a temporary one has a session token, an expiry and its role."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    assumed_role_arn: str | None = None


@dataclass(slots=True)
class World:
    """The whole state of the simulator, kept in memory until the process ends."""

    applications: dict[str, Application] = field(default_factory=dict)
    """By client ID."""
    sellers: dict[str, Seller] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict, repr=False)
    """By refresh token."""
    codes: dict[str, AuthorizationCode] = field(default_factory=dict, repr=False)
    rotation_queues: dict[str, RotationQueue] = field(default_factory=dict)
    """By client ID."""
    visits: dict[str, AppstoreVisit] = field(default_factory=dict, repr=False)
    """By amazon_state."""
    signed_in: str | None = None
    """The partner that consents on the consent page at once; None: the page requires a click."""
    roles: dict[str, str | None] = field(default_factory=dict)
    """External id by ARN."""
    aws_keys: dict[str, AwsKey] = field(default_factory=dict)
    """Long-lived and temporary keys, by access key ID."""
    token_life_seconds: float = 3600.0
    """The life in seconds of access tokens that LWA issues from now on."""
    processing_step_seconds: float = 0.2
    """The seconds that a report or feed is IN_QUEUE, and then IN_PROGRESS."""

    def seed(self, seed: Seed) -> None:
        """Merge a seed: its entries are added or replaced, and all others stay.

        Raises ValueError, without a change, when a refresh token belongs to an unknown client.
        """
        clients = {*self.applications, *(application.client_id for application in seed.applications)}
        for index, seller in enumerate(seed.sellers):
            for position, grant in enumerate(seller.refresh_tokens):
                if grant.client_id not in clients:
                    where = f"sellers[{index}].refresh_tokens[{position}].client_id"
                    raise ValueError(f"{where}: no application has this client id.")
        for application in seed.applications:
            given = (application.client_secret, application.previous_client_secret)
            secrets = [ClientSecret(secret.get_secret_value()) for secret in given if secret is not None]
            self.applications[application.client_id] = Application(
                application.application_id,
                application.client_id,
                secrets,
                tuple(application.redirect_uris),
                application.login_uri,
                application.draft,
            )
        for seller in seed.sellers:
            marketplaces = tuple(dict.fromkeys(seller.marketplace_ids))
            self.sellers[seller.selling_partner_id] = Seller(seller.selling_partner_id, marketplaces)
            for grant in seller.refresh_tokens:
                token = grant.refresh_token.get_secret_value()
                self.grants[token] = Grant(grant.client_id, seller.selling_partner_id)
        self.roles.update({role.arn: role.external_id for role in seed.roles})
        self.add_keys(AwsKey(key.access_key_id, key.secret_access_key.get_secret_value()) for key in seed.aws_keys)

    def application(self, application_id: str) -> Application | None:
        """Return the application with Amazon's application ID, or None."""
        known = self.applications.values()
        return next((application for application in known if application.application_id == application_id), None)

    def add_keys(self, keys: Iterable[AwsKey]) -> None:
        """Add keys that may sign requests."""
        self.aws_keys.update({key.access_key_id: key for key in keys})

    def expire_sessions(self, now: float) -> int:
        """Expire all temporary keys; return how many there were."""
        sessions = [key for key in self.aws_keys.values() if key.expires_at is not None and key.expires_at > now]
        for key in sessions:
            key.expires_at = now
        return len(sessions)


def _lies_in(marketplace_id: str, region: Region | None) -> bool:
    marketplace = marketplace_by_id(marketplace_id)
    return marketplace is not None and (region is None or marketplace.region is region)
