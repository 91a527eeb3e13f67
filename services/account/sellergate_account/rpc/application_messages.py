"""The translation between messages and the domain, for applications."""

from typing import Any

from pydantic import SecretStr
from sellergate.account.v1 import application_pb2, application_service_pb2
from sellergate_common.errors import InvalidRequest
from sellergate_common.rpc.timestamps import from_datetime, read_time

from sellergate_account.applications import ApplicationChanges, NewApplication
from sellergate_account.model import Application, etag_of
from sellergate_account.rpc.account_messages import masked_paths

_PATHS = ("draft", "name", "redirect_uris", "secret_expire_time", "spapi_application_id")


def to_message(application: Application) -> application_pb2.Application:
    """Return an application as a message, without its secrets and client id."""
    return application_pb2.Application(
        application_id=application.application_id,
        owner_user_id=application.owner_user_id,
        name=application.name,
        spapi_application_id=application.spapi_application_id,
        lwa_client_id_hint=application.client_id_hint,
        redirect_uris=application.redirect_uris,
        draft=application.draft,
        secret_expire_time=from_datetime(application.secret_expire_time),
        previous_secret_expire_time=from_datetime(application.previous_secret_expire_time),
        etag=etag_of(application),
        secret_issue_time=from_datetime(application.secret_issue_time),
        version=application.version,
    )


def to_new_application(request: application_service_pb2.CreateApplicationRequest) -> NewApplication:
    """Read an LWA client to store."""
    given = request.application
    return NewApplication(
        owner_user_id=given.owner_user_id,
        client_id=SecretStr(request.lwa_client_id),
        client_secret=SecretStr(request.lwa_client_secret),
        name=given.name,
        spapi_application_id=given.spapi_application_id,
        redirect_uris=tuple(given.redirect_uris),
        draft=given.draft,
        secret_expire_time=read_time(given, "secret_expire_time", "application."),
    )


def to_application_changes(request: application_service_pb2.UpdateApplicationRequest) -> ApplicationChanges:
    """Read the fields that the mask names. Raises InvalidRequest, which names every unknown path."""
    paths = masked_paths(request.update_mask, _PATHS)
    if "secret_expire_time" in paths and not request.application.HasField("secret_expire_time"):
        raise InvalidRequest.of_field("application.secret_expire_time", "must be set when update_mask names it")
    values: dict[str, Any] = {path: getattr(request.application, path) for path in paths}
    if "redirect_uris" in values:
        values["redirect_uris"] = tuple(values["redirect_uris"])
    if "secret_expire_time" in values:
        values["secret_expire_time"] = read_time(request.application, "secret_expire_time", "application.")
    return ApplicationChanges(**values)
