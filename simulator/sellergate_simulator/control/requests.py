"""The bodies of requests to the control API."""

from typing import Annotated, Literal

from pydantic import Base64Bytes, Field, SecretStr

from sellergate_simulator.http.responses import Response
from sellergate_simulator.seed import Strict, Text

Seconds = Annotated[float, Field(ge=0, le=86_400)]


class Reset(Strict):
    """POST /control/reset: counters, buckets and faults; with `tokens` also every access token."""

    tokens: bool = False


class StartJournal(Strict):
    """POST /control/journal: forget all entries, and record every exchange and execution from now on."""


class Rates(Strict):
    """POST /control/rates: multiply Amazon's rates and bursts, of all operations or of one."""

    scale: Annotated[float, Field(gt=0, le=1e9)]
    burst_scale: Annotated[float, Field(gt=0, le=1e9)] = 1.0
    operation: str | None = None
    header: bool = True
    """Whether responses contain the rate header."""


class Tokens(Strict):
    """POST /control/tokens: the life of access tokens issued from now on."""

    life_seconds: Annotated[float, Field(gt=0, le=86_400)]


class Processing(Strict):
    """POST /control/processing: how long reports and feeds stay in each of their two waiting states."""

    step_seconds: Annotated[float, Field(ge=0, le=3600)]


class ExpireSessions(Strict):
    """POST /control/sessions/expire: end every STS session now, before the expiry in its credentials."""


class RevokeGrant(Strict):
    """POST /control/secrets/revoke-grant: the seller withdraws consent."""

    refresh_token: SecretStr
    access_tokens: bool = False
    """Whether earlier access tokens become invalid too, instead of staying valid until they expire."""


class RotateClient(Strict):
    """POST /control/secrets/rotate-client: create a new secret; the old one stays valid for a while."""

    client_id: Text
    new_secret: SecretStr
    old_life_seconds: Annotated[float, Field(ge=0, le=604_800)]


class EnrolQueue(Strict):
    """POST /control/secrets/queue: set the queue for an application's new secrets; null removes it."""

    client_id: Text
    queue_url: Annotated[str, Field(pattern=r"^https?://[^/]+/.+$", max_length=2048)] | None
    region: Text = "us-east-1"


class NewAuthorizationCode(Strict):
    """POST /control/authorization-codes: create a code as the consent page does."""

    client_id: Text
    selling_partner_id: Text
    withdrawn: bool = False
    """Whether consent is withdrawn at once, so that the code's refresh token never works."""


class Consent(Strict):
    """POST /control/consent: set the signed-in partner, which consents at once; null: the consent page requires a click."""

    selling_partner_id: Text | None


class Recording(Strict):
    """POST /control/recording: set the operation whose executions are recorded."""

    operation: str


class GivenResponse(Strict):
    """A complete response, byte for byte."""

    status: Annotated[int, Field(ge=200, le=599)] = 200
    headers: dict[str, str] = Field(default_factory=dict)
    body: Base64Bytes = b""

    def respond(self) -> Response:
        """Return the response to send."""
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
    """The response; required for kinds that end with `given`."""
