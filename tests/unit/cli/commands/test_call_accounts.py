"""`sellergate call` for many accounts: which options go together, which accounts are meant, and what a line holds."""

import json
from pathlib import Path

import pytest
from sellergate_cli.__main__ import app
from sellergate_cli.commands.call_accounts import Target, _done, _ids_of, _line
from sellergate_client import Call, CallOutcome, QuotaExceeded, SpApiResponse
from typer.testing import CliRunner

PATH = "/sellers/v1/marketplaceParticipations"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("GET", "--accounts", "-"), "PATH is missing"),
        (("FOO", PATH), "METHOD must be one of DELETE, GET, HEAD, PATCH, POST, PUT, not 'FOO'"),
        (("GET", PATH, "--all", "--accounts", "-"), "exclude each other"),
        (("GET", PATH, "--path-param", "a=b"), "--path-param needs an operation"),
        (("GET", PATH, "--accounts", "/no/such/file"), "there is no file"),
        (("GET", PATH, "--skip-done", __file__), "--skip-done needs"),
        (("GET", PATH, "--all", "--concurrency", "257"), "less than or equal to 256"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(words: tuple[str, ...], message: str) -> None:
    done = CliRunner().invoke(app, ["call", *words])
    assert done.exit_code == 2
    assert message in " ".join(done.output.replace("│", " ").split())


def test_accounts_are_ids_or_documents_with_one() -> None:
    lines = ["# mine", "", " a ", json.dumps({"account_id": "b", "state": "ACTIVE"})]
    assert _ids_of(lines) == ["a", "b"]


def test_only_calls_that_succeeded_are_done(tmp_path: Path) -> None:
    rows = [{"account_id": "a", "status": 200}, {"account_id": "b", "status": 404}, {"account_id": "c", "error": {}}]
    file = tmp_path / "results.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"account_id": "d", "sta')
    assert _done(file) == {"a"}


def test_a_line_holds_the_response_as_amazon_wrote_it_or_the_error() -> None:
    call = Target.parse("getOrder", "", {"orderId": "1"}).call("a", 5.0, {})
    assert isinstance(call, Call)
    response = SpApiResponse(200, (), b'{"price": 1.10}', "r1", 0.0, 1, 0.0, "orders/v0/getOrder")
    line = _line(CallOutcome(call, response=response))
    assert line.endswith('"response": {"price":1.10}}')
    assert json.loads(line)["account_id"] == "a"
    text = SpApiResponse(200, (), b"plain", "r1", 0.0, 1, 0.0, "")
    assert json.loads(_line(CallOutcome(call, response=text)))["response"] == "plain"
    error = QuotaExceeded("Later.", retry_after=2.0, metadata={"operation": "x"})
    assert json.loads(_line(CallOutcome(call, error=error))) == {
        "account_id": "a",
        "error": {
            "reason": "LOCAL_QUOTA_EXCEEDED",
            "code": "RESOURCE_EXHAUSTED",
            "message": "Later.",
            "metadata": {"operation": "x"},
            "retry_after": 2.0,
        },
    }
