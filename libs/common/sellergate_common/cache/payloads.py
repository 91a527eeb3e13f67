"""The JSON of shared entries: the owner of an entry writes it, and the gateway reads it too.

Replicas of two releases share the entries, so fields are only added, and a reader ignores unknown fields.
"""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from sellergate_amazon import parsing


@dataclass(frozen=True, slots=True)
class TokenPayload:
    """An entry of an access token. `expire_time` is in seconds since the epoch, `life` in seconds from issue to expiry.

    `refresh_token` is set where Amazon sent a new one with the access token.
    """

    access_token: SecretStr
    expire_time: float
    life: float
    refresh_token: SecretStr | None = None

    def encode(self) -> str:
        """Return the entry as text, which is secret."""
        entry = {
            "access_token": self.access_token.get_secret_value(),
            "expire_time": self.expire_time,
            "life": self.life,
        }
        if self.refresh_token is not None:
            entry["refresh_token"] = self.refresh_token.get_secret_value()
        return json.dumps(entry)

    @classmethod
    def decode(cls, text: str) -> "TokenPayload":
        """Read the text of an entry. Raises ValueError, TypeError or KeyError for another shape."""
        entry = read_entry(text)
        access_token, refresh_token = _secret(entry["access_token"]), entry.get("refresh_token")
        return cls(
            access_token,
            parsing.seconds_in(entry, "expire_time"),
            parsing.seconds_in(entry, "life"),
            _secret(refresh_token) if refresh_token else None,
        )


@dataclass(frozen=True, slots=True)
class CredentialsPayload:
    """An entry of AWS credentials. `expire_time` is in seconds since the epoch, `life` in seconds from issue to expiry."""

    access_key_id: SecretStr
    secret_access_key: SecretStr
    session_token: SecretStr
    expire_time: float
    life: float

    def encode(self) -> str:
        """Return the entry as text, which is secret."""
        entry = {
            "access_key_id": self.access_key_id.get_secret_value(),
            "secret_access_key": self.secret_access_key.get_secret_value(),
            "session_token": self.session_token.get_secret_value(),
            "expire_time": self.expire_time,
            "life": self.life,
        }
        return json.dumps(entry)

    @classmethod
    def decode(cls, text: str) -> "CredentialsPayload":
        """Read the text of an entry. Raises ValueError, TypeError or KeyError for another shape."""
        entry = read_entry(text)
        return cls(
            _secret(entry["access_key_id"]),
            _secret(entry["secret_access_key"]),
            _secret(entry["session_token"]),
            parsing.seconds_in(entry, "expire_time"),
            parsing.seconds_in(entry, "life"),
        )


def read_entry(text: str) -> dict[str, Any]:
    """Return the fields of an entry. Raises ValueError for another shape."""
    try:
        return parsing.object_of(json.loads(text))
    except RecursionError:
        raise ValueError("The entry of the cache is nested too deeply; it counts as missing.") from None


def _secret(value: Any) -> SecretStr:
    if not isinstance(value, str):
        raise TypeError("A secret of a shared entry must be text; the entry counts as missing.")
    return SecretStr(value)
