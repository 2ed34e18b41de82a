"""Decides which requests to refuse, by their request line and headers only.

The page is for the user of this machine only, but any site open in a browser here can send requests
to 127.0.0.1. The browser names that site in the Origin header, or, if the site's domain name
resolves to 127.0.0.1 (DNS rebinding), in the Host header.
"""

import re
from email.message import Message
from http import HTTPStatus
from typing import NamedTuple

MOST_BYTES = 16 * 2**20  # of a picture; photographs from phones are smaller
HERE = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?", re.IGNORECASE)
READ = "/read"  # takes a picture
READS = ("GET", "HEAD")


class Refusal(NamedTuple):
    """The response to a refused request."""

    status: HTTPStatus
    reason: str
    allow: str = ""  # methods that the path accepts, if the method was wrong


def refusal(method: str, path: str, headers: Message, pages: frozenset[str]) -> Refusal | None:
    """Returns the refusal of a request; None if it is accepted.

    Args:
        method: HTTP method, such as GET.
        path: URL path, without the query string.
        headers: Headers of the request.
        pages: Paths that GET may read.
    """
    return (
        _foreign(headers)
        or _unknown(method, path, pages)
        or (_bad_length(headers) if path == READ else _has_body(headers))
    )


def _foreign(headers: Message) -> Refusal | None:
    hosts = headers.get_all("Host", [])
    if len(hosts) != 1:
        return Refusal(HTTPStatus.BAD_REQUEST, "a request must have one Host header")
    if not HERE.fullmatch(hosts[0]):
        return Refusal(
            HTTPStatus.MISDIRECTED_REQUEST, "this is 127.0.0.1; call it by that name or localhost"
        )
    origins = headers.get_all("Origin", [])
    others = [origin for origin in origins if origin.lower() != f"http://{hosts[0].lower()}"]
    if others or headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        return Refusal(HTTPStatus.FORBIDDEN, "only the page itself may send requests")
    return None


def _unknown(method: str, path: str, pages: frozenset[str]) -> Refusal | None:
    if path != READ and path not in pages:
        return Refusal(HTTPStatus.NOT_FOUND, "there is no such page; take /")
    allowed = ("POST",) if path == READ else READS
    if method in allowed:
        return None
    allow = ", ".join(allowed)
    return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"{path} takes {allow}", allow)


def _bad_length(headers: Message) -> Refusal | None:
    """Refuses a body of unknown or excessive length before it is read."""
    lengths = headers.get_all("Content-Length", [])
    if "Transfer-Encoding" in headers or not lengths:
        return Refusal(HTTPStatus.LENGTH_REQUIRED, "a Content-Length header is required")
    if len(lengths) != 1 or not re.fullmatch("[0-9]+", lengths[0]):
        return Refusal(HTTPStatus.BAD_REQUEST, "Content-Length must be one number")
    if len(lengths[0]) > 12 or int(lengths[0]) > MOST_BYTES:
        limit = f"{MOST_BYTES // 2**20} MiB"
        return Refusal(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a picture may have up to {limit}; shrink it"
        )
    return None


def _has_body(headers: Message) -> Refusal | None:
    if "Transfer-Encoding" in headers or headers.get("Content-Length", "0") != "0":
        return Refusal(HTTPStatus.BAD_REQUEST, "a request for a page must not have a body")
    return None
