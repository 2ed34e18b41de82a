"""The entry point: answers `--help` at once, and runs the commands.

Importing Lightning takes seconds, so nothing here imports it before a command runs.
"""

import atexit
import gc
import importlib
import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from lit_mnist.command_line import file_errors, overview
from lit_mnist.command_line.parsers import PARSERS
from lit_mnist.errors import PeerError, UserError, one_line
from lit_mnist.machine import environment, lost_signals, rank_errors

SIGNALS = (signal.SIGINT, signal.SIGTERM)
Handler = Callable[[int, FrameType | None], Any] | signal.Handlers


def program() -> int:
    """Runs `main` as a process of its own; returns the exit code of the process.

    Signals are handled before and after `main` as well: with torch loaded, the interpreter takes a
    while to shut down, and a signal meanwhile would change the exit code or print a traceback.
    """
    _on_signals(_leave)
    _open_closed_streams()
    _escape_odd_names()
    with suppress(OSError):  # so that a user's own modules are found in the working folder, which
        sys.path.append(os.getcwd())  # the parser leaves while it reads a config elsewhere
    try:
        return main()
    finally:
        _on_signals(_leave)
        # at the very end, no handler could run any more
        atexit.register(_on_signals, signal.SIG_IGN)


def _open_closed_streams() -> None:
    """Opens standard streams that are closed, as under some daemons: the libraries expect them.

    A file that is opened later would have a stream's number, and C code could write into it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 # stays open
            setattr(sys, name, stream)


def _escape_odd_names() -> None:
    """Lets standard output escape what it cannot encode, such as a file's name that is no UTF-8."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def main(argv: list[str] | None = None) -> int:
    """Runs a command and returns its exit status: 0, or 2 for an error that the user can fix.

    Signal handlers and the environment are restored afterwards, so it can be called from Python.

    Args:
        argv: The command line without the program's name; None: that of the process.
    """
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
    """Sets the handlers of Ctrl-C and SIGTERM, except of signals that are ignored, as in `cmd &`.

    Only the main thread can set handlers; in other threads this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number, handler in zip(SIGNALS, (interrupt, terminate or interrupt), strict=True):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _leave(number: int, _: FrameType | None) -> None:
    """Ends the process at once; used before a command has started and after it has ended.

    An exception would not do: NumPy and torch swallow it during their imports and are left broken.
    """
    os._exit(128 + number)


def _terminate(number: int, _: FrameType | None) -> None:
    """Makes SIGTERM raise an exception, as Ctrl-C does, so that cleanup code runs."""
    if signal.getsignal(number) is _terminate:  # otherwise Lightning's handler has called this one
        raise SystemExit(128 + number)


def _answer(argv: list[str]) -> int:
    try:
        with environment.restored():
            if not _help(argv):
                _run(argv)
    except UserError as error:
        rank_errors.report(one_line(error))
        return 2
    except PeerError as error:
        rank_errors.report(one_line(error), follows=True)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # such as `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # a full disk, a file that may not be read or written
        rank_errors.report(one_line(UserError(file_errors.told(error))))
        return 2
    except RuntimeError as error:
        if "can't start new thread" not in str(error):
            raise
        problem = UserError(f"{error}; end other programs, or allow more with ulimit -u or -v")
        rank_errors.report(one_line(problem))
        return 2
    return 0


def _help(argv: list[str]) -> bool:
    """Prints help or the version, if the command line asks for it; returns whether it does."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(overview.text(), end="")
    elif argv[0] in PARSERS and {"-h", "--help"} & set(argv):
        PARSERS[argv[0]]().print_help()
    elif argv[0] == "--version":
        from importlib.metadata import version  # slow to import, and only needed here

        print(f"lit-mnist {version('lit-mnist')}")
    else:
        return False
    return True


def _run(argv: list[str]) -> None:
    """Runs a command; its module is imported only once its own options are parsed."""
    command = argv[0]
    _check_command(command)
    options = PARSERS[command]().parse(argv[1:]) if command in PARSERS else argv
    name = command if command in PARSERS else "run_cli"
    from lit_mnist.machine.light_imports import light_imports  # not needed for help

    # Imported modules stay alive: collecting garbage took a seventh of the time and found none
    gc.disable()
    try:
        with light_imports():
            module = importlib.import_module(f"lit_mnist.commands.{name}")
    finally:
        gc.freeze()
        gc.enable()
    _on_signals(signal.default_int_handler, _terminate)
    with lost_signals.sent_again():
        module.run(options)


def _check_command(name: str) -> None:
    if name in overview.COMMANDS:
        return
    import difflib  # only needed here

    near = difflib.get_close_matches(name, overview.COMMANDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"take one of {', '.join(overview.COMMANDS)}"
    raise UserError(f"{name}: no such command; {hint}")


if __name__ == "__main__":  # `committee` starts its members this way
    sys.exit(program())
