"""The seed document: the simulated Amazon's applications, sellers, roles and keys."""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError, field_validator
from sellergate_amazon.marketplaces import marketplace_by_id

Text = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
RoleArn = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$")]


class Strict(BaseModel):
    """A document that refuses unknown fields, and whose errors repeat no input."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class ApplicationSeed(Strict):
    """An LWA client."""

    application_id: Text
    client_id: Text
    client_secret: SecretStr
    previous_client_secret: SecretStr | None = None
    redirect_uris: list[Text] = []
    """Registered OAuth redirect URIs, the default one first."""
    login_uri: Text | None = None
    """OAuth login URI, to which the Appstore sends a seller."""
    draft: bool = False


class RefreshTokenSeed(Strict):
    """A seller's authorization of an application."""

    client_id: Text
    refresh_token: SecretStr


class SellerSeed(Strict):
    """A selling partner and its marketplaces."""

    selling_partner_id: Text
    marketplace_ids: list[str] = Field(min_length=1)
    refresh_tokens: list[RefreshTokenSeed] = []

    @field_validator("marketplace_ids")
    @classmethod
    def _known(cls, ids: list[str]) -> list[str]:
        for marketplace_id in ids:
            if marketplace_by_id(marketplace_id) is None:
                raise ValueError(f"{marketplace_id} is not one of Amazon's marketplace IDs")
        return ids


class RoleSeed(Strict):
    """A role that may be assumed; with an external ID, only by callers that send it."""

    arn: RoleArn
    external_id: str | None = None


class AwsKeySeed(Strict):
    """A long-lived key that may call STS."""

    access_key_id: Text
    secret_access_key: SecretStr


class Seed(Strict):
    """The seed document; every list is optional."""

    applications: list[ApplicationSeed] = []
    sellers: list[SellerSeed] = []
    roles: list[RoleSeed] = []
    aws_keys: list[AwsKeySeed] = []


def sentence(error: ValidationError) -> str:
    """Return the faults of a document in one sentence that names fields and never values."""
    parts = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        field = re.sub(r"\.(\d+)", r"[\1]", ".".join(str(step) for step in item["loc"])) or "body"
        message = item["msg"].removeprefix("Value error, ")
        parts.append(f"{field}: {message[0].lower()}{message[1:]}")
    return "; ".join(parts) + "."
