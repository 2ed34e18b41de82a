"""Stands for srun: runs TASKS tasks, and ends and reports them as SLURM 22.05 does.

Once the file that STOP_AFTER names has three lines, all tasks get SIGTERM, as at a time limit.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

count = int(os.environ["TASKS"])
options = [argument for argument in sys.argv[1:3] if argument.startswith("--")]
command = sys.argv[1 + len(options) :]
job = {"SLURM_NTASKS": count, "SLURM_NTASKS_PER_NODE": count, "SLURM_NNODES": 1, "SLURM_STEP_ID": 0}


def start(rank):
    place = {"SLURM_PROCID": rank, "SLURM_LOCALID": rank, "SLURM_NODEID": 0}
    environment = os.environ | {name: str(value) for name, value in (job | place).items()}
    return subprocess.Popen(command, env=environment, start_new_session=True)


def stop():
    for task in tasks:
        if task.poll() is None:
            os.killpg(task.pid, signal.SIGTERM)  # slurmstepd signals all processes of a task


tasks = [start(rank) for rank in range(count)]
watched = Path(os.environ.get("STOP_AFTER", "nothing"))
stopped = False
while None in (statuses := [task.poll() for task in tasks]):
    full = watched.exists() and len(watched.read_text().splitlines()) >= 3
    failed = "--kill-on-bad-exit=1" in options and any(statuses)
    if (full or failed) and not stopped:
        stop()
        stopped = True
    time.sleep(0.02)
sys.exit(max(128 - status if status < 0 else status for status in statuses))
