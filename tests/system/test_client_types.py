"""mypy refuses every wrong call of the client library that a running program refuses, and nothing else."""

import re
import subprocess
import sys
from pathlib import Path

from tests.fakes.wrong_calls import CALLS
from tests.paths import ROOT

WRONG = ROOT / "tests" / "fakes" / "wrong_calls.py"
RIGHT = """
from datetime import UTC, datetime
from pathlib import Path
from sellergate_client import SellingPartner, SpApiResponse

async def program(partner: SellingPartner) -> SpApiResponse:
    await partner.post("/x", params={"a": [1]}, body=b"x", content_type="text/plain", headers=[("a", "b")], max_wait=None)
    await partner.get("/x", {"a": datetime.now(UTC)}, seconds=5, restricted_resources=[("GET", "/x", ["buyerInfo"])])
    async for page in partner.pages("/x", [("a", 1)], max_pages=3, seconds=60, raw_query=None):
        page.json()
    async for row in partner.report("X", start=datetime.now(UTC)).rows({"quantity": int}):
        print(row)
    await partner.feed("X", Path("x.json"), marketplace_ids=["A"], options={"a": "b"}, wait=False)
    return await partner.call_operation("getOrder", {"orderId": "1"}, as_is=True)
"""


def test_mypy_refuses_each_wrong_call_and_no_right_one(tmp_path: Path) -> None:
    right = tmp_path / "right.py"
    right.write_text(RIGHT)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--follow-imports=silent"]
    done = subprocess.run([*command, str(WRONG), str(right)], cwd=ROOT, capture_output=True, text=True, check=False)
    refused = {int(line) for line in re.findall(r"wrong_calls\.py:(\d+): error", done.stdout)}
    lines = WRONG.read_text().splitlines()
    wrong = {number for number, line in enumerate(lines, start=1) if line.startswith('    ("')}
    assert len(wrong) == len(CALLS)
    assert {lines[number - 1] for number in wrong ^ refused} == set(), done.stdout + done.stderr
    assert "right.py" not in done.stdout, done.stdout
