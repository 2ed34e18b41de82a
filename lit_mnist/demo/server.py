"""HTTP on 127.0.0.1, with the standard library: one person draws here."""

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
FAREWELL_S = 1.0  # how long a client that was refused may go on sending
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
    """Serves the page for one model; a thread a connection.

    Args:
        model: What is asked.
        port: To listen at; 0 for one that is free.

    Raises:
        UserError: The port is taken, or may not be used.
    """

    daemon_threads = True  # a browser keeps its connections open, and ending does not wait for it

    def __init__(self, model: Model, port: int) -> None:
        self.model = model
        about = json.dumps(model.about() | {"most_bytes": MOST_BYTES}).encode()
        self.pages = {**assets(), ABOUT: Asset(JSON, about)}
        self.paths = frozenset(self.pages)
        try:
            super().__init__((ADDRESS, port), Handler)
        except OSError as error:
            raise UserError(
                f"--port {port}: {error.strerror}; take another, or 0 for one that is free"
            ) from error

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{ADDRESS}:{self.server_port}/"

    def server_bind(self) -> None:
        """Binds without asking the network what this machine is called, which may take long."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of clients that have gone."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    server: DemoServer
    protocol_version = "HTTP/1.1"  # which keeps the connection for the next picture
    default_request_version = "HTTP/1.1"  # or else a broken request is refused without a status
    server_version, sys_version = "lit-mnist", ""
    timeout = 60  # seconds without a request, or within one
    disable_nagle_algorithm = True

    def parse_request(self) -> bool:
        """Reads the first lines of a request; refuses it by these."""
        return super().parse_request() and self._admitted()

    def handle_expect_100(self) -> bool:
        """Lets a client send a body that it has announced, unless it is refused."""
        return self._admitted() and super().handle_expect_100()

    def do_GET(self) -> None:
        """Sends a file of the page."""
        page = self.server.pages[self._path()]
        self._send(HTTPStatus.OK, page.kind, page.content)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Reads a picture and answers it."""
        length = int(self.headers["Content-Length"])
        picture = self.rfile.read(length)
        if len(picture) < length:
            raise ConnectionAbortedError
        try:
            answer = self.server.model.answer(picture)
        except UserError as error:
            text = one_line(error).encode()
            self._send(HTTPStatus.UNPROCESSABLE_ENTITY, TEXT, text)
        except Exception:  # a fault of ours: the page is told, the terminal has the traceback
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)
            raise
        else:
            self._send(HTTPStatus.OK, JSON, json.dumps(answer).encode())

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuses a request; the connection ends, as a body may follow that nobody reads."""
        self._refuse(Refusal(HTTPStatus(code), message or HTTPStatus(code).phrase))

    def log_message(self, *_: Any) -> None:
        """Says nothing of requests."""

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
        """Throws away what the client is sending, for a moment.

        If the connection were closed at once, its system would answer the rest with a reset, and
        the client might never see why it was refused (as nginx's `lingering_close`).
        """
        end = time.monotonic() + FAREWELL_S
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(FAREWELL_S)
            while time.monotonic() < end and self.connection.recv(2**16):
                pass
