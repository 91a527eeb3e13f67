"""Users that are operators: only they see accounts of all users, and only where a request asks for it."""

import pytest
from sellergate_common.context import CallContext, Caller, use_context
from sellergate_common.errors import NotAllowed
from sellergate_common.identity.operator_settings import OperatorSettings, visible_user
from sellergate_common.settings import SettingsError, read_settings

OPERATORS = frozenset({"u9"})


def seen_by(caller: Caller, *, all_users: bool) -> str:
    with use_context(CallContext("x", "r1", caller=caller)):
        return visible_user(OPERATORS, all_users=all_users)


def test_a_user_sees_own_accounts_and_an_operator_all_where_it_asks_for_them() -> None:
    assert seen_by(Caller("edge", "u1"), all_users=False) == "u1"
    assert seen_by(Caller("edge", "u9"), all_users=False) == "u9"
    assert seen_by(Caller("edge", "u9"), all_users=True) == ""
    for identity in ("operator", "gateway"):
        for all_users in (False, True):
            assert seen_by(Caller(identity), all_users=all_users) == ""


@pytest.mark.parametrize("user", ["u1", "U9", "u9 ", "u"])
def test_another_user_is_refused(user: str) -> None:
    with pytest.raises(NotAllowed, match="SELLERGATE_OPERATOR_USERS"):
        seen_by(Caller("edge", user), all_users=True)


def test_the_setting_lists_user_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings(OperatorSettings).operators == frozenset()
    monkeypatch.setenv("SELLERGATE_OPERATOR_USERS", "u9, Zoë Operator")
    assert read_settings(OperatorSettings).operators == {"u9", "Zoë Operator"}
    monkeypatch.setenv("SELLERGATE_OPERATOR_USERS", f"u9,{'x' * 129}")
    with pytest.raises(SettingsError, match="SELLERGATE_OPERATOR_USERS: must list user ids"):
        read_settings(OperatorSettings)
