"""The parts of tables of bad inputs: a case, the stored data, the sending, and the check of the database."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from sellergate.account.v1 import account_admin_service_pb2 as admin
from sellergate.account.v1 import application_pb2
from sellergate.account.v1 import application_service_pb2 as applications
from sellergate.account.v1 import drop_in_client_service_pb2 as clients
from sellergate.account.v1.account_admin_service_pb2_grpc import AccountAdminServiceStub
from sellergate.account.v1.application_service_pb2_grpc import ApplicationServiceStub
from sellergate.account.v1.drop_in_client_service_pb2_grpc import DropInClientServiceStub
from sellergate_common.errors import Reason, SellergateError
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_common.status import from_rpc_error
from sellergate_devstack.suite import Suite
from sqlalchemy import create_engine, inspect, text

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller

MEGABYTE = "x" * 1_000_000
# Ids that no row has, each of a kind that careless code handles wrongly.
STRANGE_IDS: Mapping[str, str] = {
    "sql": "x' OR '1'='1",
    "more sql": "1; DROP TABLE accounts; --",
    "like": "%",
    "json": '{"$gt": ""}',
    "format": "%s%n{0}{account}",
    "path": "../../etc/passwd",
    "nul": "a\0b",
    "newline": "a\n",
    "emoji": "😀",
    "right to left": "مرحبا",
    "bidi override": "a\u202eb",
    "zero width": "a\u200bb",
    "byte order mark": "\ufeffa",
    "65 characters": "a" * 65,
    "a megabyte": MEGABYTE,
}
CONTROL = "must not contain control or invisible formatting characters"
NO_ACCOUNT = "There is no such account; check the account id."
NO_APPLICATION = "There is no such application; check the application id."
NO_CLIENT = "There is no such client; check the client id."
_NOT_FOUND = {
    Reason.ACCOUNT_NOT_FOUND: NO_ACCOUNT,
    Reason.APPLICATION_NOT_FOUND: NO_APPLICATION,
    Reason.CLIENT_NOT_FOUND: NO_CLIENT,
}
_REMEDY = re.compile(r"must|at most|belongs to another list|is there already|once|first")
_MAX_MESSAGE_BYTES = 4096


@dataclass
class World:
    """The stored data before a bad input is sent, all of it of `user` unless its name says otherwise."""

    rest: Rest
    seller: Seller
    user: str = ""
    stranger: str = ""
    account: str = ""
    strangers_account: str = ""
    application: str = ""
    strangers_application: str = ""
    shared_application: str = ""
    client: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def made(cls, rest: Rest, seller: Seller) -> "World":
        world = cls(rest, seller, user=f"bad-{seller.seller_id}", stranger=f"other-{seller.seller_id}")
        await rest.connect(seller, world.user)
        bodies = {"user": seller.connection(marketplace="CA"), "stranger": seller.connection()}
        for name, body in bodies.items():
            response = (await rest.request("POST", "/api/amazon/accounts", getattr(world, name), json=body)).json()
            prefix = "strangers_" if name == "stranger" else ""
            setattr(world, f"{prefix}account", response["id"])
            setattr(world, f"{prefix}application", response["applicationId"])
        page = (await rest.request("GET", "/api/amazon/accounts?pageSize=1", world.user)).json()
        world.tokens["accounts"] = page["nextPageToken"]
        await world._with_applications(rest.suite)
        await world._with_clients(rest.suite)
        await world._with_events(rest.suite)
        return world

    async def _with_applications(self, suite: Suite) -> None:
        async with open_channel(suite.target("account"), "account", suite.identity("operator"), []) as channel:
            stub = ApplicationServiceStub(channel)
            new = applications.CreateApplicationRequest(
                application=application_pb2.Application(name="Shared"),
                lwa_client_id=f"amzn1.application-oa2-client.{self.user}",
                lwa_client_secret="shared-by-all",
            )
            self.shared_application = (
                await invoke(stub.CreateApplication, new, dependency="account")
            ).application.application_id
            one = applications.ListApplicationsRequest(owner_user_id=self.user, page_size=1)
            page = await invoke(stub.ListApplications, one, dependency="account")
            self.tokens["applications"] = page.next_page_token

    async def _with_clients(self, suite: Suite) -> None:
        async with open_channel(suite.target("account"), "account", suite.identity("edge"), []) as channel:
            stub = DropInClientServiceStub(channel)
            new = clients.CreateClientRequest(user_id=self.user, name="SDK", account_ids=[self.account])
            for _ in range(2):
                made = await invoke(stub.CreateClient, new, dependency="account", on_behalf_of=self.user)
                self.client = made.client.client_id
            one = clients.ListClientsRequest(user_id=self.user, page_size=1)
            page = await invoke(stub.ListClients, one, dependency="account", on_behalf_of=self.user)
            self.tokens["clients"] = page.next_page_token

    async def _with_events(self, suite: Suite) -> None:
        async with open_channel(suite.target("account"), "account", suite.identity("operator"), []) as channel:
            one = admin.ListAuditEventsRequest(account_id=self.account, page_size=1)
            page = await invoke(AccountAdminServiceStub(channel).ListAuditEvents, one, dependency="account")
            self.tokens["audit"] = page.next_page_token


@dataclass(frozen=True)
class Bad:
    """A bad request and its expected error. `user`: the field of the world with the user that the edge acts for."""

    name: str
    method: str
    request: Callable[[World], Message]
    fields: str = ""
    reason: Reason = Reason.INVALID_REQUEST
    caller: str = "operator"
    user: str = ""
    message: str = ""

    async def refusal(self, world: World) -> SellergateError:
        """Send the request and return how it was refused."""
        suite, request = world.rest.suite, self.request(world)
        metadata = [("on_behalf_of", getattr(world, self.user))] if self.user else []
        async with open_channel(suite.target("account"), "account", suite.identity(self.caller), []) as channel:
            make = channel.unary_stream if self.method.endswith("/RewrapSecrets") else channel.unary_unary
            call = make(f"/sellergate.account.v1.{self.method}", request_serializer=type(request).SerializeToString)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                response = call(request, timeout=20, metadata=metadata)
                await (response.read() if self.method.endswith("/RewrapSecrets") else response)
        return from_rpc_error(caught.value, "account")

    def check(self, world: World, error: SellergateError) -> None:
        """Assert that the refusal is the expected one, names the remedy, and repeats no secret or long input."""
        texts = error.message, [(violation.field, violation.description) for violation in error.violations]
        assert error.reason is self.reason, texts
        assert error.domain == "sellergate.account", "the service itself refused, not what carries its calls"
        assert sorted({violation.field for violation in error.violations}) == self.fields.split(), texts
        for violation in error.violations:
            assert _REMEDY.search(violation.description), texts
        assert self.message in error.message, texts
        assert error.message == _NOT_FOUND.get(error.reason, error.message)
        shown = repr((texts, error.metadata, error.resource))
        assert len(shown.encode()) < _MAX_MESSAGE_BYTES
        for value, is_secret in _texts(self.request(world)):
            assert value not in shown or not (is_secret or len(value) > 128), "the refusal repeats what it was sent"


def dump(suite: Suite) -> dict[str, list[Any]]:
    """Return every row of every table of the account service."""
    file = suite.plan.state.folder / "account.sqlite"
    engine = create_engine(f"sqlite:///file:{file}?mode=ro&uri=true")
    try:
        with engine.connect() as connection:
            tables = inspect(connection).get_table_names()
            return {table: sorted(map(repr, connection.execute(text(f'SELECT * FROM "{table}"')))) for table in tables}
    finally:
        engine.dispose()


def _texts(message: Message) -> list[tuple[str, bool]]:
    """Return every text in a message, and whether it is a secret."""
    found = []
    for descriptor, value in message.ListFields():
        items = value if descriptor.is_repeated else [value]
        for item in items:
            if isinstance(item, Message):
                found += _texts(item)
            elif isinstance(item, str):
                found.append((item, descriptor.GetOptions().debug_redact))
    return found
