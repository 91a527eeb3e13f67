"""A local run against servers that refuse one of the demo's steps."""

import signal
from pathlib import Path

import pytest

from tests.e2e.test_launcher import environment, launched, report
from tests.e2e.test_other_servers import OtherAmazon, amazon  # noqa: F401  (a fixture)


@pytest.mark.parametrize(
    ("refused", "step"),
    [("/orders", "GET /api/amazon/test/orders: 4"), ("/", "status: call failed: AMAZON_DENIED")],
    ids=["orders", "everything"],
)
async def test_a_refused_step_is_named_and_the_account_and_its_drop_in_client_stay(
    tmp_path: Path,
    amazon: OtherAmazon,  # noqa: F811
    refused: str,
    step: str,
) -> None:
    amazon.refuses = refused
    variables = environment(
        tmp_path / "state",
        SELLERGATE_LWA_TOKEN_URL=f"{amazon.url}/auth/o2/token",
        SELLERGATE_SPAPI_ENDPOINT=amazon.url,
    )
    with launched(variables) as process:
        written = await report(tmp_path / "state", process)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert written["account_id"]
    assert written["dropin"]["handle"].startswith("sgr_")
    assert step in output
    assert "The seller is connected; the step above shows what these servers refuse." in output
    assert "SELLERGATE_DEMO_" not in output
