"""Sellergate's client library: Selling Partner API for stored accounts, typed, with deadlines.

Errors are those of `sellergate_common.errors`; decide by class or by `reason`, never by message.
"""

from sellergate_common.errors import (
    AmazonRefused,
    Conflict,
    InvalidRequest,
    NotAllowed,
    NotFound,
    OutcomeUnknown,
    OutOfTime,
    Overloaded,
    PreconditionFailed,
    QuotaExceeded,
    Reason,
    ResponseTooLarge,
    SellergateError,
    Unauthenticated,
    Unavailable,
)

from sellergate_client.documents import Document, Progress
from sellergate_client.responses import SpApiResponse
from sellergate_client.sellergate import Sellergate
from sellergate_client.selling_partner import SellingPartner

__all__ = [
    "AmazonRefused",
    "Conflict",
    "Document",
    "InvalidRequest",
    "NotAllowed",
    "NotFound",
    "OutOfTime",
    "OutcomeUnknown",
    "Overloaded",
    "PreconditionFailed",
    "Progress",
    "QuotaExceeded",
    "Reason",
    "ResponseTooLarge",
    "Sellergate",
    "SellergateError",
    "SellingPartner",
    "SpApiResponse",
    "Unauthenticated",
    "Unavailable",
]
