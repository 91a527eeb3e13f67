"""The report of a running suite: run.json for programs, client.env for internal services, and addresses for people."""

import json
import shlex
from collections.abc import Callable

from sellergate_devstack.processes.lines import report_lines
from sellergate_devstack.suite import Suite

FILE = "run.json"
CLIENT_FILE = "client.env"
CLIENT = "client/demo"
"""The identity of an internal service, which may make calls and read accounts, and nothing else."""


def write_report(suite: Suite, account_id: str, dropin: dict[str, str] | None) -> None:
    """Write run.json and client.env into the state directory, readable only by its owner."""
    operator, client = suite.files("operator"), suite.files(CLIENT)
    document = {
        "edge": suite.edge,
        "simulator": suite.simulator,
        **{name: suite.target(name) for name in ("gateway", "account", "token", "iam")},
        "jwt": suite.jwt(suite.demo.user_id),
        "account_id": account_id,
        "ca_file": str(operator.ca),
        "client_cert_file": str(operator.certificate),
        "client_key_file": str(operator.key),
        # The two files above are an operator's, which may do everything; a program that makes calls needs no more than these.
        "service": {"identity": CLIENT, "cert_file": str(client.certificate), "key_file": str(client.key)},
        **({"dropin": dropin} if dropin else {}),
        "pids": suite.pids,
    }
    suite.plan.state.write_private(CLIENT_FILE, client_environment(suite, account_id))
    suite.plan.state.write_private(FILE, json.dumps(document, indent=2) + "\n")


def client_environment(suite: Suite, account_id: str) -> str:
    """Return the settings of an internal service as lines for a shell."""
    files = suite.files(CLIENT)
    values = {
        "SELLERGATE_GATEWAY_TARGET": suite.target("gateway"),
        "SELLERGATE_ACCOUNT_TARGET": suite.target("account"),
        "SELLERGATE_TLS_CA_FILE": files.ca,
        "SELLERGATE_TLS_CERT_FILE": files.certificate,
        "SELLERGATE_TLS_KEY_FILE": files.key,
        "SELLERGATE_ACCOUNT_ID": account_id,
    }
    return "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in values.items())


def remove_report(suite: Suite) -> None:
    """Remove run.json and client.env, because the suite has ended."""
    for name in (FILE, CLIENT_FILE):
        (suite.plan.state.folder / name).unlink(missing_ok=True)


def report_addresses(suite: Suite, account_id: str, report: Callable[[str], None]) -> None:
    """Print all addresses and commands to try."""
    marketplace = suite.demo.marketplace_id
    report("")
    report(f"REST edge   {suite.edge}   (API documentation: {suite.edge}/docs)")
    report(
        "gRPC        " + "   ".join(f"{name} {suite.target(name)}" for name in ("gateway", "account", "token", "iam"))
    )
    if suite.simulator:
        report(f"simulator   {suite.simulator}/control/counters")
    report(f"logs        {suite.plan.state.folder / 'logs'}")
    report(f"run.json    {suite.plan.state.folder / FILE}   (addresses, certificates and a token, for programs)")
    report(f"client.env  {suite.plan.state.folder / CLIENT_FILE}   (settings of an internal service)")
    report("")
    report_lines(suite.edge, suite.jwt(suite.demo.user_id), account_id, marketplace, report)
    report("")
    report("Ctrl-C ends it.")
