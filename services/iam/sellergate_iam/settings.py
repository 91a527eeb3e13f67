"""Settings of the iam service. boto3's chain finds its own AWS credentials and reads the AWS_ variables itself."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from sellergate_common.crypto.sealing import KeyRing, ring_text
from sellergate_common.outbound.settings import OutboundSettings
from sellergate_common.settings import CacheSettings, CopySettings, Port, ServerSettings, names
from sellergate_common.site_settings import SiteSettings


class IamSettings(ServerSettings, CacheSettings, CopySettings, SiteSettings, OutboundSettings):
    """Addresses of the account service and of SP-API, permitted callers, and the keys of the credentials cache."""

    iam_port: Port = 50053
    account_target: str = "127.0.0.1:50051"
    cache_keys_credentials: Annotated[
        SecretStr, AfterValidator(ring_text), Field(description="`sellergate keys new` makes one")
    ]
    role_arn_allow: str = ""
    """Patterns of the role ARNs that may be assumed ("arn:aws:iam::*:role/sp-api-*"); none: all."""
    credential_callers: str = ""
    """Internal services ("client/billing") that may call AssumeRole."""
    aws_region: str = Field(default="us-east-1", validation_alias="AWS_REGION")
    """The region of the STS for roles without an account; an account names its own region."""

    @property
    def ring(self) -> KeyRing:
        """The keys that seal cached credentials."""
        return KeyRing.parse(self.cache_keys_credentials.get_secret_value())

    @property
    def allowed_roles(self) -> tuple[str, ...]:
        """The patterns in role_arn_allow."""
        return tuple(sorted(names(self.role_arn_allow)))

    @property
    def callers(self) -> frozenset[str]:
        """The identities in credential_callers."""
        return names(self.credential_callers)
