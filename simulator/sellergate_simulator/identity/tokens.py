"""Access tokens: those of LWA for a seller or a scope, and the restricted ones that show personal data."""

import secrets
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote

# An expired token is remembered for a while, because Amazon distinguishes "has expired" from "revoked, malformed or invalid".
_REMEMBERED_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class RestrictedResource:
    """What a Restricted Data Token opens: one method on one path, or on a template written with braces."""

    method: str
    path: str
    data_elements: frozenset[str]

    def covers(self, method: str, encoded_path: str) -> bool:
        """Whether a request is the one named here. Compared by segments, without the catalogue's router."""
        wanted, got = self.path.split("/"), encoded_path.split("/")
        return self.method == method and len(wanted) == len(got) and all(map(_segment_covers, wanted, got))


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What an access token stands for. Without a seller it is grantless and has a scope."""

    client_id: str
    application_id: str
    selling_partner_id: str | None
    scope: str | None
    expires_at: float
    resources: tuple[RestrictedResource, ...] = ()
    """Not empty: a Restricted Data Token."""

    def resource_for(self, method: str, encoded_path: str) -> RestrictedResource | None:
        """Return the resource that covers a request."""
        return next((resource for resource in self.resources if resource.covers(method, encoded_path)), None)


class AccessTokens:
    """All access tokens that are valid or were so lately."""

    def __init__(self) -> None:
        self._known: dict[str, AccessToken] = {}

    def issue(self, token: AccessToken, now: float) -> str:
        """Remember a token and return the text that stands for it (prefixes as Amazon's: facts of LWA and Tokens)."""
        self._forget(now)
        prefix = "Atz.sprdt|" if token.resources else "Atza|"
        text = prefix + secrets.token_urlsafe(96)
        self._known[text] = token
        return text

    def find(self, text: str) -> AccessToken | None:
        """Return what a text stands for, also when it expired lately, or None."""
        return self._known.get(text)

    def revoke(self, client_id: str, selling_partner_id: str) -> None:
        """Forget every token of a seller for a client."""
        owner = (client_id, selling_partner_id)
        for text in [t for t, token in self._known.items() if (token.client_id, token.selling_partner_id) == owner]:
            del self._known[text]

    def clear(self) -> None:
        """Forget every token."""
        self._known.clear()

    def _forget(self, now: float) -> None:
        """Drop from the oldest on what expired long ago, so that a long run does not grow without end."""
        for text, token in list(islice(self._known.items(), 8)):
            if token.expires_at + _REMEMBERED_SECONDS < now:
                del self._known[text]


def _segment_covers(wanted: str, got: str) -> bool:
    if wanted.startswith("{") and wanted.endswith("}"):
        return got != ""
    return unquote(wanted) == unquote(got)
