"""The revisions that each gateway has read, and the oldest grant that a token of each revision may have."""

from bisect import bisect_right

from sellergate.account.v1 import account_service_pb2

from simulation.world.loop import Node

METHOD = "/sellergate.account.v1.AccountService/GetAccount"


class Revisions:
    """What a gateway must not forget: a call uses no token that is older than the account that the gateway has read before."""

    def __init__(self) -> None:
        self._grants: dict[str, dict[int, int]] = {}
        self._read: dict[Node, dict[str, list[tuple[float, int]]]] = {}

    def store(self, seller: str, revision: int, grant: int, *, exchanged: bool) -> None:
        """Record a commit. A refresh token that LWA sent is `exchanged`: it came with a token of the grant before it."""
        known = self._grants.setdefault(seller, {})
        known[revision] = known.get(revision - 1, 0) if exchanged else grant

    def read(self, node: Node, method: str, response: bytes, now: float) -> None:
        """Record the account that a gateway receives."""
        if method == METHOD and node.name.startswith("gateway"):
            account = account_service_pb2.GetAccountResponse.FromString(response).account
            found = self._read.setdefault(node, {}).setdefault(account.amazon_seller_id, [])
            found.append((now, max(account.revision, found[-1][1] if found else 0)))

    def oldest_grant(self, node: Node, seller: str, began: float) -> int:
        """Return the oldest grant that a call of a gateway may use that began at `began`; 0 if any."""
        found = self._read.get(node, {}).get(seller, [])
        index = bisect_right(found, (began, 0))
        return self._grants.get(seller, {}).get(found[index - 1][1], 0) if index else 0
