"""Small datasets of MNIST's family, as files and on HTTP servers that may misbehave."""

import contextlib
import gzip
import hashlib
import io
import socket
import struct
import threading
import time
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from torchvision.datasets import mnist

from lit_mnist.data.datasets import DATASETS

NOWHERE = "http://127.0.0.1:9/"  # nothing listens there
COUNTS = {"train": 20, "test": 10}


def idx(values):
    """The bytes of an IDX file of uint8 or int32 values."""
    code = {"u1": 0x08, "i4": 0x0C}[values.dtype.str[1:]]
    shape = struct.pack(f">{values.ndim}I", *values.shape)
    return (
        bytes([0, 0, code, values.ndim])
        + shape
        + values.astype(f">{values.dtype.str[1:]}").tobytes()
    )


def images(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 28, 28), np.uint8)


def labels(count):
    return (np.arange(count) * 7 % 10).astype(np.uint8)


def small_files(dataset):
    """Name and content of the four unpacked files of a small set."""
    files = {}
    for seed, (part, count) in enumerate(COUNTS.items()):
        images_name, labels_name = DATASETS[dataset].files[part]
        files[images_name] = idx(images(count, seed))
        stored = labels(count)
        if dataset == "QMNIST":  # class, then seven columns of other things
            stored = np.column_stack([stored, *[np.arange(count) + 100] * 7]).astype(np.int32)
        files[labels_name] = idx(stored)
    return files


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def place(files, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def packed_files(dataset, files):
    """Name and content of what a mirror of this dataset serves."""
    packed = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in files.items()}
    if dataset != "EMNIST":
        return packed
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        for name, content in packed.items():
            writer.writestr(zipfile.ZipInfo(f"gzip/{name}"), content)
    return {"gzip.zip": archive.getvalue()}


def publish(patch, dataset, files, urls):
    """Replaces a dataset in torchvision's and this program's tables by a small set and its mirrors.

    `patch` is pytest's MonkeyPatch.
    """
    md5 = {
        name: hashlib.md5(content).hexdigest()
        for name, content in packed_files(dataset, files).items()
    }
    source = getattr(mnist, dataset)
    if dataset == "EMNIST":
        patch.setattr(source, "url", f"{urls[0]}gzip.zip")
        patch.setattr(source, "md5", md5["gzip.zip"])
    elif dataset == "QMNIST":
        pairs = [(urls[0] + name, md5[name]) for name in md5]
        patch.setattr(source, "resources", {"train": pairs[:2], "test": pairs[2:]})
    else:
        patch.setattr(source, "mirrors", list(urls))
        patch.setattr(source, "resources", list(md5.items()))
    if dataset == "MNIST":
        pinned = {name: sha256(content) for name, content in files.items()}
        patch.setitem(DATASETS, "MNIST", replace(DATASETS["MNIST"], sha256=pinned))


class Mirror:
    """An HTTP server of files on 127.0.0.1.

    `fault` says what it does instead: "403", "reset", "short", "stall" or "wrong".
    `requests` are the names that were asked for.
    """

    def __init__(self, files, fault=None, delay_s=0.0):
        self.files, self.fault, self.delay_s = files, fault, delay_s
        self.requests = []
        self.stopped = threading.Event()
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.answer(self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def answer(self, handler):
        name = handler.path.lstrip("/")
        self.requests.append(name)
        time.sleep(self.delay_s)
        if self.fault == "403":
            handler.send_error(403)
            return
        content = self.files[name]
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if self.fault == "wrong":
            content = content[:-1] + bytes([content[-1] ^ 1])
        broken = self.fault in ("reset", "short", "stall")
        handler.wfile.write(content[: len(content) // 2] if broken else content)
        if self.fault == "reset":  # SO_LINGER of 0 s closes with a TCP reset
            handler.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            handler.connection.close()
        if self.fault == "stall":
            self.stopped.wait()

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def mirrored(patch, dataset, *faults, delay_s=0.0):
    """Publishes a small set on one mirror for each fault (None: a good one)."""
    files = small_files(dataset)
    packed = packed_files(dataset, files)
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Mirror(packed, fault, delay_s)) for fault in faults]
        publish(patch, dataset, files, [server.url for server in servers] or [NOWHERE])
        yield files, servers
