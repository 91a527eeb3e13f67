"""`sellergate secrets`: expiry of client secrets and authorizations, and rotation."""

import typer

from sellergate_cli.secrets.expiries import list_ends
from sellergate_cli.secrets.rotate import rotate

app = typer.Typer(
    help="List expiring client secrets and authorizations, and rotate client secrets.", no_args_is_help=True
)
app.command("list")(list_ends)
app.command("rotate")(rotate)
