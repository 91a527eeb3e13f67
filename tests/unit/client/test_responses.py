"""Responses and their repr."""

from sellergate_client import SpApiResponse


def response(body: bytes, content_type: str = "application/json") -> SpApiResponse:
    return SpApiResponse(200, (("Content-Type", content_type),), body, "request-1", 0.0, 1, 0.0, "")


def test_the_repr_shows_status_request_id_and_size_and_never_the_body() -> None:
    shown = repr(response(b'{"buyerName": "Ada"}'))
    assert "Ada" not in shown
    assert shown == "<SpApiResponse status=200 amazon_request_id='request-1' body=20 bytes>"


def test_the_text_is_as_amazon_wrote_it() -> None:
    assert response("é 12.10".encode("latin-1"), "text/plain; charset=ISO-8859-1").text() == "é 12.10"
