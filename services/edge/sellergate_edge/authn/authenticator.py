"""The port of authentication."""

from collections.abc import Mapping
from typing import Protocol


class Authenticator(Protocol):
    """Finds the user that sent a request, from the headers of the request. Header names are in lower case."""

    def has_credentials(self, headers: Mapping[str, str]) -> bool:
        """Return whether the headers carry credentials of this kind, valid or not."""

    async def authenticate(self, headers: Mapping[str, str]) -> str:
        """Return the user id. Raises Unauthenticated for missing or invalid credentials, Unavailable while that is unknown."""
