"""Targets: the responses of LWA, STS and SP-API."""

import gzip
import zlib

from tests.fuzz.parsers.aws import respond
from tests.fuzz.parsers.inputs import Http, as_json, http, http_of
from tests.fuzz.parsers.target import CANARY, Parser, Target

PARSING, SPAPI = "sellergate_amazon.parsing", "sellergate_gateway.spapi"
_JSON = "application/json"
_ERROR = {"code": "InvalidInput", "message": "One or more", "details": "The access token you provided has expired."}


def lwa_response() -> Parser:
    from pydantic import SecretStr
    from sellergate_common.errors import SellergateError
    from sellergate_token.lwa.responses import Response, parse
    from sellergate_token.ports import Code, RefreshToken, Scope

    grants = {"scope": Scope("x"), "code": Code(SecretStr("c"), "https://a.test/"), "": RefreshToken(SecretStr("r"))}

    def read(data: bytes) -> object:
        one = http_of(data)
        headers = {name.lower(): value for name, value in one.headers}
        return parse(Response(one.status, headers, one.body), grants.get(one.word, grants[""]), 1e9)

    token = {"access_token": CANARY, "refresh_token": CANARY, "token_type": "bearer", "expires_in": 3600}
    codes = ("invalid_client", "invalid_grant", "unauthorized_client", "access_denied", "server_error", "invalid_scope")
    seeds = [http(200, token, content_type=_JSON), http(200, token | {"expires_in": "3600"}, word="code")]
    seeds += [http(400, {"error": one, "error_description": "a"}, word=word) for one in codes for word in grants]
    seeds += [
        http(429, b"<html>", retry_after="5"),
        http(503, b"", retry_after="Thu, 26 Nov 2026 10:00:09 GMT", date="Thu, 26 Nov 2026 10:00:00 GMT"),
        http(200, gzip.compress(as_json(token), mtime=0), content_encoding="gzip"),
        http(200, zlib.compress(as_json(token)), content_encoding="deflate"),
        http(200, str(token).encode("utf-16"), content_type="application/json; charset=utf-16"),
    ]
    # A refusal has Amazon's own words, which the caller is to read.
    return Parser(read, (SellergateError,), tuple(seeds), lambda data: not 200 <= http_of(data).status < 300)


_ASSUMED = (
    "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAX</AccessKeyId><SecretAccessKey>{0}"
    "</SecretAccessKey><SessionToken>{0}</SessionToken><Expiration>2026-11-26T10:00:00Z</Expiration></Credentials>"
    "</AssumeRoleResult></AssumeRoleResponse>"
)
_REFUSED = "<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code><Message>no</Message></Error></ErrorResponse>"


def sts_response() -> Parser:
    from sellergate_common.errors import SellergateError
    from sellergate_iam.ports import Role
    from sellergate_iam.sts import BotoSts

    role, sts = Role("arn:aws:iam::1:role/a", "x", "eu-west-1"), BotoSts("eu-west-1", lambda: 0.0, lambda: 1e9)
    parameters = {"RoleArn": role.arn, "RoleSessionName": "s", "DurationSeconds": 3600}
    client, feed = respond("sts")

    def read(data: bytes) -> object:
        feed(data)
        return sts._call(client, role, parameters)

    codes = ("AccessDenied", "Throttling", "ExpiredToken", "ValidationError", "Other")
    seeds = [http(200, _ASSUMED.format(CANARY).encode(), content_type="text/xml")]
    seeds += [http(400, _REFUSED.format(code).encode(), content_type="text/xml") for code in codes]
    return Parser(read, (SellergateError,), (*seeds, http(500, b"<html>"), http(200, b"{}")))


def _amazon_response(one: Http) -> object:
    from sellergate_gateway.spapi.http import AmazonResponse

    return AmazonResponse(one.status, one.headers, one.body)


