"""Logs: one JSON line for each event, with the request ID, and without secrets at any level."""

import json
import subprocess
import sys

SCRIPT = """
import logging
from sellergate_common.context import CallContext, use_context
from sellergate_common.observability.logs import configure_logging, get_logger
configure_logging("account", "debug")
with use_context(CallContext("a.B/C", "request-1")):
    get_logger().debug("stored", refresh_token="anything", note="Atzr|abcdef was here", deep={"client_secret": "x", "n": [1]})
    try:
        raise ValueError("refused Atza|token-in-an-exception")
    except ValueError:
        get_logger().error("bug", exc_info=True)
logging.getLogger("botocore").debug("Signature: hidden")
logging.getLogger("httpx").info("GET https://x")
logging.getLogger("redis").warning("slow Atza|library-token")
"""


def test_lines_are_json_with_the_request_id_and_no_secret() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["stored", "bug", "slow [hidden]"]
    assert all(line["service"] == "account" for line in lines)
    assert lines[0]["request_id"] == lines[1]["request_id"] == "request-1"
    assert lines[0]["refresh_token"] == lines[0]["deep"]["client_secret"] == "[hidden]"
    assert "ValueError" in lines[1]["exception"]
    for secret in ("anything", "abcdef", "token-in-an-exception", "library-token", "Signature"):
        assert secret not in done.stderr


CALLS = """
from sellergate_common.context import CallContext, Caller, detached, bind, bind_named, use_context
from sellergate_common.observability.logs import configure_logging, get_logger, log_call
configure_logging("gateway", "info")
for account_id in ("01a212bb-ed00-7000-8000-19520da63655", "Atzr|pasted-into-the-wrong-field", "A" * 40, ""):
    with use_context(CallContext("a.B/C", "request-1", caller=Caller("edge"))) as call:
        bind(operation="orders/v0/getOrders")
        bind_named(account_id)
        with detached():
            bind("another", "tokens/2021-03-01/createRestrictedDataToken")
        get_logger().info("retried")
        log_call("info", call, 1.25)
"""


def test_lines_of_a_call_name_its_account_and_its_operation() -> None:
    done = subprocess.run([sys.executable, "-c", CALLS], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["retried", "rpc"] * 4
    assert {line["operation"] for line in lines} == {"orders/v0/getOrders"}
    assert [line.get("account_id") for line in lines] == ["01a212bb-ed00-7000-8000-19520da63655"] * 2 + [None] * 6
