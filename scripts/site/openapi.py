"""The OpenAPI document of the edge, without a running service."""

import time
from typing import Any

from pydantic import SecretStr
from sellergate_edge.app import Options, make_app
from sellergate_edge.authn.jwt import JwtAuthenticator, SharedSecret
from sellergate_edge.dependencies import Dependencies
from sellergate_edge.dropin.tokens import DropInTokens
from sellergate_edge.limits.guesses import Guesses
from sellergate_edge.limits.limiter import Limits, Rate
from sellergate_edge.limits.redis import OwnCounts
from sellergate_edge.openapi import describe

_RING = "k1 " + "A" * 86


def document() -> dict[str, Any]:
    """Return the document. An app that only describes itself serves no request, and needs no other service."""
    counts = OwnCounts(time.monotonic)
    dependencies = Dependencies(
        JwtAuthenticator(SharedSecret(SecretStr("x" * 32)), "audience", "issuer", time.time),
        None,  # type: ignore[arg-type]
        None,  # type: ignore[arg-type]
        None,  # type: ignore[arg-type]
        Limits(counts, Rate(1, 1), time.monotonic),
        Guesses(counts, time.monotonic),
        DropInTokens(_RING, time.time),
    )
    return describe(make_app(dependencies, Options(())))
