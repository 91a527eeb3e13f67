"""Pages of a list: size and token of the request, and the link to the next one (RFC 8288)."""

from typing import Annotated

from fastapi import Query, Request, Response

PageSize = Annotated[int, Query(alias="pageSize", ge=1, le=500, description="Largest number in the answer")]
PageToken = Annotated[str, Query(alias="pageToken", max_length=512, description="nextPageToken of the page before")]


def link_next(request: Request, response: Response, token: str) -> None:
    """Add `Link: <…>; rel="next"` where there is a next page; relative, so that it holds behind any proxy."""
    if token:
        url = request.url.include_query_params(pageToken=token)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
