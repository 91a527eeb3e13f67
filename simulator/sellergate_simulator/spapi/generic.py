"""Operations without their own module: the envelope, an empty page, and an echo of the call for tests."""

from hashlib import sha256
from typing import Any

from sellergate_simulator.http.responses import Response, json_response
from sellergate_simulator.spapi.calls import Call

_NO_CONTENT = 204


def respond(call: Call) -> Response:
    """Return a successful response in the form that the catalogue states.

    The object holds `echo`, and for a paged operation its empty list without a next page token.
    """
    operation = call.operation
    if operation.envelope is None or operation.success_status == _NO_CONTENT:
        return Response(operation.success_status)
    content: dict[str, Any] = {"echo": _echo(call)}
    if operation.next_token_path:
        content[(operation.page_list or "items").rpartition(".")[2]] = []
        if operation.next_token_path.endswith("pagination.nextToken"):
            content["pagination"] = {}
    document: object = content
    if operation.envelope == "payload":
        document = {"payload": content}
    elif operation.envelope == "array":
        document = [content]
    return json_response(document, operation.success_status)


def _echo(call: Call) -> dict[str, Any]:
    return {
        "operation": call.operation.name,
        "method": call.operation.method,
        "path": call.raw_path,
        "path_params": dict(call.path_params),
        "query": call.query.raw,
        "content_type": call.headers.get("Content-Type"),
        "body_length": len(call.body),
        "body_sha256": sha256(call.body).hexdigest(),
        "selling_partner_id": call.seller.selling_partner_id if call.seller else None,
        "assumed_role_arn": call.signer.assumed_role_arn if call.signer else None,
        "restricted_data_token": call.resource is not None,
        "data_elements": sorted(call.resource.data_elements) if call.resource else [],
    }
