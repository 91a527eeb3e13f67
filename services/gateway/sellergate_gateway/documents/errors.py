"""The errors of documents, with the next step of the caller."""

from collections.abc import Mapping

from sellergate_common.errors import AmazonRefused, NotFound, Reason, Resource, Unavailable

from sellergate_gateway.documents.ports import ConnectionBroken


def unavailable(message: str) -> Unavailable:
    """Return the error of a document store or address that fails temporarily."""
    return Unavailable(message, reason=Reason.AMAZON_UNAVAILABLE, retry_after=1.0)


def transfer_failed(what: str, error: ConnectionBroken) -> Unavailable:
    """Return the error of a transfer that failed until its time was over. `what` names it: "The download"."""
    if error.own:
        return Unavailable(
            f"The gateway cannot open a connection ({error}): it lacks descriptors, a resolver or trusted certificates. Try again.",
            metadata={"dependency": "gateway"},
            retry_after=1.0,
        )
    return unavailable(f"{what} failed for as long as the deadline allows another attempt ({error}). Try again.")


def not_found(document_id: str) -> NotFound:
    """Return the error of a document that Amazon does not have."""
    return NotFound(
        "Amazon does not have this document any more. Request a new one.",
        reason=Reason.AMAZON_NOT_FOUND,
        resource=Resource("document", document_id),
    )


def refused(message: str, metadata: Mapping[str, str]) -> AmazonRefused:
    """Return the error of a final refusal by Amazon."""
    return AmazonRefused(message, reason=Reason.AMAZON_REJECTED, metadata=metadata)
