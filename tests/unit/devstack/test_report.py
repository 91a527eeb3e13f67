"""The files that a local run writes for programs: both name the identity of a service, beside the operator's."""

import json
import shlex
from pathlib import Path

from cryptography import x509
from sellergate_devstack.plan import make_plan
from sellergate_devstack.processes.supervisor import Supervisor
from sellergate_devstack.report import CLIENT_FILE, FILE, remove_report, write_report
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.state import State
from sellergate_devstack.suite import Suite


def test_client_env_has_the_identity_of_a_service_and_not_the_operators(tmp_path: Path) -> None:
    plan = make_plan(DevstackSettings(state_dir=tmp_path), State(tmp_path))
    suite = Suite(plan, Supervisor(lambda _: None))
    write_report(suite, "an account", None)
    report, lines = json.loads((tmp_path / FILE).read_text()), (tmp_path / CLIENT_FILE).read_text().splitlines()
    given, service = dict(shlex.split(line)[0].split("=", 1) for line in lines), report["service"]
    assert given["SELLERGATE_TLS_CERT_FILE"] == service["cert_file"] != report["client_cert_file"]
    assert given["SELLERGATE_TLS_KEY_FILE"] == service["key_file"] != report["client_key_file"]
    certificate = x509.load_pem_x509_certificate(Path(service["cert_file"]).read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
    assert uri.endswith(f"/{service['identity']}")
    remove_report(suite)
    assert not (tmp_path / FILE).exists()
    assert not (tmp_path / CLIENT_FILE).exists()
