"""Verification of an account: one exchange with Amazon decides whether it is active or revoked."""

import time
from typing import Annotated

from fastapi import APIRouter, Query, Request
from sellergate_client import SellergateError
from sellergate_client.authorizations import Authorizations
from sellergate_common.errors import NotFound

from sellergate_edge.dependencies import Client, User
from sellergate_edge.routes.diagnostics import stages_of
from sellergate_edge.routes.models import Account, Stage, Status
from sellergate_edge.routes.user_route import UserRoute

router = APIRouter(prefix="/api/amazon/accounts", tags=["accounts"], route_class=UserRoute)
_Call = Annotated[bool, Query(description="Also make one call of SP-API (getMarketplaceParticipations).")]


@router.post("/{account_id}/verify")
async def verify(account_id: str, request: Request, user: User, client: Client, call: _Call = False) -> Status:
    """Exchange the stored refresh token with Amazon now, and let the result decide about the account.

    A revoked account becomes ACTIVE when Amazon accepts the token; one that Amazon refuses becomes or stays
    AUTHORIZATION_REVOKED. At most one exchange is made for an account in 60 s; a request in between reports the present token as
    CACHED with its age. What fails is a stage of the response, and `state` is the state of the account after it.
    """
    authorizations: Authorizations = request.app.state.website.authorizations
    started = time.monotonic()
    try:
        verified = await authorizations.verify(account_id, on_behalf_of=user)
    except NotFound:
        raise
    except SellergateError as error:
        account = await client.accounts.get(account_id, on_behalf_of=user)
        failed = Stage(name="token", outcome="FAILED", reason=f"{error.reason}: {error.message}", ms=_ms(started))
        return Status(account_id=account_id, state=Account.from_message(account).state, stages=[failed])
    age = None if verified.exchanged else round(verified.age.ToMilliseconds() / 1000, 1)
    outcome, reason = ("OK", "") if age is None else ("CACHED", "the account was verified less than 60 s ago")
    stages = [Stage(name="token", outcome=outcome, reason=reason, ms=_ms(started), age_seconds=age)]
    if not call:
        return Status(account_id=account_id, state="ACTIVE", stages=stages)
    checked = await client.check_account(account_id, exchange=False, on_behalf_of=user)
    others = [stage for stage in stages_of(checked) if stage.name in ("role", "call")]
    return Status(account_id=account_id, state=checked.state, stages=stages + others)


def _ms(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 2)
