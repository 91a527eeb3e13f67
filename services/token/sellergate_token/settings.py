"""Settings of the token service."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from sellergate_common.central_settings import CentralSettings
from sellergate_common.crypto.sealing import KeyRing, ring_text
from sellergate_common.identity.policy import Access
from sellergate_common.outbound.settings import OutboundSettings
from sellergate_common.settings import CacheSettings, CopySettings, Port, ServerSettings, names, secure_url

from sellergate_token.rotation.webhooks import WebhookSecret, parse_secrets

_SERVICE = "sellergate.token.v1.TokenService/"


def _webhook_secrets(text: SecretStr) -> SecretStr:
    parse_secrets(text.get_secret_value())
    return text


class TokenSettings(ServerSettings, CacheSettings, CopySettings, CentralSettings, OutboundSettings):
    """The addresses of LWA, Seller and Vendor Central and the account service, and the keys of entries in Redis."""

    token_port: Port = 50052
    account_target: str = "127.0.0.1:50051"
    lwa_token_url: Annotated[str, AfterValidator(secure_url)] = "https://api.amazon.com/auth/o2/token"
    cache_keys_token: Annotated[
        SecretStr, AfterValidator(ring_text), Field(description="`sellergate keys new` makes one")
    ]
    token_callers: str = ""
    """Internal services ("client/billing, client/reports") that may call GetAccessToken and InvalidateAccessToken."""

    webhook_secrets: Annotated[SecretStr, AfterValidator(_webhook_secrets)] = SecretStr("")
    """Lines of `application_id secret`, at most two for each application, whose secrets sign messages to the rotation webhook."""
    rotation_queue_url: Annotated[str, AfterValidator(secure_url)] | None = None
    """The SQS queue of Amazon's notifications about the operator's applications; none: no queue is consumed."""
    rotation_queue_visibility_seconds: Annotated[int, Field(ge=1, le=43200)] = 120
    """Seconds after which SQS delivers an undeleted message again."""
    aws_region: str | None = Field(default=None, validation_alias="AWS_REGION")
    """Region of the queue; none: boto3's own configuration decides."""

    @property
    def webhooks(self) -> tuple[WebhookSecret, ...]:
        """The secrets in webhook_secrets."""
        return parse_secrets(self.webhook_secrets.get_secret_value())

    @property
    def ring(self) -> KeyRing:
        """The keys that seal cached tokens."""
        return KeyRing.parse(self.cache_keys_token.get_secret_value())

    @property
    def access(self) -> Access:
        """The methods that the identities in token_callers may call in addition to the policy."""
        callers = names(self.token_callers)
        return Access({_SERVICE + method: callers for method in ("GetAccessToken", "InvalidateAccessToken")})
