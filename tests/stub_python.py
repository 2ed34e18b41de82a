"""Stands for `python` in a job: the test itself runs the script for this process.

The test listens at the socket that ASKED names. It receives the arguments and the environment, and
answers with the process id and, at the end, with the output and the exit status. SIGTERM is
forwarded, after which a run that waits for the test may continue.
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
    output, status = json.loads(stream.readline())
sys.stdout.write(output)
sys.exit(status)
