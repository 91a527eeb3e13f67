"""The user that a caller acts for, and the refusal to act for another one."""

from sellergate_common.context import current_caller
from sellergate_common.errors import NotAllowed


def acting_user() -> str:
    """Return the user that the edge acts for; empty for callers that see the rows of all users."""
    return current_caller().on_behalf_of


def check_user(user_id: str, field: str) -> None:
    """Raise NotAllowed where the edge acts for another user than the one in `field`."""
    user = acting_user()
    if user and user_id != user:
        raise NotAllowed(
            f"The caller acts for another user than the one in {field}; send the id of the user that it acts for."
        )
