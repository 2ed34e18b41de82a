"""Requests that the server allows, and those that it refuses, by their headers."""

from email.message import Message

import pytest

from lit_mnist.demo.guard import MOST_BYTES, refusal

PAGES = frozenset({"/", "/style.css"})
HOST = ("Host", "127.0.0.1:8000")


def refused(method, path, *fields):
    headers = Message()
    for name, value in fields:
        headers[name] = value
    return refusal(method, path, headers, PAGES)


ANSWERED = {
    "page": ("GET", "/", HOST),
    "head": ("HEAD", "/style.css", HOST),
    "localhost": ("GET", "/", ("Host", "LocalHost:8000")),
    "port 80": ("GET", "/", ("Host", "127.0.0.1")),
    "through ssh": ("GET", "/", ("Host", "localhost:9999"), ("Origin", "http://localhost:9999")),
    "typed address": ("GET", "/", HOST, ("Sec-Fetch-Site", "none")),
    "picture": ("POST", "/read", HOST, ("Content-Length", "10")),
    "largest": ("POST", "/read", HOST, ("Content-Length", str(MOST_BYTES))),
    "from the page": (
        *("POST", "/read", HOST, ("Content-Length", "10")),
        *(("Origin", "http://127.0.0.1:8000"), ("Sec-Fetch-Site", "same-origin")),
    ),
}
TEN = ("Content-Length", "10")
REFUSED = {
    "no host": (400, "GET", "/"),
    "two hosts": (400, "GET", "/", HOST, HOST),
    "rebound name": (421, "GET", "/", ("Host", "evil.example:8000")),
    "name that begins alike": (421, "GET", "/", ("Host", "127.0.0.1.evil.example:8000")),
    "name that ends alike": (421, "GET", "/", ("Host", "evil-localhost:8000")),
    "no port": (421, "GET", "/", ("Host", "localhost:port")),
    "rebound, to read": (421, "POST", "/read", ("Host", "evil.example"), TEN),
    "foreign origin": (403, "POST", "/read", HOST, ("Origin", "https://evil.example"), TEN),
    "foreign origin, page": (403, "GET", "/", HOST, ("Origin", "https://evil.example")),
    "hidden origin": (403, "POST", "/read", HOST, ("Origin", "null"), TEN),
    "another port": (403, "POST", "/read", HOST, ("Origin", "http://127.0.0.1:3000"), TEN),
    "another scheme": (403, "POST", "/read", HOST, ("Origin", "https://127.0.0.1:8000"), TEN),
    "another name": (403, "POST", "/read", HOST, ("Origin", "http://localhost:8000"), TEN),
    "two origins": (
        *(403, "POST", "/read", HOST, TEN),
        *(("Origin", "http://127.0.0.1:8000"), ("Origin", "https://evil.example")),
    ),
    "image of a foreign page": (403, "GET", "/", HOST, ("Sec-Fetch-Site", "cross-site")),
    "link of a neighbour": (403, "GET", "/", HOST, ("Sec-Fetch-Site", "same-site")),
    "unknown path": (404, "GET", "/passwd", HOST),
    "way up": (404, "GET", "/../server.py", HOST),
    "post to a page": (405, "POST", "/", HOST, TEN),
    "get of a reading": (405, "GET", "/read", HOST),
    "delete": (405, "DELETE", "/read", HOST),
    "preflight": (405, "OPTIONS", "/read", HOST),
    "no length": (411, "POST", "/read", HOST),
    "chunks": (411, "POST", "/read", HOST, ("Transfer-Encoding", "chunked")),
    "two ways": (411, "POST", "/read", HOST, TEN, ("Transfer-Encoding", "chunked")),
    "two lengths": (400, "POST", "/read", HOST, TEN, ("Content-Length", "11")),
    "negative": (400, "POST", "/read", HOST, ("Content-Length", "-1")),
    "no number": (400, "POST", "/read", HOST, ("Content-Length", "ten")),
    "too large": (413, "POST", "/read", HOST, ("Content-Length", str(MOST_BYTES + 1))),
    "far too large": (413, "POST", "/read", HOST, ("Content-Length", "9" * 5000)),
    "page with a body": (400, "GET", "/", HOST, TEN),
    "page with chunks": (400, "GET", "/", HOST, ("Transfer-Encoding", "chunked")),
}


@pytest.mark.parametrize("request_", ANSWERED.values(), ids=ANSWERED)
def test_requests_of_the_page_are_allowed(request_):
    assert refused(*request_) is None


@pytest.mark.parametrize(
    ("status", "request_"), [(r[0], r[1:]) for r in REFUSED.values()], ids=REFUSED
)
def test_other_requests_are_refused(status, request_):
    found = refused(*request_)
    assert found.status == status
    assert found.reason


def test_a_wrong_method_gets_the_allowed_ones():
    assert refused("PUT", "/", HOST).allow == "GET, HEAD"
    assert refused("PUT", "/read", HOST).allow == "POST"
