"""The `sellergate` command: the top layer; it knows contracts, the client library and sealing, never a service."""

import typer

from sellergate_cli import audit, keys, secrets
from sellergate_cli.import_legacy import import_legacy

app = typer.Typer(help="Sellergate, for operators.", no_args_is_help=True, pretty_exceptions_show_locals=False)
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")
app.add_typer(secrets.app, name="secrets")
app.command("import-legacy")(import_legacy)


@app.callback()
def sellergate() -> None:
    """Sellergate, for operators."""


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
