"""The `sellergate` command: the top layer; it knows contracts, the client library and sealing, never a service.

Exit codes: 0 done; 1 it failed, or what was looked at is not well; 2 called wrongly; 3 done in part (import-legacy); 130 Ctrl-C.
"""

import sys

import typer

from sellergate_cli.commands import accounts, applications, audit, calls, catalogue, clients, documents, tokens
from sellergate_cli.commands.capture import capture
from sellergate_cli.commands.import_legacy import import_legacy
from sellergate_cli.commands.up import up
from sellergate_cli.doctor.command import doctor
from sellergate_cli.keys.command import app as keys
from sellergate_cli.secrets.command import app as secrets
from sellergate_cli.terminal import say

_HELP = """Sellergate from the command line, for operators.

Where the suite is: SELLERGATE_GATEWAY_TARGET, …_ACCOUNT_TARGET and …_TOKEN_TARGET with an operator's certificate in
SELLERGATE_TLS_CA_FILE, …_CERT_FILE and …_KEY_FILE; or a local run, found through its state directory.

Exit codes: 0 done · 1 it failed, or what was looked at is not well · 2 called wrongly · 3 done in part · 130 Ctrl-C.
"""

app = typer.Typer(help=_HELP, no_args_is_help=True, pretty_exceptions_show_locals=False)
for name, group in {
    "accounts": accounts.app,
    "applications": applications.app,
    "clients": clients.app,
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
for command in (up, doctor, calls.call, calls.pages, calls.quota, capture):
    app.command()(command)
app.command("import-legacy")(import_legacy)


def main() -> None:
    """Run the command."""
    for place, argument in enumerate(sys.argv[1:], start=1):
        if any("\ud800" <= character <= "\udfff" for character in argument):
            say(f"Argument {place} is not text in this terminal's encoding ({sys.getfilesystemencoding()}).", err=True)
            sys.exit(2)
    app()


if __name__ == "__main__":
    main()
