"""The account service's servicers on a domain, called as gRPC calls them, without a server."""

from typing import Any

from sellergate_account.ports.change_log import ListedChanges
from sellergate_account.rpc.accounts import AccountSecretsServicer, AccountServicer
from sellergate_account.rpc.applications import ApplicationServicer
from sellergate_account.rpc.clients import DropInClientServicer
from sellergate_common.context import CallContext, Caller, use_context

from tests.fakes.account import Domain

EDGE = Caller("edge", "u1")


class NoChangeLog:
    """The list of changes for a test that does not use it."""

    async def read(self, cursor: str) -> ListedChanges:
        raise AssertionError(cursor)

    async def settled(self) -> int:
        raise AssertionError

    async def remove(self, before: int, limit: int) -> int:
        raise AssertionError((before, limit))


class Servicers:
    """The servicers, whose methods are found by the names of their requests."""

    def __init__(self, domain: Domain) -> None:
        self._servicers = (
            AccountServicer(domain.accounts, NoChangeLog()),
            AccountSecretsServicer(domain.accounts, domain.applications),
            ApplicationServicer(domain.applications),
            DropInClientServicer(domain.clients),
        )

    async def call(self, request: Any, caller: Caller = EDGE) -> Any:
        """Return the response of a request. Raises SellergateError."""
        name = type(request).__name__.removesuffix("Request")
        method = next(getattr(one, name) for one in self._servicers if name in type(one).__dict__)
        with use_context(CallContext(name, "r", caller=caller)):
            return await method(request, None)
