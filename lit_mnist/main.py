"""The entry point: answers `--help` at once and leaves everything else to `commands`.

Importing Lightning takes seconds, so nothing here does until a command is to run.
"""

import atexit
import gc
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from lit_mnist.commands import overview
from lit_mnist.commands.parsers import PARSERS
from lit_mnist.errors import PeerError, UserError, one_line

SIGNALS = (signal.SIGINT, signal.SIGTERM)
Handler = Callable[[int, FrameType | None], Any] | signal.Handlers


def program() -> int:
    """Exit code of the process: that of `main`, whatever signal comes before or after it.

    Taking the interpreter down takes a while, with torch in it, in which Python would leave it to
    the system to end the process by the signal, or show a traceback.
    """
    _on_signals(_leave)
    sys.path.append("")  # a user's own modules lie in the working folder
    try:
        return main()
    finally:
        _on_signals(_leave)
        # for the last moments, in which nothing is left to stop and no handler could run
        atexit.register(_on_signals, signal.SIG_IGN)


def main(argv: list[str] | None = None) -> int:
    """Runs a command and gives its exit status: 0, or 2 for what the user can mend."""
    argv = sys.argv[1:] if argv is None else argv
    if threading.current_thread() is not threading.main_thread():
        return _answer(argv)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    _on_signals(_leave)
    try:
        return _answer(argv)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _on_signals(interrupt: Handler, terminate: Handler | None = None) -> None:
    """Sets what Ctrl-C and SIGTERM do; what is ignored, as in a shell's background, stays so.

    Only the main thread may, and is told of signals; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number, handler in zip(SIGNALS, (interrupt, terminate or interrupt), strict=True):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _leave(number: int, _: FrameType | None) -> None:
    """Ends the process at once, as nothing has begun or all is done.

    An exception would not do: NumPy and torch swallow it amid their imports, and come to nothing.
    """
    os._exit(128 + number)


def _terminate(number: int, _: FrameType | None) -> None:
    """Ends the program by SIGTERM as by Ctrl-C: by an exception, with what has begun put right."""
    if signal.getsignal(number) is _terminate:  # or else Lightning is in charge, and calls this too
        raise SystemExit(128 + number)


def _answer(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(overview.text(), end="")
        return 0
    if argv[0] in PARSERS and {"-h", "--help"} & set(argv):
        PARSERS[argv[0]]().print_help()
        return 0
    if argv[0] == "--version":
        from importlib.metadata import version  # which takes longer than all that precedes it

        print(f"lit-mnist {version('lit-mnist')}")
        return 0
    try:
        _run(argv)
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


def _run(argv: list[str]) -> None:
    """Runs a command, whose module is imported once its own options are known to be right."""
    command = argv[0]
    _check_command(command)
    options = PARSERS[command]().parse(argv[1:]) if command in PARSERS else argv
    name = command if command in PARSERS else "run_cli"
    from lit_mnist.training.light_imports import light_imports  # for commands alone, not for help

    # What is imported stays: looking for garbage took a seventh of the time, and found none
    gc.disable()
    try:
        with light_imports():
            module = importlib.import_module(f"lit_mnist.commands.{name}")
    finally:
        gc.freeze()
        gc.enable()
    _on_signals(signal.default_int_handler, _terminate)
    module.run(options)


def _check_command(name: str) -> None:
    if name in overview.COMMANDS:
        return
    import difflib  # for this alone

    near = difflib.get_close_matches(name, overview.COMMANDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"take one of {', '.join(overview.COMMANDS)}"
    raise UserError(f"{name}: no such command; {hint}")


if __name__ == "__main__":  # how `committee` starts its members
    sys.exit(program())
