"""The example of an internal service, run as its own process with the settings that the local run writes."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from sellergate_devstack.report import CLIENT_FILE, FILE, client_environment, remove_report, write_report

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller
from tests.paths import ROOT

EXAMPLE = ROOT / "examples" / "service.py"


def settings(rest: Rest, account_id: str) -> dict[str, str]:
    """Return what client.env holds."""
    lines = client_environment(rest.suite, account_id).splitlines()
    return dict(shlex.split(line)[0].split("=", 1) for line in lines)


def run(environment: dict[str, str], folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(EXAMPLE)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=50, check=False)


def test_client_env_names_the_identity_service_of_run_json_and_not_the_operator_s(rest: Rest) -> None:
    folder = rest.suite.plan.state.folder
    write_report(rest.suite, "an account", None)
    try:
        report, lines = json.loads((folder / FILE).read_text()), (folder / CLIENT_FILE).read_text().splitlines()
    finally:
        remove_report(rest.suite)
    given = dict(shlex.split(line)[0].split("=", 1) for line in lines)
    service = report["service"]
    assert (given["SELLERGATE_TLS_CERT_FILE"], given["SELLERGATE_TLS_KEY_FILE"]) == (
        service["cert_file"],
        service["key_file"],
    )
    assert service["cert_file"] != report["client_cert_file"]
    certificate = x509.load_pem_x509_certificate(Path(service["cert_file"]).read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert any(str(name.value).endswith(service["identity"]) for name in names)
    assert not any("operator" in str(name.value) for name in names)


async def test_the_service_in_python_prints_orders(rest: Rest, seller: Seller, fast: None, tmp_path: Path) -> None:
    environment = settings(rest, await rest.connect(seller))
    done = run(environment, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()
    assert all(len(line.split()) == 2 for line in done.stdout.splitlines())


async def test_an_unknown_account_is_one_sentence_with_its_reason(rest: Rest, tmp_path: Path) -> None:
    done = run(settings(rest, "01a209db-1d77-7db0-8f3f-d79cea19c35d"), tmp_path)
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert sentence.endswith("(NOT_FOUND)") or "NOT_FOUND" in sentence


@pytest.mark.parametrize("page", ["service"])
def test_the_quickstart_shows_the_example(page: str) -> None:
    text = (ROOT / "docs" / "quickstarts" / f"{page}.md").read_text()
    shown = text.partition("```python\n")[2].partition("```")[0]
    assert shown
    example = [line.strip() for line in EXAMPLE.read_text().splitlines()]
    assert all(line.strip() in example for line in shown.splitlines())
