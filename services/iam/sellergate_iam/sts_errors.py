"""The meaning of STS's errors, with remedies. No message repeats boto3's texts, which may hold parameters."""

import re
from collections.abc import Mapping

from botocore.exceptions import ClientError
from sellergate_common.blocking.aws import OutOfBounds
from sellergate_common.errors import RoleRejected, SellergateError, Unavailable

from sellergate_iam.ports import Role

# Codes of the STS API reference ("Common Error Types", "AssumeRole") and of botocore's own list of throttling errors.
_THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
# STS does not know, or no longer accepts, the signer, which is this service and never the role.
_SIGNER_CODES = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_REFUSED: Mapping[str, str] = {
    "AccessDenied": (
        "its trust policy must name this service's AWS identity and the account's external id, and the policy of that"
        " identity must allow sts:AssumeRole on it"
    ),
    "ValidationError": "check the role's ARN, and that its maximum session duration allows the requested one",
    "RegionDisabledException": (
        "STS is not active in region {region} for the role's AWS account; its administrator activates it, or the account"
        " here names another region"
    ),
    "MalformedPolicyDocument": "check the role's policies",
    "PackedPolicyTooLarge": "check the role's policies and session tags",
}
_REFUSED = {**_REFUSED, "AccessDeniedException": _REFUSED["AccessDenied"]}
_NOT_OF_A_CODE = re.compile(r"[^A-Za-z0-9.]")


class Busy(Unavailable):
    """A failure of STS, by throttling or a broken connection, that a retry may overcome."""


class OwnCredentials(Unavailable):
    """Own AWS credentials that are missing, or that STS does not accept."""


def explain(error: Exception, role: Role) -> SellergateError:
    """Return the error of a failed AssumeRole."""
    if isinstance(error, OutOfBounds):
        return Busy(f"STS sent {error}; try again.", retry_after=1.0)
    if not isinstance(error, ClientError):
        return Busy(f"STS cannot be reached ({type(error).__name__}); try again.", retry_after=1.0)
    code, metadata = _code(error), {"aws_code": _code(error)}
    if _is_busy(error):
        return Busy(f"STS is throttling or out of order ({code}); try again.", retry_after=1.0, metadata=metadata)
    if code in _REFUSED:
        what_to_do = _REFUSED[code].format(region=role.region)
        return RoleRejected(f"STS refuses to assume {role.arn} ({code}): {what_to_do}.", metadata=metadata)
    if code in _SIGNER_CODES:
        message = f"STS refuses the iam service's own AWS credentials ({code}); renew them, and check its clock."
        return OwnCredentials(message, retry_after=5.0, metadata=metadata)
    return Unavailable(
        f"STS responded {code}, which is not a known error; try again.", retry_after=5.0, metadata=metadata
    )


def unusable(error: Exception) -> SellergateError:
    """Return the error for missing own credentials, by the error with which boto3's chain ended."""
    if isinstance(error, ClientError) and _is_busy(error):
        return Busy(f"STS is throttling or out of order ({_code(error)}); try again.", retry_after=1.0)
    cause = _code(error) if isinstance(error, ClientError) else type(error).__name__
    message = f"The iam service has no AWS credentials of its own ({cause}); give it a role, a token file or keys."
    return OwnCredentials(message, retry_after=5.0, metadata={"aws_code": cause})


def _is_busy(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return _code(error) in _THROTTLED or status == 429 or status >= 500  # noqa: PLR2004  (HTTP's own numbers)


def _code(error: ClientError) -> str:
    return _NOT_OF_A_CODE.sub("", str(error.response.get("Error", {}).get("Code", "")))[:64] or "no code"
