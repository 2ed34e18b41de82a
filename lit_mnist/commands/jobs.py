"""Runs `fit` in processes of their own, several at a time."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Any, NamedTuple

import torch

from lit_mnist import program
from lit_mnist.command_line.run_spec import RunSpec
from lit_mnist.commands.jobs_at_once import spreads
from lit_mnist.errors import UserError
from lit_mnist.machine.process import end_with_parent
from lit_mnist.runs.run_config import flat

MARK = "LIT_MNIST_JOB"  # set for a job, which then does not print what to do next
_STOPPING = (signal.SIGINT, signal.SIGTERM)


def is_job() -> bool:
    """Whether this process is a job, or trains a sweep's trial."""
    return MARK in os.environ


class Job(NamedTuple):
    """A run to train with `fit` in a process of its own."""

    name: str  # prefix of its output
    spec: RunSpec


class Jobs:
    """Runs jobs, `at_once` of them at a time, each in a slot of the machine.

    A slot is an equal share of the CPU cores, and a GPU if there are any, also for jobs that run
    alone: how many devices a job trains on does not depend on the other jobs. Only those whose
    options name devices see all GPUs. If this process is stopped, so are its jobs.

    Args:
        at_once: How many run at a time, at least 1.
    """

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.running: set[subprocess.Popen[str]] = set()
        self.stopped = 0  # the signal that stopped us
        self.starting = threading.RLock()  # so that no job starts while we are being stopped
        self.slots: SimpleQueue[int] = SimpleQueue()
        for slot in range(at_once):
            self.slots.put(slot)

    def run(self, jobs: Sequence[Job]) -> list[Job]:
        """Runs all jobs and returns those that failed, in order; a failure stops no other job."""
        is_main = threading.current_thread() is threading.main_thread()  # others get no signals
        before = {number: signal.signal(number, self._stop) for number in _STOPPING if is_main}
        try:
            with ThreadPoolExecutor(self.at_once) as pool:
                statuses = list(pool.map(self._run, jobs))
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self.stopped:
            raise SystemExit(128 + self.stopped)
        return [job for job, status in zip(jobs, statuses, strict=True) if status]

    def _run(self, job: Job) -> int:
        slot = self.slots.get()
        try:
            with self.starting:
                if self.stopped:
                    return 1
                process = self._start(job, slot)
                self.running.add(process)
            for line in process.stdout or ():
                print(f"[{job.name}] {line}", end="", flush=True)
            status = process.wait()
            self.running.discard(process)
            return status
        finally:
            self.slots.put(slot)

    def _start(self, job: Job, slot: int) -> subprocess.Popen[str]:
        single = self.at_once == 1
        return subprocess.Popen(
            [sys.executable, "-m", "lit_mnist.main", *job.spec.argv("fit")],
            env=self._environment(slot, job.spec),
            stdout=None if single else subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that signals reach it only through us, and once
            preexec_fn=end_with_parent if os.name == "posix" else None,  # Windows has none
        )

    def _environment(self, slot: int, spec: RunSpec) -> dict[str, str]:
        package = str(Path(__file__).parents[2])
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        env = {"PYTHONPATH": os.pathsep.join(paths), MARK: "1", program.CALLED: program.name()}
        if torch.cuda.is_available() and not spreads(spec):
            visible = os.environ.get("CUDA_VISIBLE_DEVICES")
            gpus = visible.split(",") if visible else range(torch.cuda.device_count())
            env["CUDA_VISIBLE_DEVICES"] = str(gpus[slot % len(gpus)])
        if self.at_once > 1:  # with GPUs as well, as the runs may not use them
            threads = max(1, torch.get_num_threads() // self.at_once)
            env["OMP_NUM_THREADS"] = str(threads)
        return os.environ | env

    def _stop(self, number: int, _: FrameType | None) -> None:
        self.stopped = number
        with self.starting:
            for process in list(self.running):
                process.send_signal(number)


def refuse_of_script(configs: Iterable[Mapping[str, Any]]) -> None:
    """Refuses options that name what is defined in a script or notebook, which no job runs.

    Args:
        configs: The resolved configs of the jobs.

    Raises:
        UserError: Naming the first, and its option.
    """
    for option, value in (item for config in configs for item in flat(dict(config)).items()):
        for name in _of_script(value):
            shown = option.removesuffix(".class_path").replace(".init_args", "")
            raise UserError(
                f"--{shown} {name:.99}: is defined in a script or notebook, which the runs' own"
                " processes do not know; put it in a file, such as mine.py, and name it:"
                f" {name.replace('__main__', 'mine'):.99}"
            )


def _of_script(value: Any) -> Iterator[str]:
    """Yields the names of what is defined there."""
    parts = value.values() if isinstance(value, Mapping) else value
    if isinstance(parts, str):
        module, _, name = parts.partition(".")
        if module == "__main__" and hasattr(sys.modules[module], name.partition(".")[0]):
            yield parts
    elif isinstance(parts, Iterable):
        yield from (name for part in parts for name in _of_script(part))
