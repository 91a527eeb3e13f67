"""Sellergate's client library: the Selling Partner API for stored accounts, typed and with deadlines.

Errors are those of `sellergate_common.errors`; programs decide by their class or `reason`, never by their message.
"""

from sellergate.account.v1.account_service_pb2 import AccountFilter
from sellergate_common.errors import (
    AmazonRefused,
    CallCancelled,
    Conflict,
    InternalError,
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
    RoleRejected,
    SellergateError,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from sellergate_common.settings import SettingsError

from sellergate_client.calls import Call, CallOutcome
from sellergate_client.documents.feeds import Feed
from sellergate_client.documents.rows import RowError
from sellergate_client.documents.streams import Document, Progress
from sellergate_client.responses import SpApiResponse
from sellergate_client.rpc.ownership import ClientUseError
from sellergate_client.sellergate import Sellergate
from sellergate_client.selling_partner import SellingPartner

__all__ = [
    "AccountFilter",
    "AmazonRefused",
    "Call",
    "CallCancelled",
    "CallOutcome",
    "ClientUseError",
    "Conflict",
    "Document",
    "Feed",
    "InternalError",
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
    "RoleRejected",
    "RowError",
    "Sellergate",
    "SellergateError",
    "SellingPartner",
    "SettingsError",
    "SpApiResponse",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
]
