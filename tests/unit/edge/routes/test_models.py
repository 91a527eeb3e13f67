"""The documents of the REST API that are made from the services' messages."""

from sellergate.gateway.v1 import operation_pb2
from sellergate_amazon.operations import Catalogue
from sellergate_edge.routes.models import Operation, Parameter


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
