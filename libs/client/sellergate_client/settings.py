"""Settings of the client library: addresses of the services, and this program's certificate."""

from sellergate_common.settings import TlsSettings

TOKEN_TARGET = "127.0.0.1:50052"


class ClientSettings(TlsSettings):
    """Read from SELLERGATE_GATEWAY_TARGET, …_ACCOUNT_TARGET, …_TOKEN_TARGET and the SELLERGATE_TLS_ variables."""

    gateway_target: str = "127.0.0.1:50054"
    account_target: str = "127.0.0.1:50051"
    token_target: str = TOKEN_TARGET
