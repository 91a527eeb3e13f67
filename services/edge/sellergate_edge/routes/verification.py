"""Verification of an account: one token exchange with Amazon decides whether the account is active or revoked."""

import time
from typing import Annotated

from fastapi import APIRouter, Query
from sellergate_client import SellergateError
from sellergate_common.errors import NotFound

from sellergate_edge.dependencies import Client, Site, User
from sellergate_edge.routes.diagnostics import stages_of
from sellergate_edge.routes.models import Account, AccountState, Outcome, Stage, Status
from sellergate_edge.routes.user_route import UserRoute

router = APIRouter(prefix="/api/amazon/accounts", tags=["accounts"], route_class=UserRoute)
_Call = Annotated[bool, Query(description="Also call one operation of SP-API (getMarketplaceParticipations).")]


@router.post("/{account_id}/verify", operation_id="verifyAccount")
async def verify(account_id: str, website: Site, user: User, client: Client, call: _Call = False) -> Status:
    """Exchange the stored refresh token with Amazon, and set the state of the account by the result.

    If Amazon accepts the token, a revoked account becomes ACTIVE; if Amazon refuses it, the account becomes or stays
    AUTHORIZATION_REVOKED. Sellergate makes at most one exchange in 60 s for an account; another request within this time reports
    the current access token as CACHED with its age. A failure is a stage of the response; `state` is the state afterwards.
    """
    started = time.monotonic()
    try:
        verified = await website.authorizations.verify(account_id, on_behalf_of=user)
    except NotFound:
        raise
    except SellergateError as error:
        account = await client.accounts.get(account_id, on_behalf_of=user)
        failed = Stage(name="token", outcome=Outcome.FAILED, reason=f"{error.reason}: {error.message}", ms=_ms(started))
        return Status(account_id=account_id, state=Account.from_message(account).state, stages=[failed])
    age = None if verified.exchanged else round(verified.age.ToMilliseconds() / 1000, 1)
    outcome, reason = (
        (Outcome.OK, "") if age is None else (Outcome.CACHED, "the account was verified less than 60 s ago")
    )
    stages = [Stage(name="token", outcome=outcome, reason=reason, ms=_ms(started), age_seconds=age)]
    if not call:
        return Status(account_id=account_id, state=AccountState.ACTIVE, stages=stages)
    checked = await client.check_account(account_id, exchange=False, on_behalf_of=user)
    others = [
        stage for stage in stages_of(checked) if stage.name in ("role", "call") or stage.outcome is Outcome.FAILED
    ]
    return Status(account_id=account_id, state=AccountState(checked.state), stages=stages + others)


def _ms(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 2)
