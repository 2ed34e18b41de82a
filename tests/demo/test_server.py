"""The server over real sockets: pages, predictions, refusals, and its end."""

import http.client
import json
import os
import re
import signal
import socket
import threading
import time
from importlib.resources import files

import pytest

from lit_mnist.demo.assets import NAMES
from lit_mnist.demo.guard import MOST_BYTES
from lit_mnist.main import main
from tests.demo.drawn import SEVEN, picture, png


@pytest.fixture
def connection(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    yield connection
    connection.close()


def ask(connection, method, path, body=None, **headers):
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, fields)
    response = connection.getresponse()
    return response.status, response.headers, response.read()


def raw(server, text):
    """The answer until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as line:
        line.sendall(text)
        return b"".join(iter(lambda: line.recv(65536), b""))


@pytest.mark.parametrize("name", NAMES)
def test_only_the_page_s_own_files_are_served(connection, name):
    path = "/" if name == "page.html" else f"/{name}"
    status, headers, content = ask(connection, "GET", path)
    assert status == 200
    assert content == (files("lit_mnist.demo") / name).read_bytes()
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_refers_to_no_other_address():
    for name in NAMES:
        text = (files("lit_mnist.demo") / name).read_text(encoding="utf-8")
        assert set(re.findall(r"\b\w+://[^\s\"']+", text)) <= {"http://www.w3.org/2000/svg"}


def test_a_picture_is_read_and_the_connection_stays_open(connection):
    for _ in range(3):
        status, _, content = ask(connection, "POST", "/read", png(picture(SEVEN)))
        assert (status, json.loads(content)["best"]) == (200, 7)
    status, _, about = ask(connection, "GET", "/about.json")
    assert json.loads(about)["most_bytes"] == MOST_BYTES
    assert ask(connection, "HEAD", "/")[::2] == (200, b"")


def test_a_bad_picture_gets_a_one_line_error(connection):
    status, _, content = ask(connection, "POST", "/read", b"<svg/>")
    assert status == 422
    assert content.startswith(b"cannot read the picture")


def test_a_refusal_closes_the_connection_and_forbids_scripts(connection):
    status, headers, content = ask(connection, "GET", "/", Host="evil.example")
    assert (status, headers["Connection"]) == (421, "close")
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert content.count(b"\n") == 1


def test_a_foreign_origin_is_refused(connection):
    answer = ask(connection, "POST", "/read", png(picture(SEVEN)), Origin="https://evil.example")
    assert answer[0] == 403
    assert "Access-Control-Allow-Origin" not in answer[1]


def test_a_100_mb_body_is_refused_during_the_upload(connection):
    status, _, content = ask(connection, "POST", "/read", bytes(100_000_000))
    assert (status, content) == (413, b"a picture may have up to 16 MiB; shrink it\n")


def test_a_too_large_content_length_is_refused_unread(server):
    head = f"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10**8}\r\n"
    for more in ("", "Expect: 100-continue\r\n"):
        assert raw(server, f"{head}{more}\r\n".encode()).startswith(b"HTTP/1.1 413 ")


def test_expect_100_continue_is_answered(server):
    seven = png(picture(SEVEN))
    head = f"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(seven)}\r\n"
    head += "Expect: 100-continue\r\nConnection: close\r\n\r\n"
    answer = raw(server, head.encode() + seven)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 505),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
    ],
    ids=["method", "line", "version", "address", "headers"],
)
def test_other_requests_get_their_status_and_one_line(server, text, status):
    answer = raw(server, text)
    assert f" {status} ".encode() in answer.partition(b"\r\n")[0]
    assert b"<html" not in answer


def test_disconnecting_clients_are_not_logged(server, capfd):
    head = b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.server_port)) as line:
        line.sendall(head)
    time.sleep(0.2)
    assert capfd.readouterr().err == ""


def test_an_internal_error_is_logged_and_answered_with_500(connection, model, monkeypatch, capfd):
    monkeypatch.setattr(type(model), "_read", lambda *_: 1 / 0)
    assert ask(connection, "POST", "/read", b"1")[0] == 500
    log = ""
    for _ in range(100):  # the thread goes on for a moment
        log += capfd.readouterr().err
        if "ZeroDivisionError" in log:
            break
        time.sleep(0.05)
    assert "ZeroDivisionError" in log


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as line:
        return line.getsockname()[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_silently(three, capfd, number):
    port, seen = free_port(), []

    def end():
        for _ in range(600):
            try:
                line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                seen.append(ask(line, "GET", "/")[0])  # and it stays open
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        os.kill(os.getpid(), number)

    threading.Thread(target=end).start()
    run = three / "tb_logs/dense/committee_3"
    assert main(["demo", str(run), "--port", str(port)]) == 0
    assert seen == [200]
    output, problems = capfd.readouterr()
    assert output == f"{run}: draw an image at http://127.0.0.1:{port}/ (Ctrl-C ends it)\n"
    assert problems == ""


def test_an_occupied_port_is_reported(three, capfd):
    with socket.create_server(("127.0.0.1", 0)) as line:
        port = line.getsockname()[1]
        assert main(["demo", str(three / "tb_logs/dense/seed_42"), "--port", str(port)]) == 2
    assert capfd.readouterr() == (
        "",
        f"error: --port {port}: Address already in use; take another, or 0 for any free one\n",
    )


def test_port_0_uses_a_free_port(server):
    assert server.server_port > 0
    assert server.url == f"http://127.0.0.1:{server.server_port}/"
    assert server.server_address[0] == "127.0.0.1"
