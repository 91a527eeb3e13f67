"""Feeds 2021-06-30: announce a document, upload it, submit it, poll, and read the result.

Rules from Amazon's model feeds_2021-06-30.json and its guide: the upload repeats the announced content type, a feed
names an uploaded document, and a document is used for one feed.
"""

import json
from dataclasses import dataclass
from typing import Any

from sellergate_simulator.http.responses import Response, invalid_input, json_response, not_found
from sellergate_simulator.operations.documents import Document, Documents
from sellergate_simulator.operations.jobs import Job, Jobs
from sellergate_simulator.spapi.calls import Call, Handler, marketplace_field, text_field
from sellergate_simulator.state import World


@dataclass(slots=True)
class Feed(Job):
    """A feed and its input document."""

    input_document_id: str = ""


class Feeds:
    """The operations of Feeds 2021-06-30."""

    def __init__(self, world: World, documents: Documents) -> None:
        self._world = world
        self._documents = documents
        self._jobs: Jobs[Feed] = Jobs("feeds", "feedTypes")
        self._inputs: dict[tuple[str, str], bool] = {}
        """Whether an announced document (by seller and ID) was used."""

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by operation name."""
        prefix = "feeds/2021-06-30/"
        return {
            f"{prefix}createFeedDocument": self._create_document,
            f"{prefix}createFeed": self._create,
            f"{prefix}getFeeds": lambda call: self._jobs.listing(call, lambda job: self._document(call, job)),
            f"{prefix}getFeed": self._get,
            f"{prefix}cancelFeed": lambda call: self._jobs.cancel(call, call.path_params["feedId"]),
            f"{prefix}getFeedDocument": self._get_document,
        }

    def _create_document(self, call: Call) -> Response:
        content_type = text_field(call.json_object(), "contentType")
        document_id = self._documents.add(Document(content_type))
        self._inputs[(call.owner.selling_partner_id, document_id)] = False
        url = self._documents.upload_url(document_id, call.hostname)
        return json_response({"feedDocumentId": document_id, "url": url}, 201)

    def _create(self, call: Call) -> Response:
        body = call.json_object()
        feed_type, document_id = text_field(body, "feedType"), text_field(body, "inputFeedDocumentId")
        marketplaces = marketplace_field(body, call.owner, call.region, 25)
        key = (call.owner.selling_partner_id, document_id)
        document = self._documents.get(document_id)
        if document is None or document.content is None or self._inputs.get(key, True):
            raise invalid_input("The inputFeedDocumentId is unknown, was not uploaded, or was already used.")
        self._inputs[key] = True
        feed_id, step = self._jobs.next_id(call), self._world.processing_step_seconds
        feed = Feed(feed_id, feed_type, marketplaces, call.now, step, input_document_id=document_id)
        self._jobs.add(call, feed)
        return json_response({"feedId": feed.job_id}, 202)

    def _get(self, call: Call) -> Response:
        return json_response(self._document(call, self._jobs.find(call, call.path_params["feedId"])))

    def _document(self, call: Call, feed: Feed) -> dict[str, Any]:
        status = feed.status(call.now)
        document: dict[str, Any] = {
            "feedId": feed.job_id,
            "feedType": feed.job_type,
            "marketplaceIds": list(feed.marketplace_ids),
            "processingStatus": status,
            **feed.times(call.now),
        }
        if status == "DONE":
            if feed.document_id is None:
                feed.document_id = self._documents.add(self._result(call, feed))
            document["resultFeedDocumentId"] = feed.document_id
        return document

    def _get_document(self, call: Call) -> Response:
        document_id = call.path_params["feedDocumentId"]
        own = (call.owner.selling_partner_id, document_id) in self._inputs
        if not own and not any(job.document_id == document_id for job in self._jobs.all_of(call)):
            raise not_found("The requested feed document doesn't exist.")
        url = self._documents.download_url(document_id, call.hostname, content_encoding=False)
        return json_response({"feedDocumentId": document_id, "url": url})

    def _result(self, call: Call, feed: Feed) -> Document:
        """Return the processing report of a feed: the number of messages (of a JSON feed, else lines), all accepted."""
        source = self._documents.get(feed.input_document_id)
        count = _messages(source.content or b"" if source else b"")
        result = {
            "header": {"sellerId": call.owner.selling_partner_id, "version": "2.0", "feedId": feed.job_id},
            "issues": [],
            "summary": {"errors": 0, "warnings": 0, "messagesProcessed": count, "messagesAccepted": count},
        }
        return Document("application/json; charset=UTF-8", json.dumps(result).encode())


def _messages(content: bytes) -> int:
    try:
        document = json.loads(content)
    except ValueError:
        return len(content.splitlines())
    messages = document.get("messages") if isinstance(document, dict) else None
    return len(messages) if isinstance(messages, list) else 1
