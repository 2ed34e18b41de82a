"""Real processes of the program that need not import it: forks of a server that has.

To start `python cli.py` takes several seconds of a core, nearly all of them imports. What is
started here has a pid, signals, an exit status, a working folder and an environment of its own, and
so have the ranks and members that it starts in its turn, as true children; but the libraries are
there already, and no module of a test's or a user's is. Its pictures are blank and its nets small.
What a test says of the start itself, or of another program that starts this one, needs
`subprocess`.
"""

import contextlib
import importlib
import multiprocessing
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import weakref
from itertools import pairwise
from multiprocessing import forkserver, resource_tracker, util
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from torch.distributed.elastic.multiprocessing.subprocess_handler import subprocess_handler

from lit_mnist import main
from tests import blank, small_nets

# It has one thread, as a process must that forks
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.warm_imports"])
ROOT = Path(__file__).parent.parent
CLI = str(ROOT / "cli.py")


def fork_server():
    """Has the server be a fork of this process, which has one thread and imported all it needs."""
    resource_tracker.ensure_running()
    with mock.patch.object(util, "spawnv_passfds", _fork):
        forkserver.ensure_running()


def _fork(_, arguments, kept):
    """Stands in for the start of `python -c`, with these files open."""
    pid = os.fork()
    if pid == 0:
        forkserver._forkserver.__init__()  # whose lock is held where this is called
        for low, high in pairwise([2, *sorted(kept), os.sysconf("SC_OPEN_MAX")]):
            os.closerange(low + 1, high)
        _leave_with(exec, arguments[-1], {})
    return pid


class Program:
    """A running script, to be used as `subprocess.Popen` is.

    Args:
        arguments: The script and its arguments.
        before: A module's function that is called first in the process.
        environment: Variables to set.
    """

    def __init__(self, arguments, before=None, **environment):
        self.said = Path(tempfile.mkdtemp(prefix="said_"))  # not here, which may be the clone
        weakref.finalize(self, shutil.rmtree, self.said, ignore_errors=True)
        given = (arguments, os.environ | environment, Path.cwd(), self.said, before)
        self.process = SERVER.Process(target=_begin, args=given, daemon=True)
        with contextlib.chdir(ROOT):  # where the server finds `tests`, if it is not there yet
            forkserver.ensure_running()
        self.process.start()
        self.pid = self.process.pid
        while not (self.said / "begun").exists() and self.poll() is None:
            time.sleep(0.005)

    def poll(self):
        """Gives the exit status, negative if a signal ended it; None while it runs."""
        return self.process.exitcode

    returncode = property(poll)

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self, timeout=300):
        """Waits for the end; gives standard output and error."""
        self.process.join(timeout)
        if self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired("a program", timeout)
        return tuple((self.said / name).read_text() for name in ("out", "err"))


def run(arguments, before=None, **environment):
    """Runs a script to its end; gives its exit status, standard output and error."""
    process = Program(arguments, before, **environment)
    output, problems = process.communicate()
    return process.returncode, output, problems


APPLIED = []  # the work-arounds of this process, which a rank that it forks would apply twice


def _applying():
    APPLIED.append(contextlib.ExitStack())
    return APPLIED[-1]


class Child:
    """A fork where the program starts itself: as much of `subprocess.Popen` as it uses."""

    def __init__(
        self,
        args,
        *,
        env,
        preexec_fn=None,
        cwd=None,
        stdout=None,
        stderr=None,
        text=True,
        start_new_session=False,
    ):
        pipe = os.pipe() if stdout == subprocess.PIPE else None
        self.pid, self.returncode = os.fork(), None
        if self.pid == 0:
            if pipe:
                os.dup2(pipe[1], 1)
            if start_new_session:
                os.setsid()
            if preexec_fn:
                preexec_fn()
            for stack in APPLIED[::-1]:
                stack.close()
            main._on_signals(main._leave)
            _leave_with(_become, [arg for arg in args[1:] if arg != "-u"], env)
        if pipe:
            os.close(pipe[1])
            self.stdout = open(pipe[0])  # noqa: SIM115 # as long as the process
        else:
            self.stdout = None

    def poll(self):
        return self._wait(os.WNOHANG)

    def wait(self, timeout=None):
        if timeout is None:
            return self._wait(0)
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("a program", timeout)
            time.sleep(0.01)
        return self.returncode

    def _wait(self, how):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, how)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def _begin(arguments, environment, folder, said, before):
    """Is called in the process that the server has forked."""
    os.setsid()
    os.chdir(folder)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(said / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    for name in ("commands.jobs", "workarounds.signals"):  # which start the program
        module = importlib.import_module(f"lit_mnist.{name}")
        module.subprocess = SimpleNamespace(Popen=Child, PIPE=subprocess.PIPE)
    subprocess_handler.Popen = Child  # torchrun's
    importlib.import_module("lit_mnist.workarounds.applied").ExitStack = _applying
    blank.pictures()
    small_nets.resize(small_nets.SMALL)
    os.fsync = lambda _: None  # as in `tests.conftest`
    if before:
        before()
    main._on_signals(main._leave)  # as of the program's first line
    (said / "begun").touch()
    _become(arguments, environment)


def _become(arguments, environment):
    """Runs a script, or the program as a module, as Python does once it is up."""
    os.environ.clear()
    os.environ.update(environment)
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if arguments[:2] == ["-m", main.__name__]:
        sys.path[:0] = [os.getcwd(), *filter(None, paths)]
        sys.argv = [main.__file__, *arguments[2:]]
        sys.exit(main.program())
    sys.path[:0] = [str(Path(arguments[0]).parent), *filter(None, paths)]
    sys.argv = list(arguments)
    runpy.run_path(arguments[0], run_name="__main__")


def _leave_with(call, *given):
    """Ends this process with the exit status of a call, and nothing of the one it is forked of."""
    status = 0
    try:
        call(*given)
    except SystemExit as ended:
        status = ended.code or 0
    except BaseException:
        status = 1
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
