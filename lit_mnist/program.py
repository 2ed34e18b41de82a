"""The name by which the user calls this program, for its messages."""

import os
import shlex
import sys
from pathlib import Path

CALLED = "LIT_MNIST_CALLED"  # passes the name on to processes that the program starts


def name() -> str:
    """Returns what the user types before a command, such as `python cli.py` or `lit-mnist`."""
    if CALLED in os.environ:
        return os.environ[CALLED]
    script = Path(sys.argv[0])
    if script.name == "main.py" and script.parent.name == "lit_mnist":
        return "python -m lit_mnist.main"
    if script.name in ("", "-", "-c", "ipykernel_launcher.py"):  # called from Python, or a notebook
        return "lit-mnist"
    if script.suffix == ".py":
        return f"python {shlex.quote(sys.argv[0])}"
    return script.name.removesuffix(".exe")
