"""The one error type of Sellergate, as a small pure tree; `status` maps it to and from gRPC.

SellergateError
├── InvalidRequest        the request breaks a rule; `violations` name every bad field
├── Unauthenticated       the caller has no credentials, or invalid ones
├── NotAllowed            the caller is known and lacks the permission
├── NotFound              no such account, application or operation (or another user's)
├── Conflict              the resource changed since it was read
├── PreconditionFailed    account inactive, authorization revoked, LWA client rejected, stored secret or row unusable
├── QuotaExceeded         Sellergate's quota, or Amazon's 429; `retry_after` says when to retry
├── AmazonRefused         Amazon's 400, 401, 403, 404, 409, 422; metadata hold Amazon's message
├── RoleRejected          STS refuses to assume the role
├── Unavailable           Amazon or a dependency is down; `retry_after` says when to retry
├── ResponseTooLarge      Amazon's response exceeds the size that can be returned; a write was executed
│   └── Overloaded        a Sellergate service has more to do than it can finish in time; nothing was done
├── OutcomeUnknown        Amazon may have executed the write; do not repeat it without a check
├── OutOfTime             the caller's deadline passed
├── CallCancelled         the caller cancelled the call
├── Unimplemented         no service implements this RPC of the contract yet
└── InternalError         a bug
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Code(StrEnum):
    """The gRPC status codes in use, by name."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    NOT_FOUND = "NOT_FOUND"
    ABORTED = "ABORTED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNAVAILABLE = "UNAVAILABLE"
    UNKNOWN = "UNKNOWN"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    INTERNAL = "INTERNAL"
    CANCELLED = "CANCELLED"


class Reason(StrEnum):
    """The cause of a failed call; the same names as in sellergate.common.v1.ErrorReason (a test compares them)."""

    INVALID_REQUEST = "INVALID_REQUEST"
    CALLER_UNAUTHENTICATED = "CALLER_UNAUTHENTICATED"
    CALLER_NOT_ALLOWED = "CALLER_NOT_ALLOWED"
    ACCOUNT_NOT_FOUND = "ACCOUNT_NOT_FOUND"
    APPLICATION_NOT_FOUND = "APPLICATION_NOT_FOUND"
    OPERATION_NOT_FOUND = "OPERATION_NOT_FOUND"
    ETAG_MISMATCH = "ETAG_MISMATCH"
    ACCOUNT_INACTIVE = "ACCOUNT_INACTIVE"
    AUTHORIZATION_REVOKED = "AUTHORIZATION_REVOKED"
    LWA_CLIENT_REJECTED = "LWA_CLIENT_REJECTED"
    LOCAL_QUOTA_EXCEEDED = "LOCAL_QUOTA_EXCEEDED"
    AMAZON_QUOTA_EXCEEDED = "AMAZON_QUOTA_EXCEEDED"
    AMAZON_REJECTED = "AMAZON_REJECTED"
    AMAZON_DENIED = "AMAZON_DENIED"
    AMAZON_NOT_FOUND = "AMAZON_NOT_FOUND"
    AMAZON_CONFLICT = "AMAZON_CONFLICT"
    AMAZON_UNAVAILABLE = "AMAZON_UNAVAILABLE"
    DEPENDENCY_UNAVAILABLE = "DEPENDENCY_UNAVAILABLE"
    AMAZON_OUTCOME_UNKNOWN = "AMAZON_OUTCOME_UNKNOWN"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    INTERNAL = "INTERNAL"
    ROLE_REJECTED = "ROLE_REJECTED"
    CANCELLED = "CANCELLED"
    CLIENT_NOT_FOUND = "CLIENT_NOT_FOUND"
    SECRET_UNREADABLE = "SECRET_UNREADABLE"
    OVERLOADED = "OVERLOADED"
    AUTHORIZATION_MISMATCH = "AUTHORIZATION_MISMATCH"
    AMAZON_RESPONSE_TOO_LARGE = "AMAZON_RESPONSE_TOO_LARGE"
    ROW_NOT_AUTHENTIC = "ROW_NOT_AUTHENTIC"
    USER_LIMIT_REACHED = "USER_LIMIT_REACHED"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One bad field: its path in the request, and what to do about it."""

    field: str
    description: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that was not found: its kind ("account") and the requested name."""

    kind: str
    name: str


