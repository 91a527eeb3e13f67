"""Access tokens: LWA's for a seller or a scope, and restricted ones for personal data."""

import secrets
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote

# Expired tokens are kept for a while, because Amazon distinguishes "has expired" from "revoked, malformed or invalid".
_REMEMBERED_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class RestrictedResource:
    """A resource of a Restricted Data Token: one method on one path, or on a template with braces."""

    method: str
    path: str
    data_elements: frozenset[str]

    def covers(self, method: str, encoded_path: str) -> bool:
        """Return whether the resource covers a request. Compares segments, without the catalogue's router."""
        wanted, got = self.path.split("/"), encoded_path.split("/")
        return self.method == method and len(wanted) == len(got) and all(map(_segment_covers, wanted, got))


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The data of an access token. Without a seller it is grantless and has a scope."""

    client_id: str
    application_id: str
    selling_partner_id: str | None
    scope: str | None
    expires_at: float
    resources: tuple[RestrictedResource, ...] = ()
    """The resources of a Restricted Data Token; empty for any other token."""
    grant: str = ""
    """The digest of the refresh token for which it was issued; empty without one."""

    def resource_for(self, method: str, encoded_path: str) -> RestrictedResource | None:
        """Return the resource that covers a request."""
        return next((resource for resource in self.resources if resource.covers(method, encoded_path)), None)


class AccessTokens:
    """All access tokens that are valid or expired recently."""

    def __init__(self) -> None:
        self._known: dict[str, AccessToken] = {}

    def issue(self, token: AccessToken, now: float) -> str:
        """Store a token and return its text, with Amazon's prefixes."""
        self._forget(now)
        prefix = "Atz.sprdt|" if token.resources else "Atza|"
        text = prefix + secrets.token_urlsafe(96)
        self._known[text] = token
        return text

    def find(self, text: str) -> AccessToken | None:
        """Return the token of a text, even if it expired recently, or None."""
        return self._known.get(text)

    def revoke(self, client_id: str, selling_partner_id: str) -> None:
        """Delete every token of a seller for a client."""
        owner = (client_id, selling_partner_id)
        for text in [t for t, token in self._known.items() if (token.client_id, token.selling_partner_id) == owner]:
            del self._known[text]

    def clear(self) -> None:
        """Delete all tokens."""
        self._known.clear()

    def _forget(self, now: float) -> None:
        """Delete tokens that expired long ago, so that memory stays bounded in a long run."""
        for text, token in list(islice(self._known.items(), 8)):
            if token.expires_at + _REMEMBERED_SECONDS < now:
                del self._known[text]


def _segment_covers(wanted: str, got: str) -> bool:
    if wanted.startswith("{") and wanted.endswith("}"):
        return got != ""
    return unquote(wanted) == unquote(got)
