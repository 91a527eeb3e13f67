"""The `sellergate` command: the top layer, which uses contracts, the client library and sealing, never a service.

Exit codes: 0 success; 1 failure or a failed check; 2 wrong usage; 3 partial success (call, import-legacy); 130 Ctrl-C.
"""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from sellergate_cli.commands import (
    accounts,
    applications,
    audit,
    calls,
    catalogue,
    certificates,
    clients,
    documents,
    tokens,
)
from sellergate_cli.commands.capture import CAPTURE_EXAMPLES, capture
from sellergate_cli.commands.import_legacy import IMPORT_EXAMPLES, import_legacy
from sellergate_cli.commands.up import up
from sellergate_cli.doctor.command import doctor
from sellergate_cli.keys.command import app as keys
from sellergate_cli.options import examples
from sellergate_cli.secrets.command import app as secrets
from sellergate_cli.terminal import say, use_escapes

_HELP = """Operate Sellergate: connect sellers, make SP-API calls, and check keys, secrets and the audit log.

Beside a local run (`make run`) no settings are needed: its state directory names the services. Elsewhere set
SELLERGATE_GATEWAY_TARGET, SELLERGATE_ACCOUNT_TARGET and SELLERGATE_TOKEN_TARGET, and name an operator's certificate in
SELLERGATE_TLS_CA_FILE, SELLERGATE_TLS_CERT_FILE and SELLERGATE_TLS_KEY_FILE.

Exit codes: 0 success · 1 failure or a failed check · 2 wrong usage · 3 partial success · 130 interrupted (Ctrl-C).
"""
_EXAMPLES = examples(
    "sellergate doctor",
    "sellergate accounts list --state ACTIVE",
    "sellergate call GET /sellers/v1/marketplaceParticipations --account ACCOUNT_ID",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"sellergate {version('sellergate')}")
        raise typer.Exit


# In this mode lines of a paragraph are joined.
app = typer.Typer(
    help=_HELP,
    epilog=_EXAMPLES,
    rich_markup_mode="markdown",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
for name, group in {
    "accounts": accounts.app,
    "applications": applications.app,
    "clients": clients.app,
    "certificates": certificates.app,
    "report": documents.report,
    "feed": documents.feed,
    "operations": calls.operations,
    "catalogue": catalogue.app,
    "tokens": tokens.app,
    "secrets": secrets,
    "keys": keys,
    "audit": audit.app,
}.items():
    app.add_typer(group, name=name)
for command in (up, doctor, calls.pages, calls.quota):
    app.command()(command)
app.command(epilog=calls.CALL_EXAMPLES)(calls.call)
app.command(epilog=CAPTURE_EXAMPLES)(capture)
app.command("import-legacy", epilog=IMPORT_EXAMPLES)(import_legacy)


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Run the command; refuse arguments that are not text in the terminal's encoding."""
    use_escapes()
    for position, argument in enumerate(sys.argv[1:], start=1):
        if any("\ud800" <= character <= "\udfff" for character in argument):
            encoding = sys.getfilesystemencoding()
            say(f"Argument {position} is not valid {encoding}, this terminal's encoding. Type it again.", err=True)
            sys.exit(2)
    app()


if __name__ == "__main__":
    main()