class SellergateError(Exception):
    """A failure with a reason for programs and a message that says what to do.

    `metadata` are short strings for ErrorInfo and never hold a secret. `retry_after` is in seconds.
    `domain` names the service that raised it ("sellergate.token"); empty in the service itself.
    """

    default_reason: ClassVar[Reason] = Reason.INTERNAL

    def __init__(
        self,
        message: str,
        *,
        reason: Reason | None = None,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        resource: Resource | None = None,
        retry_after: float | None = None,
        help_url: str | None = None,
        domain: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.resource = resource
        self.retry_after = retry_after
        self.help_url = help_url
        self.domain = domain

    @property
    def code(self) -> Code:
        """The gRPC status code of the reason."""
        return RULES[self.reason].code

    @property
    def http_status(self) -> int:
        """The HTTP status of the reason at the edge."""
        return RULES[self.reason].http_status


class InvalidRequest(SellergateError):
    """A request that violates the contract."""

    default_reason = Reason.INVALID_REQUEST

    @classmethod
    def of_field(cls, field: str, description: str) -> "InvalidRequest":
        """Return the error of one invalid field; `description` says how to correct it."""
        return cls(f"{field}: {description}", violations=[FieldViolation(field, description)])


class Unauthenticated(SellergateError):
    """A call without credentials, or with invalid ones."""

    default_reason = Reason.CALLER_UNAUTHENTICATED


class NotAllowed(SellergateError):
    """A call that the identified caller may not make."""

    default_reason = Reason.CALLER_NOT_ALLOWED


class NotFound(SellergateError):
    """A resource that does not exist or belongs to another user; the response is the same."""

    default_reason = Reason.ACCOUNT_NOT_FOUND

    @classmethod
    def account(cls, account_id: str) -> "NotFound":
        """Return the error for an unknown account; the error does not repeat an overlong ID."""
        shown = account_id if len(account_id) <= MAX_ID_LENGTH else account_id[:MAX_ID_LENGTH] + "…"
        return cls("There is no such account; check the account id.", resource=Resource("account", shown))

    @classmethod
    def application(cls, application_id: str) -> "NotFound":
        """Return the error for an unknown application."""
        return cls(
            "There is no such application; check the application id.",
            reason=Reason.APPLICATION_NOT_FOUND,
            resource=Resource("application", application_id[:MAX_ID_LENGTH]),
        )


class Conflict(SellergateError):
    """A change of a resource that has changed since it was read."""

    default_reason = Reason.ETAG_MISMATCH


class PreconditionFailed(SellergateError):
    """A call that the state of the account does not allow."""

    default_reason = Reason.ACCOUNT_INACTIVE

    @classmethod
    def inactive(cls) -> "PreconditionFailed":
        """Return the error for an inactive account."""
        return cls("The account is inactive; undelete it or connect the seller again.")

    @classmethod
    def revoked(cls) -> "PreconditionFailed":
        """Return the error for a seller whose authorization Amazon refuses."""
        return cls(
            "Amazon refuses the seller's authorization; let the seller authorize the application again. If Amazon was wrong,"
            " verify the account.",
            reason=Reason.AUTHORIZATION_REVOKED,
        )


class QuotaExceeded(SellergateError):
    """A call beyond a quota; `retry_after` says when to retry."""

    default_reason = Reason.LOCAL_QUOTA_EXCEEDED


class AmazonRefused(SellergateError):
    """A call that Amazon evaluated and refused."""

    default_reason = Reason.AMAZON_REJECTED


class RoleRejected(SellergateError):
    """A role that STS refuses to assume."""

    default_reason = Reason.ROLE_REJECTED


class Unavailable(SellergateError):
    """A dependency or Amazon that does not respond."""

    default_reason = Reason.DEPENDENCY_UNAVAILABLE


class ResponseTooLarge(SellergateError):
    """A response of Amazon's that is too large to return; Amazon executed the request."""

    default_reason = Reason.AMAZON_RESPONSE_TOO_LARGE


class Overloaded(Unavailable):
    """A call that an overloaded service refused; `retry_after` says when to retry."""

    default_reason = Reason.OVERLOADED


class OutcomeUnknown(SellergateError):
    """A write that Amazon may have executed."""

    default_reason = Reason.OUTCOME_UNKNOWN


class OutOfTime(SellergateError):
    """A call whose deadline has passed."""

    default_reason = Reason.DEADLINE_EXCEEDED


class CallCancelled(SellergateError):
    """A call that its caller cancelled."""

    default_reason = Reason.CANCELLED


class Unimplemented(SellergateError):
    """An RPC that no service implements yet."""

    default_reason = Reason.UNIMPLEMENTED


class InternalError(SellergateError):
    """A bug; the log has the details under the request ID."""

    default_reason = Reason.INTERNAL

    @classmethod
    def of_bug(cls, request_id: str = "") -> "InternalError":
        """Return the error that a caller gets for a bug: it names only the request ID, or refers to the one in the response."""
        under = f"request id {request_id}" if request_id else "this request id"
        return cls(
            f"Sellergate failed because of a bug; the operator finds the cause in the log under {under}.",
            metadata={"request_id": request_id} if request_id else None,
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """The mapping of a reason: error class, gRPC code, HTTP status at the edge."""

    error: type[SellergateError]
    code: Code
    http_status: int


MAX_ID_LENGTH = 64

RULES: Mapping[Reason, Rule] = {
    Reason.INVALID_REQUEST: Rule(InvalidRequest, Code.INVALID_ARGUMENT, 400),
    Reason.CALLER_UNAUTHENTICATED: Rule(Unauthenticated, Code.UNAUTHENTICATED, 401),
    Reason.CALLER_NOT_ALLOWED: Rule(NotAllowed, Code.PERMISSION_DENIED, 403),
    Reason.ACCOUNT_NOT_FOUND: Rule(NotFound, Code.NOT_FOUND, 404),
    Reason.APPLICATION_NOT_FOUND: Rule(NotFound, Code.NOT_FOUND, 404),
    Reason.OPERATION_NOT_FOUND: Rule(NotFound, Code.NOT_FOUND, 404),
    Reason.ETAG_MISMATCH: Rule(Conflict, Code.ABORTED, 409),
    Reason.ACCOUNT_INACTIVE: Rule(PreconditionFailed, Code.FAILED_PRECONDITION, 409),
    Reason.AUTHORIZATION_REVOKED: Rule(PreconditionFailed, Code.FAILED_PRECONDITION, 401),
    Reason.LWA_CLIENT_REJECTED: Rule(PreconditionFailed, Code.FAILED_PRECONDITION, 401),
    Reason.LOCAL_QUOTA_EXCEEDED: Rule(QuotaExceeded, Code.RESOURCE_EXHAUSTED, 429),
    Reason.AMAZON_QUOTA_EXCEEDED: Rule(QuotaExceeded, Code.RESOURCE_EXHAUSTED, 429),
    Reason.AMAZON_REJECTED: Rule(AmazonRefused, Code.INVALID_ARGUMENT, 400),
    Reason.AMAZON_DENIED: Rule(AmazonRefused, Code.PERMISSION_DENIED, 403),
    Reason.AMAZON_NOT_FOUND: Rule(AmazonRefused, Code.NOT_FOUND, 404),
    Reason.AMAZON_CONFLICT: Rule(AmazonRefused, Code.ABORTED, 409),
    Reason.AMAZON_UNAVAILABLE: Rule(Unavailable, Code.UNAVAILABLE, 502),
    Reason.DEPENDENCY_UNAVAILABLE: Rule(Unavailable, Code.UNAVAILABLE, 503),
    Reason.AMAZON_OUTCOME_UNKNOWN: Rule(OutcomeUnknown, Code.UNKNOWN, 504),
    Reason.OUTCOME_UNKNOWN: Rule(OutcomeUnknown, Code.UNKNOWN, 504),
    Reason.DEADLINE_EXCEEDED: Rule(OutOfTime, Code.DEADLINE_EXCEEDED, 504),
    Reason.UNIMPLEMENTED: Rule(Unimplemented, Code.UNIMPLEMENTED, 501),
    Reason.INTERNAL: Rule(InternalError, Code.INTERNAL, 500),
    Reason.ROLE_REJECTED: Rule(RoleRejected, Code.PERMISSION_DENIED, 403),
    Reason.CLIENT_NOT_FOUND: Rule(NotFound, Code.NOT_FOUND, 404),
    Reason.SECRET_UNREADABLE: Rule(PreconditionFailed, Code.FAILED_PRECONDITION, 409),
    Reason.ROW_NOT_AUTHENTIC: Rule(PreconditionFailed, Code.FAILED_PRECONDITION, 409),
    Reason.USER_LIMIT_REACHED: Rule(PreconditionFailed, Code.FAILED_PRECONDITION, 409),
    Reason.AUTHORIZATION_MISMATCH: Rule(PreconditionFailed, Code.FAILED_PRECONDITION, 401),
    Reason.AMAZON_RESPONSE_TOO_LARGE: Rule(ResponseTooLarge, Code.OUT_OF_RANGE, 502),
    Reason.OVERLOADED: Rule(Overloaded, Code.RESOURCE_EXHAUSTED, 503),
    Reason.CANCELLED: Rule(CallCancelled, Code.CANCELLED, 499),
}
