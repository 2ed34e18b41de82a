"""Stands for sbatch: runs a script at once, an array's tasks AT_ONCE at a time, and then returns.

A task that scontrol puts back into the queue (a line of the file `requeues`) is run again. The file
`job_<id>` holds each task's last status; a job that depends on another is not run if one failed.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--parsable", action="store_true")
parser.add_argument("--array", default="")
parser.add_argument("--dependency", default="")
parser.add_argument("script")
parser.add_argument("arguments", nargs=argparse.REMAINDER)
options = parser.parse_args()
job = 5 + len(list(Path().glob("job_*")))


def run(task):
    own = {"SLURM_JOB_ID": str(job), "SLURM_NTASKS": "1"}
    if task is not None:  # each task of an array has a job of its own
        own = {"SLURM_JOB_ID": f"{job}{task:04}", "SLURM_ARRAY_JOB_ID": str(job)}
        own |= {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_NTASKS": "1"}
    name = f"requeue {job}" if task is None else f"requeue {job}_{task}"
    lives = 0
    while lives == requeued(name):
        lives += 1
        with Path(f"slurm-{job}_{task}.out").open("a") as output:
            status = subprocess.run(
                ["bash", options.script, *options.arguments],
                env=os.environ | own,
                stdout=output,
                stderr=output,
                check=False,
            ).returncode
    return status


def requeued(name):
    path = Path("requeues")
    return path.read_text().splitlines().count(name) if path.exists() else 0


before = options.dependency.removeprefix("afterok:")
if before and any(json.loads(Path(f"job_{before}").read_text())):
    sys.exit("DependencyNeverSatisfied")
first, _, last = options.array.partition("-")
tasks = range(int(first), int(last or first) + 1) if first else [None]
with ThreadPoolExecutor(int(os.environ.get("AT_ONCE", "1"))) as pool:
    Path(f"job_{job}").write_text(json.dumps(list(pool.map(run, tasks))))
print(job if options.parsable else f"Submitted batch job {job}")
