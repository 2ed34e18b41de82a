"""A soak test: many short runs of all kinds, counting violations.

    python reliability/soak.py [--runs 200] [--at-once 2]

Kinds: fit; fit that is killed and resumed; fit and test; two starts of the same run at once. All
train the dense net for two epochs of 30 steps, so all must end bit-identically.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lives

SHORT = (
    *("--config", str(lives.ROOT / "configs" / "dense.yaml"), "--trainer.max_epochs", "2"),
    *("--trainer.limit_train_batches", "30", "--every_n_train_steps", "7"),
)
KINDS = ("fit", "kill", "test", "pair")
FILES = (
    "config.yaml",
    "metrics.csv",
    "results.json",
    "checkpoints/best.ckpt",
    "checkpoints/last.ckpt",
)


class Soak:
    """Runs of the program in a temporary folder, and what was counted.

    Args:
        options: The command line.
        log_dir: The folder.
    """

    def __init__(self, options: argparse.Namespace, log_dir: Path) -> None:
        self.options, self.log_dir = options, log_dir
        self.ended: list[lives.Ended] = []
        self.refused = 0

    def one(self, place: int) -> str:
        """Runs the run with this number; returns its kind."""
        chance = random.Random(f"{self.options.seed} {place}")
        kind, name = KINDS[place % len(KINDS)], f"run_{place}"
        if kind == "kill":
            number = chance.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
            self._run(name, "fit", kill_after_s=chance.uniform(1, 9), number=number)
        if kind == "pair":
            with ThreadPoolExecutor(2) as pool:
                both = list(pool.map(lambda _: self._run(name, "fit"), range(2)))
            self.refused += sum("another process is training" in end.output for end in both)
        self._run(name, "fit")
        if kind == "test":
            self._run(name, "test")
        print(f"{name}: {kind}", file=sys.stderr, flush=True)
        return kind

    def _run(self, name: str, *extra: str, **ending: float) -> lives.Ended:
        arguments = lives.command(name, self.log_dir, self.options, *extra, *SHORT)
        end = lives.run(arguments, **ending)  # type: ignore[arg-type] # seconds and a signal
        self.ended.append(end)
        return end


def left_processes(log_dir: Path) -> int:
    """Counts processes that still work on the folder."""
    count = 0
    for place in Path("/proc").glob("[0-9]*"):
        try:
            count += str(log_dir).encode() in (place / "cmdline").read_bytes()
        except OSError:
            continue
    return count


def shared_memory() -> set[str]:
    """Lists the files in shared memory."""
    place = Path("/dev/shm")
    return set(os.listdir(place)) if place.exists() else set()


def main() -> int:
    """Runs all, counts and reports."""
    parser = lives.new_parser(__doc__)
    parser.add_argument("--runs", type=int, default=200, help="(200)")
    parser.add_argument("--at-once", type=int, default=2, help="(2)")
    options = parser.parse_args()
    log_dir, memory = Path(tempfile.mkdtemp(prefix="soak-")), shared_memory()
    soak = Soak(options, log_dir)
    with ThreadPoolExecutor(options.at_once) as pool:
        kinds = Counter(pool.map(soak.one, range(options.runs)))
    folders = [log_dir / f"run_{place}" / "seed_42" for place in range(options.runs)]
    prints = Counter(map(lives.fingerprint, folders))
    killed = sum(end.status == -signal.SIGKILL for end in soak.ended)
    locks, temporaries = (list(log_dir.rglob(pattern)) for pattern in (".lock", "*.tmp"))
    figures = {
        "what": "Short runs of all kinds: fit, fit that is killed and goes on, fit and test, two"
        " starts of the same run at once.",
        "counted": {
            "runs": sum(kinds.values()),
            **{f"of kind {kind}": kinds[kind] for kind in KINDS},
            "processes": len(soak.ended),
            "killed by SIGKILL": killed,
            "second starts that were refused": soak.refused,
        },
        "bad": {
            "files lost": sum(not (f / name).exists() for f in folders for name in FILES),
            "ends that differ from the most frequent": len(folders) - prints.most_common(1)[0][1],
            "tracebacks": sum("Traceback" in end.output for end in soak.ended),
            "other exit statuses": sum(end.status not in lives.STATUSES for end in soak.ended),
            "processes left": left_processes(log_dir),
            "files left in shared memory": len(shared_memory() - memory),
            "locks left": len(locks),
            "temporary files left": len(temporaries),
        },
        "command": f"python reliability/soak.py --runs {options.runs} --seed {options.seed}",
    }
    shutil.rmtree(log_dir)
    return lives.report(options, f"soak of {options.runs} runs", figures)


if __name__ == "__main__":
    sys.exit(main())