def spapi_response() -> Parser:
    """Any bytes at all are classified, and every refusal becomes a status that gRPC can send."""
    from sellergate_common.errors import Reason
    from sellergate_common.status import to_status, trailing_metadata
    from sellergate_gateway.calls.outcomes import OUTCOMES
    from sellergate_gateway.spapi import errors, response

    def read(data: bytes) -> object:
        given = _amazon_response(http_of(data))
        found = response.classify(given)
        rate, pause = response.rate_limit_of(given), response.retry_after_of(given)
        assert 0 <= rate < 1e6
        assert pause is None or 0 <= pause <= 3600
        for idempotent in (True, False):
            reason = OUTCOMES[found.kind].reason(idempotent=idempotent)
            if isinstance(reason, Reason):
                refusal = errors.of_refusal(given, found, reason, "a/v0/b", interval=2.0, personal=idempotent)
                trailing_metadata(to_status(refusal, "gateway"))
        return found

    seeds = [http(status, {"errors": [_ERROR]}, content_type=_JSON) for status in (400, 401, 403, 404, 409, 429, 503)]
    seeds += [
        http(200, {"payload": {}}, x_amzn_RateLimit_Limit="0.0167", x_amzn_RequestId="r"),
        http(403, _ERROR | {"details": "LWA client secret has expired"}),
        http(403, {"message": "The security token included in the request is expired"}),
        http(429, [_ERROR, 1, None], retry_after="Thu, 26 Nov 2026 10:00:09 GMT", date="Thu, 26 Nov 2026 10:00:00 GMT"),
        http(500, gzip.compress(as_json({"errors": [_ERROR]}), mtime=0), content_encoding="gzip"),
        http(503, b"<html>"),
    ]
    return Parser(read, (), tuple(seeds))


def spapi_headers() -> Parser:
    from sellergate_gateway.spapi.aiohttp_transport import _headers
    from sellergate_gateway.spapi.http import ResponseLost

    def read(data: bytes) -> object:
        return _headers((name, value) for name, _, value in (line.partition(b": ") for line in data.split(b"\n")))

    seeds = (b"Content-Type: application/json\nx-amzn-RequestId: 1\nSet-Cookie: a=b", b"Location: \xff\x00\nx-amz-: \r")
    return Parser(read, (ResponseLost,), seeds)


_PAGED = ("orders/v0/getOrders", "reports/2021-06-30/getReports", "replenishment/2022-11-07/listOffers")


def spapi_page() -> Parser:
    """A page has a next token, has none, or is no page."""
    from sellergate_amazon.operations import Catalogue
    from sellergate_amazon.parsing import ParseError
    from sellergate_gateway.calls.pagination import next_token
    from sellergate_gateway.spapi.response import outline_of

    operations = [one for name in _PAGED if (one := Catalogue.load().get(name))]
    body = as_json({"pagination": {"limit": 20, "offset": 0}})

    def read(data: bytes) -> object:
        outline = outline_of(_amazon_response(http_of(data)))  # type: ignore[arg-type]
        tokens = []
        for operation in operations:
            try:
                tokens.append(next_token(operation, dict(outline), body))
            except ParseError:
                tokens.append(None)
        assert all(token is None or 0 < len(token) <= 8192 for token in tokens)
        return tokens

    seeds = (
        http(200, {"payload": {"Orders": [{"a": 1}], "NextToken": "t"}}, content_type=_JSON),
        http(200, {"reports": [], "nextToken": "t"}),
        http(200, {"offers": [], "pagination": {"totalResults": 99}}),
        http(200, {"errors": [_ERROR]}),
        http(200, gzip.compress(as_json({"reports": [], "nextToken": "t"}), mtime=0), content_encoding="gzip"),
    )
    return Parser(read, (ParseError,), seeds)


