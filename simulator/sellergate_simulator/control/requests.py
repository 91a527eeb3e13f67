"""The bodies that the control API takes."""

from typing import Annotated, Literal

from pydantic import Base64Bytes, Field, SecretStr

from sellergate_simulator.http.responses import Response
from sellergate_simulator.seed import Strict, Text

Seconds = Annotated[float, Field(ge=0, le=86_400)]


class Reset(Strict):
    """POST /control/reset: counters, buckets and faults; with `tokens` also every access token."""

    tokens: bool = False


class Rates(Strict):
    """POST /control/rates: multiply Amazon's rates and bursts, of all operations or of one."""

    scale: Annotated[float, Field(gt=0, le=1e9)]
    burst_scale: Annotated[float, Field(gt=0, le=1e9)] = 1.0
    operation: str | None = None
    header: bool = True
    """Whether responses hold the rate."""


class Tokens(Strict):
    """POST /control/tokens: the life of access tokens issued from now on."""

    life_seconds: Annotated[float, Field(gt=0, le=86_400)]


class Processing(Strict):
    """POST /control/processing: how long reports and feeds stay in each of their two waiting states."""

    step_seconds: Annotated[float, Field(ge=0, le=3600)]


class ExpireSessions(Strict):
    """POST /control/sessions/expire: every session of STS ends now, before the time in its credentials."""


class RevokeGrant(Strict):
    """POST /control/secrets/revoke-grant: the seller withdraws consent."""

    refresh_token: SecretStr
    access_tokens: bool = False
    """Whether access tokens issued before stop working too, instead of living on until they expire."""


class RotateClient(Strict):
    """POST /control/secrets/rotate-client: a new secret; the old one lives on for a while."""

    client_id: Text
    new_secret: SecretStr
    old_life_seconds: Annotated[float, Field(ge=0, le=604_800)]


class EnrolQueue(Strict):
    """POST /control/secrets/queue: where an application's new secrets go; null ends that."""

    client_id: Text
    queue_url: Annotated[str, Field(pattern=r"^https?://[^/]+/.+$", max_length=2048)] | None
    region: Text = "us-east-1"


class NewAuthorizationCode(Strict):
    """POST /control/authorization-codes: what the consent page hands to an application."""

    client_id: Text
    selling_partner_id: Text
    withdrawn: bool = False
    """Whether the refresh token that the code brings never works."""


class Consent(Strict):
    """POST /control/consent: the partner that is signed in and consents at once; null: the consent page asks."""

    selling_partner_id: Text | None


class Recording(Strict):
    """POST /control/recording: the operation whose executions are recorded one by one."""

    operation: str


class GivenResponse(Strict):
    """A whole response, byte for byte."""

    status: Annotated[int, Field(ge=200, le=599)] = 200
    headers: dict[str, str] = Field(default_factory=dict)
    body: Base64Bytes = b""

    def respond(self) -> Response:
        """Return it as the simulator sends it."""
        return Response(self.status, self.body, None, self.headers)


class NewFault(Strict):
    """POST /control/faults."""

    kind: Literal[
        "429",
        "429_no_header",
        "500_json",
        "500_html",
        "503_json",
        "503_html",
        "403_expired",
        "slow",
        "reset",
        "truncate",
        "given",
        "lwa_500",
        "lwa_429",
        "lwa_html",
        "lwa_invalid_request",
        "lwa_access_denied",
        "lwa_text_life",
        "lwa_odd_types",
        "lwa_odd_token",
        "lwa_surrogate",
        "lwa_charset",
        "lwa_deep",
        "lwa_large",
        "lwa_slow",
        "lwa_silent",
        "lwa_given",
        "sts_throttle",
        "sts_html",
        "sts_large",
        "sts_slow",
        "sts_silent",
        "sts_given",
        "document_cut",
        "document_expired",
        "document_503",
    ]
    operation: str | None = None
    count: Annotated[int, Field(ge=1)] | None = None
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    delay_seconds: Seconds = 1.0
    retry_after_seconds: Annotated[int, Field(ge=0, le=86_400)] | None = None
    executed: bool = False
    response: GivenResponse | None = None
    """Of the kinds that end with `given`, which need it."""
