"""The entry point: answers `--help` at once and leaves everything else to `lit_mnist.cli`.

Importing Lightning takes seconds, so nothing here does until a command is to run.
"""

import difflib
import importlib
import os
import signal
import sys
import threading
from importlib.metadata import version
from types import FrameType

from lit_mnist import usage
from lit_mnist.errors import PeerError, UserError, one_line

# The commands, and the module that runs each
COMMANDS = dict.fromkeys(("fit", "validate", "test", "predict"), "cli") | {
    "committee": "committee",
    "reproduce": "reproduce",
    "compare": "compare",
}


def main(argv: list[str] | None = None) -> int:
    """Runs the program and gives its exit status: 0, or 2 for what the user can mend."""
    argv = sys.argv[1:] if argv is None else argv
    if threading.current_thread() is not threading.main_thread():
        return _answer(argv)
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        return _answer(argv)
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, _: FrameType | None) -> None:
    """Ends the program as SIGTERM should wherever it stands, in its first imports too."""
    if signal.getsignal(number) is _terminate:  # or else Lightning is in charge, and calls this too
        raise SystemExit(128 + number)


def _answer(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage.PROGRAM, end="")
        return 0
    if argv[0] in usage.OWN and {"-h", "--help"} & set(argv):
        print(usage.OWN[argv[0]], end="")
        return 0
    if argv[0] == "--version":
        print(f"lit-mnist {version('lit-mnist')}")
        return 0
    try:
        _check_command(argv[0])
        importlib.import_module(f"lit_mnist.{COMMANDS[argv[0]]}").run(argv)
    except UserError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 2
    except PeerError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # such as `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # a full disk, a folder that may not be written to
        place = error.filename or "a file"
        problem = UserError(f"{place}: {error.strerror or error}; make room or choose another")
        print(f"error: {one_line(problem)}", file=sys.stderr)
        return 2
    return 0


def _check_command(name: str) -> None:
    if name in COMMANDS:
        return
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"take one of {', '.join(COMMANDS)}"
    raise UserError(f"{name}: no such command; {hint}")


if __name__ == "__main__":  # how `committee` starts its members
    sys.exit(main())
