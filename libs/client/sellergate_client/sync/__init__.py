"""The client library without await, for programs without an event loop: it runs one in its own thread.

Several threads may use one client at the same time. A coroutine may use it too, but its event loop is blocked during each
call, and the client warns of it (RuntimeWarning): use `sellergate_client.SellingPartner` there. In a notebook that is harmless.

In a process that was forked after its parent had opened a client, no client works: fork before, or start child processes with
the method "spawn" of multiprocessing.

>>> from sellergate_client.sync import SellingPartner
>>> with SellingPartner(account_id) as partner:  # doctest: +SKIP
...     print(partner.get("/sellers/v1/marketplaceParticipations").json())
"""

from sellergate_client.sync.accounts import Accounts
from sellergate_client.sync.partner import Document, SellingPartner
from sellergate_client.sync.sellergate import Sellergate

__all__ = ["Accounts", "Document", "Sellergate", "SellingPartner"]
