"""Targets: requests of gRPC as bytes, messages of replicas, captured exchanges, and URLs of settings."""

from tests.fuzz.parsers.inputs import NEXT, as_json, http, http_of
from tests.fuzz.parsers.target import CANARY, Parser, Target

COMMON = "sellergate_common"
_URL = "https://sellingpartnerapi-na.amazon.com/orders/v0/orders?"


def rpc_request() -> Parser:
    """The bytes of a request: a message within the rules of its fields, or a refusal that names a field."""
    from google.protobuf.timestamp_pb2 import Timestamp
    from sellergate.account.v1 import account_service_pb2 as pb2
    from sellergate_common.errors import InvalidRequest
    from sellergate_common.rpc import request_bytes
    from sellergate_common.rpc.timestamps import read_time
    from sellergate_common.rpc.validation import validate

    parser = request_bytes.RequestParser(
        "sellergate.account.v1.AccountService/UpsertAccount", pb2.UpsertAccountRequest.FromString
    )
    large = b"\x0a\x02aa" * (request_bytes.LOOKED_AT_BYTES // 4)

    def read(data: bytes) -> object:
        request_bytes.text_on_wire(data, 1)
        # A request above 64 KiB is scanned before it is parsed.
        parser._check(data)
        message = parser(data)
        validate(message)
        read_time(message, "authorization_expire_time", "account.")
        return message

    whole = pb2.UpsertAccountRequest(
        user_id="u",
        amazon_seller_id="A1",
        marketplace="US",
        lwa_client_id="amzn1.application-oa2-client.1",
        lwa_client_secret=CANARY,
        refresh_token=CANARY,
        marketplace_ids=["ATVPDKIKX0DER"],
        authorization_expire_time=Timestamp(seconds=2**40),
    )
    odd = pb2.UpsertAccountRequest(authorization_expire_time=Timestamp(seconds=-(2**62), nanos=-1), user_id="\u202e")
    seeds = (
        whole.SerializeToString(),
        odd.SerializeToString(),
        large[:8000],
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    )
    return Parser(read, (InvalidRequest,), seeds)


def quota_message() -> Parser:
    """A message of another replica reschedules waiters, or is dropped."""
    from sellergate_gateway.quota.ports import Reschedule
    from sellergate_gateway.quota.waiters import WaitQueue, _Waiter

    own, other = WaitQueue(lambda: 5.0, "own"), WaitQueue(lambda: 5.0, "other")

    def read(data: bytes) -> object:
        waiter = _Waiter({"b": 7.0}, {"b": 3}, 9.0)
        own._waiting["b"] = {waiter}
        own.forget(data.decode("utf-8", "replace"))
        at = waiter.at["b"]
        assert at >= 5.0
        return at

    changes = (Reschedule(2.0), Reschedule(1.0, -0.5, (1, 2)), Reschedule(0.1, 3.0))
    seeds = [other.message(["b"], change).encode() for change in changes]
    more = ([None, ["b"], 10**400, 1], ["x", ["b"], 1, 1, [1e999]], ["x", {"b": 1}, "nan", "-inf"], {"a": 1})
    return Parser(read, (), (*seeds, *map(as_json, more)))


def captured_exchange() -> Parser:
    """A capture of any exchange is redacted, and none is too odd to be shown."""
    from sellergate_amazon.operations import Catalogue
    from sellergate_gateway.captures.redaction import redact_exchange
    from sellergate_gateway.spapi.http import AmazonRequest, AmazonResponse

    operation = Catalogue.load().get("sellers/v1/getMarketplaceParticipations")
    assert operation

    def read(data: bytes) -> object:
        first, _, second = data.partition(NEXT)
        sent, got = http_of(first), http_of(second)
        request = AmazonRequest("GET", _URL + sent.word, sent.headers, sent.body)
        response = AmazonResponse(got.status, got.headers, got.body)
        found = redact_exchange(operation, request, response, start_time=0.0, seconds=1.0, request_id="r")
        assert not found.response_body.startswith("[cannot be shown"), found.response_body
        repr(found).encode()
        return found

    address = {"url": f"https://a.test/b?X-Amz-Signature={CANARY}", "\ud800": ["Atza|" + "x" * 40, {"token": CANARY}]}
    request = http(200, b"", word="MarketplaceIds=A&x=%ff&=&Atza%7Cx", content_type="text/plain", date="\xe9")
    seeds = (
        request + NEXT + http(200, address, content_type="application/json"),
        request + NEXT + http(500, b"\xff" * 99),
    )
    return Parser(read, (), seeds)


def setting_url() -> Parser:
    """URLs of settings: an error states the rule, and never the URL, which may hold a password anywhere."""
    from pydantic import SecretStr
    from sellergate_account.redirect_uris import check_redirect_uris
    from sellergate_amazon.seller_central import SellerCentral
    from sellergate_common.errors import InvalidRequest
    from sellergate_common.outbound.settings import _proxy
    from sellergate_common.redis_url import parse_redis_url
    from sellergate_common.settings import secure_url

    readers = (
        lambda text: parse_redis_url(SecretStr(text)),
        lambda text: _proxy(SecretStr(text)),
        secure_url,
        lambda text: check_redirect_uris([text]),
    )

    def read(data: bytes) -> object:
        text, faults = data.decode("utf-8", "replace"), list[Exception]()
        SellerCentral().own(text)
        for reader in readers:
            try:
                reader(text)
            except (ValueError, InvalidRequest) as error:
                faults.append(error)
        if faults:
            raise ValueError(" ".join(map(str, faults)))
        return None

    seeds = (
        f"redis://u:{CANARY}@h:6379/0",
        f"rediss+sentinel://u:{CANARY}@a,b:1,[::1]:2/name?db=1&sentinel_user=u&sentinel_password={CANARY}",
        f"redis+cluster://:{CANARY}@a,{CANARY}:x/1",
        f"http://u:{CANARY}@proxy.test:99999/",
        f"https://{CANARY}@a.test/#x",
        "https://sellercentral.amazon.com/apps/authorize/confirm/a",
        "https://[::1/",
    )
    return Parser(read, (ValueError,), tuple(map(str.encode, seeds)))


TARGETS = (
    Target("rpc-request", (f"{COMMON}.rpc.request_bytes", f"{COMMON}.rpc.validation"), rpc_request),
    Target("quota-message", ("sellergate_gateway.quota.waiters",), quota_message),
    Target(
        "captured-exchange",
        ("sellergate_gateway.captures.redaction", f"{COMMON}.observability.redaction"),
        captured_exchange,
    ),
    Target(
        "setting-url", (f"{COMMON}.redis_url", f"{COMMON}.settings", "sellergate_amazon.seller_central"), setting_url
    ),
)
