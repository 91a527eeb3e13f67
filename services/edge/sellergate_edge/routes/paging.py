"""Pages of a list: size and token of the request, and the link to the next one (RFC 8288)."""

from typing import Annotated

from fastapi import Query, Request, Response

PageSize = Annotated[int, Query(alias="pageSize", ge=1, le=500, description="Most items of the page")]
PageToken = Annotated[
    str,
    Query(
        alias="pageToken", max_length=512, description="`nextPageToken` of the previous page; empty for the first page"
    ),
]


def link_next(request: Request, response: Response, token: str) -> None:
    """Add `Link: <…>; rel="next"` if there is a next page. The URL is relative, so that it is valid behind any proxy."""
    if token:
        url = request.url.include_query_params(pageToken=token)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
