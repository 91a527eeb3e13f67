"""`sellergate applications`: LWA clients."""

from datetime import UTC
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf.field_mask_pb2 import FieldMask
from sellergate.account.v1 import application_pb2, application_service_pb2

from sellergate_cli.operator import StateDir, complete
from sellergate_cli.options import Json, Time, from_environment, secret
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

app = typer.Typer(help="LWA clients: the operator's, shared among users, and users' own.", no_args_is_help=True)
ApplicationId = Annotated[str, typer.Argument(help="The application's id.")]
Name = Annotated[str | None, typer.Option(help="A name for people.")]
AmazonsId = Annotated[
    str | None, typer.Option("--spapi-id", help="Amazon's id (amzn1.sp.solution.…), for website consent.")
]
RedirectUris = Annotated[
    list[str] | None, typer.Option("--redirect-uri", help="Registered with Amazon; several times.")
]
Draft = Annotated[bool | None, typer.Option("--draft/--published", help="Whether Amazon has it as a draft.")]


@app.command()
def add(
    client_id: Annotated[str, typer.Option(help="LWA client id.")],
    client_secret: Annotated[str, from_environment(_CLIENT_SECRET)] = "",
    owner: Annotated[str, typer.Option(help="The user who owns it; without one it is shared.")] = "",
    name: Name = None,
    spapi_id: AmazonsId = None,
    redirect_uri: RedirectUris = None,
    draft: Draft = None,
    secret_expires: Time = None,
    as_json: Json = False,
    state_dir: StateDir = None,
) -> None:
    """Store an LWA client. Its secret comes from the environment, or is asked for."""
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
    owner: Annotated[str, typer.Option(help="Only this user's own.")] = "",
    as_json: Json = False,
    state_dir: StateDir = None,
) -> None:
    """List applications, oldest first."""
    print_rows(complete(_list(state_dir, owner)), _COLUMNS, as_json=as_json)


@app.command()
def show(application_id: ApplicationId, as_json: Json = False, state_dir: StateDir = None) -> None:
    """Show one application; never its secrets."""

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
    """Change what is given. A new secret: `sellergate secrets rotate`."""
    application, paths = _changes(name, spapi_id, redirect_uri, draft, secret_expires)
    if not paths:
        raise typer.BadParameter("give at least one option to change")
    application.application_id = application_id
    mask = FieldMask(paths=paths)
    request = application_service_pb2.UpdateApplicationRequest(application=application, update_mask=mask)

    async def change() -> application_pb2.Application:
        async with connect(state_dir) as sellergate:
            return await sellergate.applications.update(request)

    print_fields(document(complete(change())), as_json=as_json)


@app.command()
def remove(application_id: ApplicationId, state_dir: StateDir = None) -> None:
    """Remove an application that no account refers to."""

    async def delete() -> None:
        async with connect(state_dir) as sellergate:
            await sellergate.applications.delete(application_id)

    complete(delete())
    say("The application is gone.")


def _changes(
    name: str | None, spapi_id: str | None, redirect_uris: list[str] | None, draft: bool | None, expires: Time
) -> tuple[application_pb2.Application, list[str]]:
    """Return an application with what is given, and the names of those fields."""
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
    application.secret_expire_time.FromDatetime(expires.astimezone(UTC) if expires.tzinfo else expires)
    return application, [*given, "secret_expire_time"]


async def _list(state_dir: Path | None, owner: str) -> list[dict[str, Any]]:
    async with connect(state_dir) as sellergate:
        return [document(application) async for application in sellergate.applications.each(owner)]