def json_body() -> Parser:
    """What the strict reader accepts, the reader of outlines accepts too, and it has the same members."""
    from sellergate_amazon import parsing

    def read(data: bytes) -> object:
        one = http_of(data)
        headers = {name.lower(): value for name, value in one.headers}
        kind, encoding = headers.get("content-type", ""), headers.get("content-encoding", "")
        whole = parsing.parse_json(one.body, most=100_000, content_type=kind, content_encoding=encoding)
        outline = parsing.parse_outline(
            one.body, most=100_000, most_values=100_000, content_type=kind, content_encoding=encoding
        )
        assert type(whole) is type(outline)
        if isinstance(whole, dict):
            assert whole.keys() == outline.keys()
        return parsing.parse_text(one.body, most=100_000, content_type=kind, content_encoding=encoding)

    document = {"a": [{"b": [1, 2.5, None, True]}, "\u00e9\ud83d\ude00"], "c": {"d": {"e": {"f": {"g": {}}}}}, "": -0.0}
    seeds = [http(200, document, content_type=f"application/json; charset={name}") for name in ("utf-8", "hex", '"')]
    seeds += [
        http(200, gzip.compress(as_json(document), mtime=0), content_encoding="x-gzip"),
        http(200, gzip.compress(b"[" * 10**6, mtime=0), content_encoding="gzip"),
        http(200, zlib.compress(as_json(document))[2:-4], content_encoding="deflate"),
        http(200, b"\xef\xbb\xbf[]"),
        http(200, "[1]".encode("utf-16"), content_type="text/plain; charset=utf-16"),
        http(200, b"[" * 63 + b"]" * 63),
    ]
    return Parser(read, (parsing.ParseError,), tuple(seeds))


def restricted_token() -> Parser:
    from sellergate_common.errors import Unavailable
    from sellergate_gateway.credentials.restricted_tokens import _read

    token = {"restrictedDataToken": CANARY, "expiresIn": 3600}
    seeds = (http(200, token), http(200, {"payload": token}), http(200, token | {"expiresIn": "x"}), http(200, b""))
    return Parser(lambda data: _read(_amazon_response(http_of(data)), 1e9), (Unavailable,), seeds)  # type: ignore[arg-type]


def report_state() -> Parser:
    """The responses of createReport, getReport and getReports, with the age of a report."""
    from sellergate_amazon.parsing import ParseError
    from sellergate_common.errors import AmazonRefused
    from sellergate_gateway.credentials.report_types import _reports
    from sellergate_gateway.reports import run

    def read(data: bytes) -> object:
        given = _amazon_response(http_of(data))
        _reports(given)  # type: ignore[arg-type]
        run._age(given)  # type: ignore[arg-type]
        state = run._state(given)  # type: ignore[arg-type]
        run._document_id(state, "1")
        return run._report_id(given)  # type: ignore[arg-type]

    report = {"reportId": "1", "processingStatus": "DONE", "reportDocumentId": "d", "reportType": "GET_A"}
    date = "Thu, 26 Nov 2026 10:00:00 GMT"
    seeds = (
        http(200, report | {"createdTime": "2026-11-26T09:00:00+00:00"}, date=date),
        http(200, {"reports": [report, 1]}),
        http(202, {"reportId": "1"}, date="--jan 1 2:2 x"),
        http(200, report | {"reportDocumentId": None, "createdTime": 5}, date=date),
    )
    # The refusal of a report has Amazon's status of it.
    return Parser(read, (ParseError, AmazonRefused), seeds, lambda _: True)


def client_response() -> Parser:
    from sellergate_client.responses import SpApiResponse

    def read(data: bytes) -> object:
        one = http_of(data)
        response = SpApiResponse(one.status, one.headers, one.body, "r", 0.0, 1, 0.0, "")
        assert "body=" in repr(response)
        return response.text(), response.json()

    seeds = (http(200, {"a": CANARY}, content_type=_JSON), http(200, b"\xff", content_type="text/plain; charset=hex"))
    return Parser(read, (ValueError,), seeds)


TARGETS = (
    Target("lwa-response", ("sellergate_token.lwa.responses", PARSING), lwa_response),
    Target("sts-response", ("sellergate_iam.sts", "sellergate_iam.sts_errors", PARSING), sts_response),
    Target("spapi-response", (f"{SPAPI}.response", f"{SPAPI}.errors", PARSING), spapi_response),
    Target("spapi-headers", (f"{SPAPI}.aiohttp_transport", "sellergate_amazon.headers"), spapi_headers),
    Target("spapi-page", ("sellergate_gateway.calls.pagination", PARSING), spapi_page),
    Target("json-body", (PARSING,), json_body),
    Target("restricted-token", ("sellergate_gateway.credentials.restricted_tokens", PARSING), restricted_token),
    Target("report-state", ("sellergate_gateway.reports.run", PARSING), report_state),
    Target("client-response", ("sellergate_client.responses", PARSING), client_response),
)
