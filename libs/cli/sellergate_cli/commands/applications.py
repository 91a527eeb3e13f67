"""`sellergate applications`: registered SP-API applications with their LWA clients."""

from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf.field_mask_pb2 import FieldMask
from sellergate.account.v1 import application_pb2, application_service_pb2
from sellergate_common.rpc.timestamps import from_datetime

from sellergate_cli.operator import StateDir, complete
from sellergate_cli.options import Json, Time, examples, from_environment, in_utc, secret
from sellergate_cli.output import document, print_fields, print_rows
from sellergate_cli.suite import connect
from sellergate_cli.terminal import say

_COLUMNS = (
    "application_id",
    "owner_user_id",
    "name",
    "lwa_client_id_hint",
    "spapi_application_id",
    "secret_expire_time",
)
_CLIENT_SECRET = "SELLERGATE_LWA_CLIENT_SECRET"

app = typer.Typer(help="Manage SP-API applications and their LWA client IDs and secrets.", no_args_is_help=True)
ApplicationId = Annotated[str, typer.Argument(help="Application ID.")]
Name = Annotated[str | None, typer.Option(help="Display name.")]
AmazonsId = Annotated[
    str | None,
    typer.Option("--spapi-id", help="Amazon's application ID (amzn1.sp.solution.…), for website authorization."),
]
RedirectUris = Annotated[
    list[str] | None,
    typer.Option("--redirect-uri", help="OAuth redirect URI as registered with Amazon; repeat for several."),
]
Draft = Annotated[
    bool | None, typer.Option("--draft/--published", help="Whether the application is a draft at Amazon.")
]


@app.command(epilog=examples("sellergate applications add --client-id amzn1.application-oa2-client.… --name Inventory"))
def add(
    client_id: Annotated[str, typer.Option(help="LWA client ID.")],
    client_secret: Annotated[str, from_environment(_CLIENT_SECRET)] = "",
    owner: Annotated[str, typer.Option(help="ID of the user that owns it; without one, all users share it.")] = "",
    name: Name = None,
    spapi_id: AmazonsId = None,
    redirect_uri: RedirectUris = None,
    draft: Draft = None,
    secret_expires: Time = None,
    as_json: Json = False,
    state_dir: StateDir = None,
) -> None:
    """Store an application.

    The client secret is read from SELLERGATE_LWA_CLIENT_SECRET (@FILE names a file, @- is standard input); otherwise the
    command prompts for it.
    """
    application, _ = _changes(name, spapi_id, redirect_uri, draft, secret_expires)
    application.owner_user_id = owner
    request = application_service_pb2.CreateApplicationRequest(
        application=application,
        lwa_client_id=client_id,
        lwa_client_secret=secret(_CLIENT_SECRET, client_secret, "the LWA client secret").get_secret_value(),
    )

    async def store() -> application_pb2.Application:
        async with connect(state_dir) as sellergate:
            return await sellergate.applications.create(request)

    print_fields(document(complete(store())), as_json=as_json)


@app.command("list")
def list_applications(
    owner: Annotated[str, typer.Option(help="List only applications that this user owns.")] = "",
    as_json: Json = False,
    state_dir: StateDir = None,
) -> None:
    """List applications, oldest first."""
    print_rows(complete(_list(state_dir, owner)), _COLUMNS, as_json=as_json)


@app.command()
def show(application_id: ApplicationId, as_json: Json = False, state_dir: StateDir = None) -> None:
    """Show an application, without its secrets."""

    async def get() -> application_pb2.Application:
        async with connect(state_dir) as sellergate:
            return await sellergate.applications.get(application_id)

    print_fields(document(complete(get())), as_json=as_json)


@app.command()
def update(
    application_id: ApplicationId,
    name: Name = None,
    spapi_id: AmazonsId = None,
    redirect_uri: RedirectUris = None,
    draft: Draft = None,
    secret_expires: Time = None,
    as_json: Json = False,
    state_dir: StateDir = None,
) -> None:
    """Change the given properties of an application. For a new client secret use `sellergate secrets rotate`."""
    application, paths = _changes(name, spapi_id, redirect_uri, draft, secret_expires)
    if not paths:
        raise typer.BadParameter("nothing to change; give at least one option, such as --name")
    application.application_id = application_id
    mask = FieldMask(paths=paths)
    request = application_service_pb2.UpdateApplicationRequest(application=application, update_mask=mask)

    async def change() -> application_pb2.Application:
        async with connect(state_dir) as sellergate:
            return await sellergate.applications.update(request)

    print_fields(document(complete(change())), as_json=as_json)


@app.command()
def remove(application_id: ApplicationId, state_dir: StateDir = None) -> None:
    """Delete an application that no account uses."""

    async def delete() -> None:
        async with connect(state_dir) as sellergate:
            await sellergate.applications.delete(application_id)

    complete(delete())
    say("Deleted the application.")


def _changes(
    name: str | None, spapi_id: str | None, redirect_uris: list[str] | None, draft: bool | None, expires: Time
) -> tuple[application_pb2.Application, list[str]]:
    """Return an application with the given properties, and the names of their fields."""
    given = {
        "name": name,
        "spapi_application_id": spapi_id,
        "redirect_uris": redirect_uris,
        "draft": draft,
    }
    given = {field: value for field, value in given.items() if value is not None and value != []}
    application = application_pb2.Application(**given)  # type: ignore[arg-type]  # (each of its own kind)
    if expires is None:
        return application, list(given)
    application.MergeFrom(application_pb2.Application(secret_expire_time=from_datetime(in_utc(expires))))
    return application, [*given, "secret_expire_time"]


async def _list(state_dir: Path | None, owner: str) -> list[dict[str, Any]]:
    async with connect(state_dir) as sellergate:
        return [document(application) async for application in sellergate.applications.each(owner)]
