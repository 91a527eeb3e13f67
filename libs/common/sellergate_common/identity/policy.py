"""Authorization of callers: the SPIFFE ID in the certificate's SAN, and the table of permitted callers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from sellergate_common.context import Caller
from sellergate_common.errors import NotAllowed, Unauthenticated
from sellergate_common.identity.users import MAX_USER_ID_LENGTH, ON_BEHALF_OF, check_user_id

SPIFFE_PREFIX = "spiffe://sellergate/"
EDGE = "edge"
OPERATOR = "operator"
CLIENT_PREFIX = "client/"
ANY_CLIENT = "client/*"

_ACCOUNT = "sellergate.account.v1."
_TOKEN = "sellergate.token.v1.TokenService/"
_IAM = "sellergate.iam.v1.IamService/"

# A service ("…Service/") or a single method, with the identities that may call it. Operators may call all but CLOSED_TO_OPERATORS.
ALLOWED: Mapping[str, frozenset[str]] = {
    _ACCOUNT + "AccountService/": frozenset({EDGE}),
    _ACCOUNT + "AccountService/GetAccount": frozenset({EDGE, "gateway", "token", "iam", ANY_CLIENT}),
    _ACCOUNT + "AccountService/ListAccounts": frozenset({EDGE, ANY_CLIENT}),
    _ACCOUNT + "AccountService/ListAccountChanges": frozenset({"gateway", "token", "iam"}),
    _ACCOUNT + "AccountService/UpsertAccount": frozenset({EDGE, "token"}),
    _ACCOUNT + "ApplicationService/": frozenset({EDGE}),
    _ACCOUNT + "ApplicationService/GetApplication": frozenset({EDGE, "token"}),
    _ACCOUNT + "ApplicationService/RotateClientSecret": frozenset({EDGE, "token"}),
    _ACCOUNT + "DropInClientService/": frozenset({EDGE}),
    _ACCOUNT + "AccountSecretsService/": frozenset({"token"}),
    _ACCOUNT + "AccountAdminService/": frozenset(),
    _ACCOUNT + "AccountAdminService/ListAuditEvents": frozenset({EDGE}),
    _ACCOUNT + "AccountAdminService/RecordCapture": frozenset({"gateway"}),
    _TOKEN: frozenset(),
    _TOKEN + "GetAccessToken": frozenset({"gateway"}),
    _TOKEN + "InvalidateAccessToken": frozenset({"gateway"}),
    _TOKEN + "VerifyAccount": frozenset({EDGE, "gateway"}),
    _TOKEN + "StartAuthorization": frozenset({EDGE}),
    _TOKEN + "CompleteAuthorization": frozenset({EDGE}),
    _TOKEN + "HandleRotation": frozenset({EDGE}),
    _IAM: frozenset(),
    _IAM + "AssumeRole": frozenset({"gateway"}),
    _IAM + "InvalidateCredentials": frozenset({"gateway"}),
    _IAM + "SignRequest": frozenset({ANY_CLIENT}),
    "sellergate.gateway.v1.GatewayService/": frozenset({EDGE, ANY_CLIENT}),
    "sellergate.gateway.v1.GatewayService/GetRestrictedDataToken": frozenset({EDGE}),
    "sellergate.gateway.v1.CaptureService/": frozenset({EDGE}),
    "sellergate.gateway.v1.CaptureService/Capture": frozenset(),
}
CLOSED_TO_OPERATORS = frozenset(
    {_ACCOUNT + "AccountSecretsService/", _ACCOUNT + "DropInClientService/AuthenticateClient"}
)
OPEN_TO_ALL = ("grpc.health.", "grpc.reflection.")
# Methods that the edge calls before it has identified the user.
WITHOUT_USER = frozenset(
    {_ACCOUNT + "DropInClientService/AuthenticateClient", _TOKEN + "HandleRotation", _TOKEN + "CompleteAuthorization"}
)


@dataclass(frozen=True, slots=True)
class Access:
    """The allow-list; `extra` adds identities to single methods, from settings such as SELLERGATE_TOKEN_CALLERS."""

    extra: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def check(self, method: str, identity: str) -> None:
        """Raise NotAllowed unless `identity` may call `method` ("package.Service/Method")."""
        if _may_call(method, identity):
            return
        allowed = self.extra.get(method, frozenset())
        if identity in allowed or (identity.startswith(CLIENT_PREFIX) and ANY_CLIENT in allowed):
            return
        raise NotAllowed(f"{identity} may not call {method}; use a certificate of an identity that may.")


@lru_cache(1024)
def _may_call(method: str, identity: str) -> bool:
    """Return whether the table permits a call."""
    if method.startswith(OPEN_TO_ALL):
        return True
    service = method.partition("/")[0] + "/"
    if identity == OPERATOR and not CLOSED_TO_OPERATORS & {service, method}:
        return True
    allowed = ALLOWED.get(method, ALLOWED.get(service, frozenset()))
    return identity in allowed or (identity.startswith(CLIENT_PREFIX) and ANY_CLIENT in allowed)


def identify(access: Access, method: str, names: Iterable[bytes], metadata: Mapping[str, Sequence[str]]) -> Caller:
    """Return the caller of `method`, identified by the subject alternative names of its certificate.

    Raises Unauthenticated, NotAllowed, and InvalidRequest for a user ID with unprintable characters.
    """
    identity = _identity(frozenset(names))
    access.check(method, identity)
    users = metadata.get(ON_BEHALF_OF, ())
    if identity != EDGE:
        if users:
            raise NotAllowed(f"Only the edge acts for users; {identity} must not send {ON_BEHALF_OF}.")
        return Caller(identity)
    if method.startswith(OPEN_TO_ALL) or (method in WITHOUT_USER and not users):
        return Caller(identity)
    if len(users) != 1 or not 0 < len(users[0]) <= MAX_USER_ID_LENGTH:
        raise Unauthenticated(f"The edge must name the user for whom it calls: send {ON_BEHALF_OF} once.")
    return Caller(identity, check_user_id(users[0], ON_BEHALF_OF))


@lru_cache(1024)
def _identity(names: frozenset[bytes]) -> str:
    texts = [name.decode("utf-8", "replace") for name in names]
    identities = [text.removeprefix(SPIFFE_PREFIX) for text in texts if text.startswith(SPIFFE_PREFIX)]
    if len(identities) != 1 or not identities[0]:
        raise Unauthenticated(f"The client certificate must carry exactly one SAN {SPIFFE_PREFIX}<name>.")
    return identities[0]
