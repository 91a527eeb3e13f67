"""Users of the edge that are operators: they see the accounts of all users, where a request asks for that."""

from typing import Annotated

from pydantic import AfterValidator

from sellergate_common.context import current_caller
from sellergate_common.errors import NotAllowed
from sellergate_common.identity.users import is_user_id
from sellergate_common.settings import Settings


def _ids(text: str) -> frozenset[str]:
    """Return the ids, which may contain blanks."""
    return frozenset(filter(None, map(str.strip, text.split(","))))


def _are_user_ids(text: str) -> str:
    if not all(map(is_user_id, _ids(text))):
        raise ValueError("must list user ids (`sub` of their tokens), separated by commas")
    return text


class OperatorSettings(Settings):
    """The users that are operators. Account, gateway and edge need the same ones."""

    operator_users: Annotated[str, AfterValidator(_are_user_ids)] = ""
    """Ids of users (`sub` of their tokens), separated by commas; empty: no user sees accounts of others."""

    @property
    def operators(self) -> frozenset[str]:
        """The ids of the users that are operators."""
        return _ids(self.operator_users)


def visible_user(operators: frozenset[str], *, all_users: bool) -> str:
    """Return the user whose accounts the present caller sees; empty for those of all users.

    `all_users`: the request asks for accounts of all users. Raises NotAllowed where the edge acts for a user that is no operator.
    """
    user = current_caller().on_behalf_of
    if not (user and all_users):
        return user
    if user not in operators:
        raise NotAllowed(
            "Only operators see accounts of other users. Leave all_users out, or have SELLERGATE_OPERATOR_USERS name this user."
        )
    return ""
