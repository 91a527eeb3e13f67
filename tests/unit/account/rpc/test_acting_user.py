"""The edge acts for one user at a time, and for no other user."""

import pytest
from sellergate_account.rpc.acting_user import acting_user, check_user
from sellergate_common.context import CallContext, Caller, use_context
from sellergate_common.errors import NotAllowed


def test_the_edge_acts_for_its_user_only() -> None:
    with use_context(CallContext("m", "r", caller=Caller("edge", "u1"))):
        assert acting_user() == "u1"
        check_user("u1", "user_id")
        for other in ("u2", ""):
            with pytest.raises(NotAllowed, match="owner_user_id"):
                check_user(other, "owner_user_id")


def test_an_operator_acts_for_every_user() -> None:
    with use_context(CallContext("m", "r", caller=Caller("operator"))):
        assert acting_user() == ""
        check_user("u2", "user_id")
