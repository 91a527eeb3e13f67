"""Settings of the token service."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from sellergate_common.sealing import KeyRing, ring_text
from sellergate_common.settings import CacheSettings, Port, ServerSettings, names, secure_url


class TokenSettings(ServerSettings, CacheSettings):
    """Where LWA and the account service are, and the keys of the token cache."""

    token_port: Port = 50052
    account_target: str = "127.0.0.1:50051"
    lwa_token_url: Annotated[str, AfterValidator(secure_url)] = "https://api.amazon.com/auth/o2/token"
    cache_keys_token: Annotated[
        SecretStr, AfterValidator(ring_text), Field(description="`sellergate keys new` makes one")
    ]
    token_callers: str = ""
    """Internal services ("client/billing, client/reports") that may call GetAccessToken."""

    @property
    def ring(self) -> KeyRing:
        """The keys that seal cached tokens."""
        return KeyRing.parse(self.cache_keys_token.get_secret_value())

    @property
    def callers(self) -> frozenset[str]:
        """The identities in token_callers."""
        return names(self.token_callers)
