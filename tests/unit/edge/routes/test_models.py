"""The documents of the REST API that are made from the services' messages."""

import pytest
from sellergate.account.v1 import account_pb2
from sellergate.gateway.v1 import operation_pb2
from sellergate_amazon.operations import Catalogue
from sellergate_edge.routes.models import Account, Operation, Parameter, VerificationMethod


def test_an_operation_names_its_parameters() -> None:
    known = Catalogue.load().get("orders/2026-01-01/searchOrders")
    assert known is not None
    message = operation_pb2.Operation(name=known.name, method=known.method, path=known.path, burst=20)
    document = Operation.from_message(message, known.parameters or ())
    assert (document.name, document.method, document.burst) == (known.name, "GET", 20)
    assert Parameter(place="query", name="createdAfter", required=False) in document.parameters
    assert {one.place for one in document.parameters} == {"query"}


def test_every_parameter_of_the_catalogue_has_a_place_and_a_name() -> None:
    for operation in Catalogue.load():
        for words in operation.parameters or ():
            parameter = Parameter.from_catalogue(words)
            assert parameter.place in {"path", "query", "header", "body"}, words
            assert parameter.name, words
            assert parameter.required == ("!" in words), words


@pytest.mark.parametrize(
    ("method", "named"),
    [(0, None), (1, VerificationMethod.REFRESH_TOKEN), (2, VerificationMethod.CONSENT), (99, None)],
)
def test_an_account_says_how_it_was_verified(method: int, named: VerificationMethod | None) -> None:
    message = account_pb2.Account(
        signing_mode=account_pb2.SIGNING_MODE_AUTO,
        state=account_pb2.ACCOUNT_STATE_ACTIVE,
        verification_method=method,  # type: ignore[arg-type]
    )
    message.create_time.FromSeconds(1_700_000_000)
    message.update_time.FromSeconds(1_700_000_000)
    document = Account.from_message(message)
    assert (document.verified_time, document.verification_method) == (None, named)
    message.verified_time.FromSeconds(1_800_000_000)
    assert Account.from_message(message).model_dump(mode="json")["verified_time"] == "2027-01-15T08:00:00Z"
