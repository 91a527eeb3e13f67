"""The port of authentication."""

from collections.abc import Mapping
from typing import Protocol


class Authenticator(Protocol):
    """An authentication of users by the headers of their requests. Header names are in lower case."""

    def has_credentials(self, headers: Mapping[str, str]) -> bool:
        """Return whether the headers carry credentials of this kind, valid or not."""

    async def authenticate(self, headers: Mapping[str, str]) -> str:
        """Return the user id. Raises Unauthenticated for missing or invalid credentials, Unavailable while that is unknown."""
