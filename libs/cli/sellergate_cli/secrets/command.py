"""`sellergate secrets`: client secrets and authorizations, when they end, and a new secret before that."""

import typer

from sellergate_cli.secrets.expiries import list_ends
from sellergate_cli.secrets.rotate import rotate

app = typer.Typer(help="Client secrets and authorizations: when they end, and new ones.", no_args_is_help=True)
app.command("list")(list_ends)
app.command("rotate")(rotate)
