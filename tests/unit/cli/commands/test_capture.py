"""The duration of a capture: a wrong one is wrong usage, before anything is sent."""

import pytest
from sellergate_cli.__main__ import app
from typer.testing import CliRunner


@pytest.mark.parametrize(("span", "said"), [("3h", "from 1s to 30m"), ("0s", "from 1s to 30m"), ("ten", "90s, 10m")])
def test_a_duration_that_the_gateway_refuses_is_wrong_usage(span: str, said: str) -> None:
    done = CliRunner().invoke(app, ["capture", "-o", "getPricing", "-a", "a", "--for", span])
    assert done.exit_code == 2
    assert said in " ".join(done.output.replace("│", " ").split())
