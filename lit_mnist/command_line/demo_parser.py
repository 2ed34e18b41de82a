"""The options of `demo`, without torch."""

import argparse

from lit_mnist.command_line.one_run_parser import OneRun


class Demo(OneRun):
    """The options of `demo`."""

    command = "demo"
    summary = "serve a page on which to draw a digit and see the network's prediction"
    details = (
        "It is served on 127.0.0.1, to this machine only, until Ctrl-C. To reach it from another"
        " machine, use ssh -L 8000:127.0.0.1:8000."
    )

    def __init__(self) -> None:
        super().__init__()
        self.add_run(
            "a run's folder, such as tb_logs/deep/seed_42, or a committee's, or a .safetensors file"
            " exported from one"
        )
        at = "port to listen on (%(default)s); 0 for any free one"
        self.add_argument("--port", type=port, default=8000, metavar="N", help=at)


def port(text: str) -> int:
    """Parses a port number, or 0 for any free port."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port; take 0 to 65535")
    return int(text)
