"""Stands for `python` in a job: the test starts the script, and this process stands before it.

The test listens at the socket that ASKED names. It is told the arguments and the environment; it
answers with the process's id and, at the end, with what was said and the exit status. SIGTERM is
passed on; a run that waits for the test may go on then.
"""

import json
import os
import signal
import socket
import sys
from pathlib import Path


def pass_on(number, frame):
    os.kill(pid, number)
    Path("go_on").touch()  # `tests.holding.GO_ON`


with socket.socket(socket.AF_UNIX) as test:
    test.connect(os.environ["ASKED"])
    stream = test.makefile("rw")
    print(json.dumps([sys.argv[1:], dict(os.environ)]), file=stream, flush=True)
    pid = int(stream.readline())
    signal.signal(signal.SIGTERM, pass_on)
    said, status = json.loads(stream.readline())
sys.stdout.write(said)
sys.exit(status)
