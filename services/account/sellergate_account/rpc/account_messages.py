"""The translation between messages and the domain, for accounts."""

from collections import Counter
from collections.abc import Mapping, Sequence

from google.protobuf.field_mask_pb2 import FieldMask
from pydantic import SecretStr
from sellergate.account.v1 import account_pb2, account_secrets_service_pb2, account_service_pb2
from sellergate_amazon.marketplaces import MARKETPLACES, REGIONS
from sellergate_common.errors import FieldViolation, InvalidRequest
from sellergate_common.rpc.timestamps import from_datetime, read_time

from sellergate_account.account_fields import check_labels, marketplace_code
from sellergate_account.accounts import Connection
from sellergate_account.applications import LwaClient
from sellergate_account.model import (
    Account,
    Application,
    ApplicationSecrets,
    Changes,
    Filter,
    Signing,
    State,
    VerificationMethod,
    etag_of,
)
from sellergate_account.ports.change_log import Kind, ListedChange

_SIGNING: Mapping[int, Signing] = {
    account_pb2.SIGNING_MODE_AUTO: Signing.AUTO,
    account_pb2.SIGNING_MODE_NONE: Signing.NONE,
    account_pb2.SIGNING_MODE_SIGV4: Signing.SIGV4,
}
# The paths of an update mask, each with the field of the request that holds its value.
_PATHS = (
    "application_id",
    "authorization_expire_time",
    "external_ref",
    "iam_role_arn",
    "labels",
    "lwa_client_secret",
    "marketplace_ids",
    "refresh_token",
    "region",
    "role_without_external_id",
    "sandbox",
    "signing_mode",
)

_NAMED = "must be set when update_mask names it"
_MAX_LISTED_PATHS = 20


def to_message(account: Account) -> account_pb2.Account:
    """Return an account as a message."""
    return account_pb2.Account(
        account_id=account.account_id,
        user_id=account.user_id,
        application_id=account.application_id,
        amazon_seller_id=account.amazon_seller_id,
        marketplace=account.marketplace,
        marketplace_ids=account.marketplace_ids,
        region=account.region,
        iam_role_arn=account.iam_role_arn,
        external_id=account.external_id,
        signing_mode=account_pb2.SigningMode.Value(f"SIGNING_MODE_{account.signing}"),
        sandbox=account.sandbox,
        state=account_pb2.AccountState.Value(f"ACCOUNT_STATE_{account.state}"),
        refresh_token_set=account.refresh_token_set,
        authorization_expire_time=from_datetime(account.authorization_expire_time),
        revision=account.revision,
        create_time=from_datetime(account.create_time),
        update_time=from_datetime(account.update_time),
        etag=etag_of(account),
        version=account.version,
        role_without_external_id=account.role_without_external_id,
        external_ref=account.external_ref,
        labels=account.labels,
        verified_time=from_datetime(account.verified_time),
        verification_method=account_pb2.VerificationMethod.Value(
            f"VERIFICATION_METHOD_{account.verification_method or 'UNSPECIFIED'}"
        ),
    )


def to_change_message(change: ListedChange) -> account_service_pb2.AccountChange:
    """Render a change of the list."""
    if change.kind is Kind.ACCOUNT:
        return account_service_pb2.AccountChange(account_id=change.subject_id, version=change.version)
    return account_service_pb2.AccountChange(application_id=change.subject_id, version=change.version)


def to_secrets_message(
    application: Application, secrets: ApplicationSecrets
) -> account_secrets_service_pb2.ApplicationSecrets:
    """Return an LWA client as a message in the clear, for the token service."""
    previous = secrets.previous_client_secret
    return account_secrets_service_pb2.ApplicationSecrets(
        application_id=application.application_id,
        client_id=secrets.client_id.get_secret_value(),
        client_secret=secrets.client_secret.get_secret_value(),
        previous_client_secret=previous.get_secret_value() if previous else "",
        previous_secret_expire_time=from_datetime(application.previous_secret_expire_time),
    )


def to_connection(request: account_service_pb2.UpsertAccountRequest) -> Connection:
    """Read the fields that connect a seller."""
    client = None
    if request.lwa_client_id:
        client = LwaClient(SecretStr(request.lwa_client_id), secret_or_none(request.lwa_client_secret))
    elif request.lwa_client_secret:
        raise InvalidRequest.of_field("lwa_client_id", "must be set with lwa_client_secret")
    return Connection(
        user_id=request.user_id,
        amazon_seller_id=request.amazon_seller_id,
        marketplace=request.marketplace,
        application_id=request.application_id,
        client=client,
        refresh_token=secret_or_none(request.refresh_token),
        iam_role_arn=request.iam_role_arn or None,
        marketplace_ids=tuple(request.marketplace_ids) or None,
        region=request.region or None,
        signing=to_signing(request.signing_mode, "signing_mode"),
        sandbox=request.sandbox if request.HasField("sandbox") else None,
        authorization_expire_time=read_time(request, "authorization_expire_time"),
        external_ref=request.external_ref or None,
        labels=dict(request.labels) or None,
    )


