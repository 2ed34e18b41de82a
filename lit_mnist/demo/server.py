"""An HTTP server on 127.0.0.1 for a single user, with the standard library."""

import contextlib
import json
import socket
import sys
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from lit_mnist.demo.assets import Asset, assets
from lit_mnist.demo.guard import MOST_BYTES, Refusal, refusal
from lit_mnist.demo.model import Model
from lit_mnist.errors import UserError, one_line

ADDRESS = "127.0.0.1"
ABOUT = "/about.json"
TEXT, JSON = "text/plain; charset=utf-8", "application/json"
FAREWELL_S = 1.0  # how long the rest of a refused request is read
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class DemoServer(ThreadingHTTPServer):
    """Serves the page for one model, with one thread per connection.

    Args:
        model: The model that classifies the drawings.
        port: Port to listen on; 0 for any free one.

    Raises:
        UserError: The port is taken or not permitted.
    """

    daemon_threads = True  # so that open connections of a browser do not delay the end

    def __init__(self, model: Model, port: int) -> None:
        self.model = model
        about = json.dumps(model.about() | {"most_bytes": MOST_BYTES}).encode()
        self.pages = {**assets(), ABOUT: Asset(JSON, about)}
        self.paths = frozenset(self.pages)
        try:
            super().__init__((ADDRESS, port), Handler)
        except OSError as error:
            raise UserError(
                f"--port {port}: {error.strerror}; take another, or 0 for any free one"
            ) from error

    @property
    def url(self) -> str:
        """URL of the page."""
        return f"http://{ADDRESS}:{self.server_port}/"

    def server_bind(self) -> None:
        """Binds without a DNS lookup of this machine's name, which may take long."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores clients that have disconnected."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Handles the requests of one connection."""

    server: DemoServer
    protocol_version = "HTTP/1.1"  # keeps the connection open for the next picture
    default_request_version = "HTTP/1.1"  # else a malformed request gets no status line
    server_version, sys_version = "lit-mnist", ""
    timeout = 60  # seconds without data from the client
    disable_nagle_algorithm = True

    def parse_request(self) -> bool:
        """Parses request line and headers, and refuses the request if they are wrong."""
        return super().parse_request() and self._admitted()

    def handle_expect_100(self) -> bool:
        """Lets the client send the body it has announced, unless the request is refused."""
        return self._admitted() and super().handle_expect_100()

    def do_GET(self) -> None:
        """Sends a file of the page."""
        page = self.server.pages[self._path()]
        self._send(HTTPStatus.OK, page.kind, page.content)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Reads a picture and sends its prediction."""
        length = int(self.headers["Content-Length"])
        picture = self.rfile.read(length)
        if len(picture) < length:
            raise ConnectionAbortedError
        try:
            answer = self.server.model.answer(picture)
        except UserError as error:
            text = one_line(error).encode()
            self._send(HTTPStatus.UNPROCESSABLE_ENTITY, TEXT, text)
        except Exception:  # a bug: the page gets the status, the terminal the traceback
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)
            raise
        else:
            self._send(HTTPStatus.OK, JSON, json.dumps(answer).encode())

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuses a request and closes the connection, as its body may not have been read."""
        self._refuse(Refusal(HTTPStatus(code), message or HTTPStatus(code).phrase))

    def log_message(self, *_: Any) -> None:
        """Logs nothing."""

    def _path(self) -> str:
        return self.path.partition("?")[0]

    def _admitted(self) -> bool:
        refused = refusal(self.command, self._path(), self.headers, self.server.paths)
        if refused:
            self._refuse(refused)
        return refused is None

    def _refuse(self, refused: Refusal) -> None:
        self.close_connection = True
        more = {"Allow": refused.allow} if refused.allow else {}
        text = f"{refused.reason}\n".encode()
        self._send(refused.status, TEXT, text, {"Connection": "close", **more})
        self._discard()

    def _send(
        self, status: HTTPStatus, kind: str, content: bytes, more: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        sizes = {"Content-Type": kind, "Content-Length": str(len(content))}
        for name, value in (sizes | HEADERS | (more or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _discard(self) -> None:
        """Reads and discards what the client is still sending, for `FAREWELL_S`.

        If the connection were closed at once, the system would answer the rest with a reset, and
        the client might never see why it was refused (like nginx's `lingering_close`).
        """
        end = time.monotonic() + FAREWELL_S
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(FAREWELL_S)
            while time.monotonic() < end and self.connection.recv(2**16):
                pass
