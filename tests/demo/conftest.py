"""A model that reads drawn digits, and the page served for it."""

import threading
from contextlib import contextmanager

import pytest

from lit_mnist.demo.model import Model
from lit_mnist.demo.server import DemoServer
from tests.demo import handwriting


@contextmanager
def serving(model):
    """Serves a model at a free port, in threads of this process."""
    with DemoServer(model, port=0) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="session")
def handwriting_run(shared):
    """The folder of a network trained on scikit-learn's digits; must not be changed."""
    return shared("handwriting", handwriting.train) / "tb_logs/simple_plateau/seed_42"


@pytest.fixture(scope="session")
def model(handwriting_run):
    return Model.load(handwriting_run)


@pytest.fixture(scope="session")
def server(model):
    with serving(model) as server:
        yield server
