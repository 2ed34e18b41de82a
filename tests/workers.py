"""pytest-xdist's workers as forks of one process that has imported what they all need.

Each would import torch, Lightning and the program anew, and so would each one's server of
`tests.warm`. The hook `pytest_xdist_setupnodes` says what a worker's Python is: this file, which
hands its standard streams to a fork of that process and waits for the fork's end.
"""

import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
WAIT = 120  # seconds, for workers that never came


def start(specs):
    """Starts the process that is forked; is called where the tests are given out.

    Args:
        specs: execnet's description of each worker, which is told its Python.
    """
    folder = tempfile.mkdtemp(prefix="workers_")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/socket")
        listener.listen()
        number = listener.fileno()
        command = [sys.executable, "-m", "tests.workers", str(number), str(len(specs)), folder]
        null = subprocess.DEVNULL
        subprocess.Popen(command, pass_fds=[number], cwd=ROOT, stdin=null, stdout=null)
    for spec in specs:
        if spec.popen and not spec.python:
            spec.python = shlex.join([sys.executable, __file__, f"{folder}/socket"])


def be_forked(listener, count):
    """Forks a process for each worker; gives its connection there, and None once all have ended."""
    from tests import warm, warm_imports  # noqa: F401 # which take seconds

    listener.settimeout(WAIT)
    for _ in range(count):
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            warm.fork_server()
            return connection
        connection.close()
    listener.close()  # a worker that replaces one that has crashed is an ordinary process
    for _ in range(count):
        os.wait()
    return None


def hand_over(path, arguments):
    """Has a fork run what this process was started to run, or runs it here if there is none."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
        except OSError:
            os.execv(sys.executable, [sys.executable, *arguments])
        socket.send_fds(connection, [arguments[-1].encode()], [0, 1, 2])
        connection.recv(1)  # nothing, at its end


def take_over(connection):
    """Runs, in the fork, what the other process was started to run."""
    source, streams, _, _ = socket.recv_fds(connection, 4096, 3)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    exec(source, {"__name__": "__main__"})


if __name__ == "__main__":
    if sys.argv[1].isdecimal():
        number, count, folder = sys.argv[1:]
        worker = be_forked(socket.socket(fileno=int(number)), int(count))
        if worker:
            take_over(worker)
        else:
            shutil.rmtree(folder)
    else:
        hand_over(sys.argv[1], sys.argv[2:])
