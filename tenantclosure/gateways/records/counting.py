"""Which kind of transaction a request to Azure Storage is, as Microsoft's price list sorts them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from tenantclosure.model.tally import tally


def blob_request(request: Any) -> None:
    """A request to the blob service: writing, reading (HEAD too, it costs the same), or listing; deleting is free."""
    method, query = request.http_request.method, parse_qs(urlsplit(request.http_request.url).query)
    if method == "GET" and query.get("comp") == ["list"]:
        tally("blobLists")
    elif method in ("GET", "HEAD"):
        tally("blobReads")
    elif method != "DELETE":
        tally("blobWrites")


def table_request(_: Any) -> None:
    """A request to the table service; all of them cost the same."""
    tally("tables")


def queue_request(_: Any) -> None:
    """A request to the queue service."""
    tally("queues")
