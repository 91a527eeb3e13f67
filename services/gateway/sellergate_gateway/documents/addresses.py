"""The presigned addresses of documents, which Amazon gives one at a time.

Amazon's guides to Reports and Feeds: an address is valid for five minutes, without credentials; the response names the
compression.
"""

from dataclasses import dataclass
from enum import StrEnum

from pydantic import SecretStr
from sellergate_amazon import parsing

from sellergate_gateway.calls.pipeline import Calls
from sellergate_gateway.documents.errors import unavailable
from sellergate_gateway.spapi.request import SpApiCall
from sellergate_gateway.spapi.response import object_of


class Kind(StrEnum):
    """The API that a document belongs to."""

    REPORT = "REPORT"
    FEED = "FEED"
    DATA_KIOSK = "DATA_KIOSK"


_OPERATIONS = {
    Kind.REPORT: ("reports/2021-06-30/getReportDocument", "reportDocumentId", "url"),
    Kind.FEED: ("feeds/2021-06-30/getFeedDocument", "feedDocumentId", "url"),
    Kind.DATA_KIOSK: ("data-kiosk/2023-11-15/getDocument", "documentId", "documentUrl"),
}


@dataclass(frozen=True, slots=True)
class Named:
    """A document by the names of its caller."""

    account_id: str
    kind: Kind
    document_id: str
    user: str


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a document for the next minutes. `packed`: its bytes are gzip."""

    url: SecretStr
    packed: bool


async def request_address(calls: Calls, named: Named) -> Address:
    """Request a document's address from Amazon. Raises what a call raises; Unavailable for a response without an address."""
    operation, parameter, name = _OPERATIONS[named.kind]
    call = SpApiCall(named.account_id, operation=operation, path_params={parameter: named.document_id})
    done = await calls.make(call, named.user)
    try:
        response = object_of(done.response)
        return Address(
            SecretStr(parsing.token_in(response, name)), packed=response.get("compressionAlgorithm") == "GZIP"
        )
    except parsing.ParseError:
        raise unavailable("Amazon's response has no address of the document. Try again.") from None
