"""Kills a real `fit` at random moments, and compares its result with that of an uninterrupted run.

    python reliability/kills.py [--kills 20] [--ranks 1] [--accumulate]

Each process of the run ends by SIGKILL, SIGTERM or Ctrl-C at a random moment, even during startup,
and the same command is run again. The net is the small convolutional one, with augmentation,
dropout, plateau schedule, and a checkpoint every 7 steps within an epoch. With --accumulate a step
takes four batches, which do not divide the epoch, and OneCycleLR changes the rate at each step.
"""

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import lives

SHORT = ("--trainer.max_epochs", "4", "--trainer.limit_train_batches", "150")
WITHIN = ("--every_n_train_steps", "7")
BATCHES = 4  # of an accumulated step
STEPS = 4 * -(-150 // BATCHES)  # of the whole training: an epoch's last step has two batches
ACCUMULATED = (
    *("--trainer.accumulate_grad_batches", str(BATCHES)),
    *("--model", "reliability.one_cycle.OneCycleModule", "--model.total_steps", str(STEPS)),
)
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def main() -> int:
    """Kills, compares, reports."""
    parser = lives.new_parser(__doc__)
    parser.add_argument("--kills", type=int, default=20, help="(20)")
    parser.add_argument("--ranks", type=int, default=1, help="processes of a run, on gloo (1)")
    parser.add_argument(
        "--accumulate", action="store_true", help="several batches a step, a rate for each step"
    )
    options = parser.parse_args()
    log_dir = Path(tempfile.mkdtemp(prefix="kills-"))
    config = ("fit", "--config", str(lives.ROOT / "configs" / "simple_plateau.yaml"))
    ranks = ("--trainer.devices", str(options.ranks), "--trainer.strategy", "ddp")
    several = ranks if options.ranks > 1 else ()
    recipe = ACCUMULATED if options.accumulate else ()
    shape = (*config, *SHORT, *recipe, "--data.batch_size", "86", *several)
    began = time.monotonic()
    uninterrupted = lives.run(lives.command("whole", log_dir, options, *shape))
    if uninterrupted.status:
        raise SystemExit(uninterrupted.output)
    life_s = time.monotonic() - began
    reference = lives.fingerprint(log_dir / "whole" / "seed_42")
    figures = kill(options, log_dir, (*shape, *WITHIN), reference, life_s)
    command = f"--kills {options.kills} --ranks {options.ranks} --seed {options.seed}"
    command += " --accumulate" if options.accumulate else ""
    figures["command"] = f"python reliability/kills.py {command}"
    shutil.rmtree(log_dir)
    name = f"{options.kills} kills, ranks: {options.ranks}"
    name += ", accumulated, with a rate for each step" if options.accumulate else ""
    return lives.report(options, name, figures)


def kill(
    options: argparse.Namespace,
    log_dir: Path,
    shape: tuple[str, ...],
    reference: str,
    life_s: float,
) -> dict[str, object]:
    """Starts and kills a run until it was killed often enough, and then lets it finish."""
    chance, kills, ends, runs = random.Random(options.seed), 0, [], 1
    bad = {"runs that ended otherwise": 0, "tracebacks": 0, "other exit statuses": 0}
    while True:
        name, number = f"cut_{runs}", chance.choice(SIGNALS)
        moment = chance.uniform(0.2, life_s) if kills < options.kills else None
        ended = lives.run(lives.command(name, log_dir, options, *shape), moment, number)
        traceback = "Traceback" in ended.output and number != signal.SIGKILL
        bad["tracebacks"] += traceback
        bad["other exit statuses"] += ended.status not in (0, -number, 128 + number)
        print(f"{name}: status {ended.status}, {kills} kills", file=sys.stderr, flush=True)
        if traceback:
            print(ended.output, file=sys.stderr, flush=True)
        if ended.status:
            kills += 1
            continue
        ends.append(lives.fingerprint(log_dir / name / "seed_42"))
        bad["runs that ended otherwise"] += ends[-1] != reference
        runs += 1
        if kills >= options.kills:
            break
    litter = [path for path in log_dir.rglob("*.lock")]
    return {
        "what": "Weights, optimiser state, learning rates and `metrics.csv` (its seconds aside)"
        " of runs that were killed again and again, against a run that was left alone.",
        "counted": {"kills": kills, "runs that were killed and ended": len(ends)},
        "bad": bad | {"locks left behind": len(litter)},
    }


if __name__ == "__main__":
    sys.exit(main())
