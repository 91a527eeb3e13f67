"""Permission of calls by an account's state."""

from sellergate.account.v1 import account_pb2
from sellergate_common.errors import PreconditionFailed


def check_usable(account: account_pb2.Account) -> account_pb2.Account:
    """Return `account` if calls can be made for it. Raises PreconditionFailed for an inactive or revoked account."""
    if account.state == account_pb2.ACCOUNT_STATE_INACTIVE:
        raise PreconditionFailed.inactive()
    if account.state == account_pb2.ACCOUNT_STATE_AUTHORIZATION_REVOKED:
        raise PreconditionFailed.revoked()
    return account