def to_changes(request: account_service_pb2.UpdateAccountRequest) -> Changes:
    """Read the fields that the mask names. Raises InvalidRequest, which names every unknown path."""
    paths = masked_paths(request.update_mask, _PATHS)
    for path in ("refresh_token", "lwa_client_secret"):
        if path in paths and not getattr(request, path):
            raise InvalidRequest.of_field(path, _NAMED)
    account = request.account
    if "application_id" in paths and not account.application_id:
        raise InvalidRequest.of_field("account.application_id", _NAMED)
    if "authorization_expire_time" in paths and not account.HasField("authorization_expire_time"):
        raise InvalidRequest.of_field("account.authorization_expire_time", _NAMED)
    signing = to_signing(account.signing_mode, "account.signing_mode") or Signing.AUTO
    return Changes(
        application_id=account.application_id if "application_id" in paths else None,
        refresh_token=SecretStr(request.refresh_token) if "refresh_token" in paths else None,
        client_secret=SecretStr(request.lwa_client_secret) if "lwa_client_secret" in paths else None,
        iam_role_arn=account.iam_role_arn if "iam_role_arn" in paths else None,
        marketplace_ids=tuple(account.marketplace_ids) if "marketplace_ids" in paths else None,
        region=account.region if "region" in paths else None,
        signing=signing if "signing_mode" in paths else None,
        sandbox=account.sandbox if "sandbox" in paths else None,
        authorization_expire_time=read_time(account, "authorization_expire_time", "account.")
        if "authorization_expire_time" in paths
        else None,
        role_without_external_id=account.role_without_external_id if "role_without_external_id" in paths else None,
        external_ref=account.external_ref if "external_ref" in paths else None,
        labels=dict(account.labels) if "labels" in paths else None,
    )


def masked_paths(mask: FieldMask, known: Sequence[str]) -> frozenset[str]:
    """Return the paths of an update mask. Raises InvalidRequest, which names every unknown or repeated path."""
    counted = Counter(mask.paths)
    may = f"it may name {', '.join(known)}"
    words = [f"must not name {path[:64]!r}; {may}" for path in sorted(counted.keys() - set(known))]
    words += [f"must name {path!r} once" for path in known if counted[path] > 1]
    if not counted:
        words = [f"must name at least one path; {may}"]
    if words:
        violations = [FieldViolation("update_mask", description) for description in words[:_MAX_LISTED_PATHS]]
        problems = "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
        raise InvalidRequest(problems, violations=violations)
    return frozenset(counted)


def to_filter(request: account_service_pb2.ListAccountsRequest, user: str) -> Filter:
    """Read the filter of a list. Raises InvalidRequest."""
    marketplaces: tuple[str, ...] = ()
    if request.filter.marketplace:
        marketplaces = (marketplace_code(request.filter.marketplace, "filter.marketplace"),)
    region = request.filter.spapi_region.upper()
    if region:
        if region not in {known.name for known in REGIONS}:
            raise InvalidRequest.of_field("filter.spapi_region", "must be NA, EU or FE")
        of_region = tuple(known.code for known in MARKETPLACES if known.region.name == region)
        marketplaces = tuple(set(marketplaces) & set(of_region)) or ("-",) if marketplaces else of_region
    names = {number: name.removeprefix("ACCOUNT_STATE_") for name, number in account_pb2.AccountState.items()}
    states = []
    for index, number in enumerate(request.filter.states):
        if names.get(number) not in State.__members__:
            raise InvalidRequest.of_field(f"filter.states[{index}]", f"must be one of {', '.join(State)}")
        states.append(State(names[number]))
    check_labels(request.filter.labels, "filter.labels")
    return Filter(
        user,
        tuple(states),
        marketplaces,
        read_time(request.filter, "authorization_expire_before", "filter."),
        request.filter.application_id,
        request.filter.amazon_seller_id,
        request.filter.external_ref,
        tuple(sorted(request.filter.labels.items())),
    )


def to_signing(mode: int, field: str) -> Signing | None:
    """Read a signing mode; None when it is not set. Raises InvalidRequest for a number that the enum lacks."""
    if mode == account_pb2.SIGNING_MODE_UNSPECIFIED:
        return None
    if mode not in _SIGNING:
        raise InvalidRequest.of_field(field, f"must be one of {', '.join(Signing)}")
    return _SIGNING[mode]


def to_method(method: int) -> VerificationMethod:
    """Read the way of a verification; NONE when it is not set. Raises InvalidRequest for a number that the enum lacks."""
    names: Mapping[int, str] = {value: name for name, value in account_pb2.VerificationMethod.items()}
    if method not in names:
        methods = ", ".join(filter(None, VerificationMethod))
        raise InvalidRequest.of_field("method", f"must be one of {methods}")
    return VerificationMethod.__members__.get(
        names[method].removeprefix("VERIFICATION_METHOD_"), VerificationMethod.NONE
    )


def secret_or_none(text: str) -> SecretStr | None:
    """Read a secret; None when it is empty."""
    return SecretStr(text) if text else None
