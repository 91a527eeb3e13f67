"""The accounts of the user: connect, list, read, change, disconnect."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from google.protobuf.field_mask_pb2 import FieldMask
from pydantic import AwareDatetime, SecretStr
from sellergate.account.v1 import account_pb2, account_service_pb2
from sellergate_common.errors import InvalidRequest
from sellergate_common.identity.users import MAX_USER_ID_LENGTH
from sellergate_common.rpc.timestamps import from_datetime

from sellergate_edge.dependencies import AllUsers, Client, User
from sellergate_edge.routes.idempotency import IdempotencyKey
from sellergate_edge.routes.models import Account, AccountPage, AccountPatch, AccountState, NewAccount, SigningMode
from sellergate_edge.routes.paging import PageSize, PageToken, link_next
from sellergate_edge.routes.user_route import UserRoute

router = APIRouter(prefix="/api/amazon/accounts", tags=["accounts"], route_class=UserRoute)
# Only strong ETags, which RFC 9110 compares for If-Match; quotes may be left out.
_ETAG = re.compile(r'"(?P<quoted>[\x21\x23-\x7e]{1,64})"|(?P<bare>[A-Za-z0-9_-]{1,64})')
_NOT_REMOVED = frozenset({"authorization_expire_time", "lwa_client_secret", "refresh_token"})
_UNCHANGED: dict[int | str, dict[str, Any]] = {
    304: {"description": "The account has not changed since the ETag of If-None-Match"}
}
_IfNoneMatch = Annotated[
    str | None,
    Header(description="The ETag of an earlier response: while it is current, the response is 304 without a body."),
]
_IfMatch = Annotated[
    str | None,
    Header(description="The ETag of an earlier response: the request is refused if the account has changed since."),
]

_SellerId = Annotated[str, Query(alias="amazonSellerId", max_length=64, description="Amazon's id of the seller")]
_ExternalRef = Annotated[
    str, Query(alias="externalRef", max_length=128, description="Your own reference of the account")
]
_Labels = Annotated[
    list[str] | None,
    Query(max_length=16, examples=[["tier=gold"]], description="A label as `key=value`; repeat for several"),
]
_UserId = Annotated[
    str,
    Query(
        alias="userId", max_length=MAX_USER_ID_LENGTH, description="With `allUsers=true`: only accounts of this user"
    ),
]
_ExpiresBefore = Annotated[
    AwareDatetime | None,
    Query(
        alias="authorizationExpiresBefore",
        description="Only accounts whose authorization ends before this time (with its offset); not those whose end is unknown",
    ),
]


@router.post("", operation_id="connectAccount", status_code=201, responses={200: {"model": Account}})
async def connect(new: NewAccount, user: User, client: Client, response: Response, key: IdempotencyKey) -> Account:
    """Connect a seller account, or update the existing connection of the same seller and marketplace (200).

    A new refresh token makes a revoked account ACTIVE. With the stored token, or without one, the account stays
    AUTHORIZATION_REVOKED; `POST /api/amazon/accounts/{id}/verify` tries the stored token again.
    """
    request = account_service_pb2.UpsertAccountRequest(
        user_id=user,
        amazon_seller_id=new.amazon_seller_id,
        marketplace=new.marketplace,
        application_id=new.application_id or "",
        lwa_client_id=_reveal(new.lwa_client_id),
        lwa_client_secret=_reveal(new.lwa_client_secret),
        refresh_token=_reveal(new.refresh_token),
        iam_role_arn=new.iam_role_arn or "",
        marketplace_ids=new.marketplace_ids or (),
        region=new.region or "",
        signing_mode=_signing(new.signing_mode),
        sandbox=new.sandbox,
        authorization_expire_time=from_datetime(new.authorization_expire_time, "authorization_expire_time"),
        idempotency_key=key,
        external_ref=new.external_ref or "",
        labels=new.labels,
    )
    account, created = await client.accounts.upsert(request, on_behalf_of=user)
    response.status_code = 201 if created else 200
    response.headers["Location"] = f"{router.prefix}/{account.account_id}"
    return _to_account(account, response)


@router.get("", operation_id="listAccounts")
async def list_accounts(
    request: Request,
    response: Response,
    user: User,
    client: Client,
    state: AccountState | None = None,
    marketplace: str = "",
    amazon_seller_id: _SellerId = "",
    external_ref: _ExternalRef = "",
    label: _Labels = None,
    authorization_expires_before: _ExpiresBefore = None,
    all_users: AllUsers = False,
    user_id: _UserId = "",
    page_size: PageSize = 50,
    page_token: PageToken = "",
) -> AccountPage:
    """List the accounts of the user, oldest first; only those that match all filters.

    With `allUsers=true` an operator lists those of all users, or of the one that `userId` names.
    """
    if user_id and not all_users:
        raise InvalidRequest.of_field("userId", "is a filter for operators; add allUsers=true, or leave it out")
    states = [account_pb2.AccountState.Value(f"ACCOUNT_STATE_{state}")] if state else []
    wanted = account_service_pb2.ListAccountsRequest(
        user_id=user_id if all_users else user,
        all_users=all_users,
        filter=account_service_pb2.AccountFilter(
            states=states,
            marketplace=marketplace,
            authorization_expire_before=from_datetime(authorization_expires_before, "authorization_expires_before"),
            amazon_seller_id=amazon_seller_id,
            external_ref=external_ref,
            labels=_labels(label or ()),
        ),
        page_size=page_size,
        page_token=page_token,
    )
    page = await client.accounts.list(wanted, on_behalf_of=user)
    link_next(request, response, page.next_page_token)
    return AccountPage(
        accounts=[Account.from_message(account) for account in page.accounts], next_page_token=page.next_page_token
    )


@router.get("/{account_id}", operation_id="getAccount", response_model=Account, responses=_UNCHANGED)
async def get_account(
    account_id: str,
    user: User,
    client: Client,
    response: Response,
    all_users: AllUsers = False,
    if_none_match: _IfNoneMatch = None,
) -> Account | Response:
    """Return one account; with `allUsers=true` an operator gets also that of another user."""
    account = _to_account(await client.accounts.get(account_id, all_users=all_users, on_behalf_of=user), response)
    if if_none_match and response.headers["ETag"] in re.findall(r'"[^"]*"', if_none_match):
        return Response(status_code=304, headers={"ETag": response.headers["ETag"]})
    return account


@router.patch("/{account_id}", operation_id="changeAccount")
async def change(
    account_id: str,
    patch: AccountPatch,
    user: User,
    client: Client,
    response: Response,
    key: IdempotencyKey,
    if_match: _IfMatch = None,
) -> Account:
    """Change single fields of an account; fields that are left out keep their values.

    A new refresh token makes a revoked account ACTIVE. With the stored token it stays AUTHORIZATION_REVOKED;
    `POST /api/amazon/accounts/{id}/verify` tries the stored token again.
    """
    given = patch.model_fields_set
    empty = sorted(name for name in given & _NOT_REMOVED if getattr(patch, name) is None)
    if empty:
        raise InvalidRequest.of_field(empty[0], "must have a value, or be left out")
    if not given:
        raise InvalidRequest.of_field("body", "must name at least one field to change")
    request = account_service_pb2.UpdateAccountRequest(
        account=account_pb2.Account(
            account_id=account_id,
            application_id=patch.application_id or "",
            iam_role_arn=patch.iam_role_arn or "",
            marketplace_ids=patch.marketplace_ids or (),
            region=patch.region or "",
            signing_mode=_signing(patch.signing_mode),
            sandbox=bool(patch.sandbox),
            authorization_expire_time=from_datetime(patch.authorization_expire_time, "authorization_expire_time"),
            external_ref=patch.external_ref or "",
            labels=patch.labels,
        ),
        update_mask=FieldMask(paths=sorted(given)),
        etag=_etag(if_match),
        refresh_token=_reveal(patch.refresh_token),
        lwa_client_secret=_reveal(patch.lwa_client_secret),
        idempotency_key=key,
    )
    return _to_account(await client.accounts.update(request, on_behalf_of=user), response)


@router.delete("/{account_id}", operation_id="disconnectAccount", status_code=204)
async def disconnect(
    account_id: str, user: User, client: Client, key: IdempotencyKey, hard: bool = False, if_match: _IfMatch = None
) -> None:
    """Make an account inactive, or with `hard=true` delete it and its secrets permanently."""
    etag = _etag(if_match)
    if hard:
        await client.accounts.hard_delete(account_id, etag=etag, on_behalf_of=user, idempotency_key=key)
    else:
        await client.accounts.delete(account_id, etag=etag, on_behalf_of=user, idempotency_key=key)


def _to_account(message: account_pb2.Account, response: Response) -> Account:
    response.headers["ETag"] = f'"{message.etag}"'
    return Account.from_message(message)


def _etag(if_match: str | None) -> str:
    """Return the ETag of If-Match; empty for `*` and without the header, which match every version.

    Raises InvalidRequest for any other value, because one that can match nothing must not match everything.
    """
    if if_match is None or if_match.strip() == "*":
        return ""
    given = _ETAG.fullmatch(if_match.strip())
    if given is None:
        raise InvalidRequest.of_field("If-Match", "must be one ETag of an earlier response, in double quotes, or *")
    return given["quoted"] or given["bare"]


def _labels(given: Sequence[str]) -> dict[str, str]:
    """Return labels by key. Raises InvalidRequest for one that is not `key=value` or whose key is repeated."""
    labels: dict[str, str] = {}
    for index, text in enumerate(given):
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise InvalidRequest.of_field(f"label[{index}]", "must be key=value, as in tier=gold")
        if labels.setdefault(key, value) != value:
            raise InvalidRequest.of_field(
                f"label[{index}]", "names a key again with another value, which no account has"
            )
    return labels


def _reveal(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


def _signing(mode: SigningMode | None) -> account_pb2.SigningMode.ValueType:
    return account_pb2.SigningMode.Value(f"SIGNING_MODE_{mode}") if mode else account_pb2.SIGNING_MODE_UNSPECIFIED
