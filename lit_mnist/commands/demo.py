"""The command `demo`: a page to draw digits on, served only to this machine."""

import argparse
from contextlib import suppress

from lit_mnist.command_line.named_class import named_class
from lit_mnist.demo.model import Model
from lit_mnist.demo.server import DemoServer


def run(options: argparse.Namespace) -> None:
    """Runs the command with the options of `demo_parser.Demo`, until Ctrl-C or SIGTERM."""
    classes = [named_class(name) for name in options.classes]
    model = Model.load(options.run, classes, options.labels)
    with DemoServer(model, options.port) as server:
        print(f"{options.run}: draw {model.what} at {server.url} (Ctrl-C ends it)", flush=True)
        with suppress(KeyboardInterrupt, SystemExit):  # Ctrl-C and SIGTERM are its normal end
            server.serve_forever()
