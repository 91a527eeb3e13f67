"""Wrong calls of the client library, each with the name of its wrong argument. mypy and a running program refuse every line."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from sellergate_client import SellingPartner, sync

CALLS: Sequence[tuple[str, Callable[[SellingPartner], object]]] = (
    ("path", lambda partner: partner.get(1)),
    ("params", lambda partner: partner.get("/x", "a=b")),
    ("max_wiat", lambda partner: partner.get("/x", max_wiat=0)),
    ("timeout", lambda partner: partner.get("/x", timeout=5)),
    ("json", lambda partner: partner.get("/x", json={})),
    ("query", lambda partner: partner.get("/x", query={})),
    ("seconds", lambda partner: partner.get("/x", seconds="5")),
    ("as_is", lambda partner: partner.get("/x", as_is="no")),
    ("batch", lambda partner: partner.get("/x", batch=None)),
    ("headers", lambda partner: partner.get("/x", headers="a: b")),
    ("headers", lambda partner: partner.get("/x", headers={"a": 1})),
    ("data_elements", lambda partner: partner.get("/x", data_elements=[1])),
    ("restricted_resources", lambda partner: partner.get("/x", restricted_resources=[("GET", "/x")])),
    ("raw_query", lambda partner: partner.get("/x", raw_query=b"a=b")),
    ("body", lambda partner: partner.post("/x", body="text")),
    ("content_type", lambda partner: partner.put("/x", content_type=None)),
    ("params", lambda partner: partner.patch("/x", params=7)),
    ("method", lambda partner: partner.request(None, "/x")),
    ("params", lambda partner: partner.request("GET", "/x", params={})),
    ("path_params", lambda partner: partner.call_operation("getOrder", ["1"])),
    ("max_pages", lambda partner: partner.pages("/x", max_pages="all")),
    ("body", lambda partner: partner.pages("/x", body=b"")),
    ("timeout", lambda partner: partner.report("X", timeout=5)),
    ("start", lambda partner: partner.report("X", start=date(2026, 1, 1))),
    ("marketplace_ids", lambda partner: partner.report("X", marketplace_ids=7)),
    ("options", lambda partner: partner.report("X", options=[("a", "b")])),
    ("on_progress", lambda partner: partner.report("X", on_progress="print")),
    ("kind", lambda partner: partner.download("d", "REPORTS")),
    ("content", lambda partner: partner.upload("text", "text/plain")),
    ("size", lambda partner: partner.upload(Path("x"), "text/plain", size="1")),
    ("wait", lambda partner: partner.feed("X", b"x", "text/plain", wait="yes")),
    ("feed_id", lambda partner: partner.wait_for_feed(7)),
    ("feed", lambda partner: partner.feed_result("1")),
    ("types", lambda partner: partner.report("X").rows([int])),
    ("account_id", lambda _: SellingPartner(7)),
    ("sandbox", lambda _: SellingPartner("a", sandbox="yes")),
    ("retries", lambda _: SellingPartner("a", retries=3)),
    ("account_id", lambda _: sync.SellingPartner(None)),
    ("path", lambda _: sync.SellingPartner("a").get(7)),
    ("max_wiat", lambda _: sync.SellingPartner("a").get("/x", max_wiat=0)),
    ("timeout", lambda _: sync.SellingPartner("a").feed("X", b"x", timeout=5)),
)
