"""Trains on one rank and tests on 1, 2 and 3: the same figures, the same 10,000 rows.

python reliability/ranks.py
"""

import csv
import json
import shutil
import sys
import tempfile
from pathlib import Path

import lives
import numpy as np

SHORT = ("--trainer.max_epochs", "1", "--trainer.limit_train_batches", "200")


def table(folder: Path) -> np.ndarray:
    """Reads predictions.csv: float64 (N, 13)."""
    with (folder / "predictions.csv").open(newline="") as file:
        return np.array([list(map(float, row)) for row in list(csv.reader(file))[1:]])


def main() -> int:
    """Trains, tests, compares, reports."""
    options = lives.new_parser(__doc__).parse_args()
    log_dir = Path(tempfile.mkdtemp(prefix="ranks-"))
    config = ("--config", str(lives.ROOT / "configs" / "simple.yaml"), *SHORT)
    folder = log_dir / "run" / "seed_42"
    trained = lives.run(lives.command("run", log_dir, options, "fit", *config))
    if trained.status:
        raise SystemExit(trained.output)
    tables, results = {}, {}
    for ranks in (1, 2, 3):
        several = ("--trainer.devices", str(ranks), "--trainer.strategy", "ddp")
        arguments = ("test", *config, *(several if ranks > 1 else ()))
        tested = lives.run(lives.command("run", log_dir, options, *arguments))
        if tested.status:
            raise SystemExit(tested.output)
        tables[ranks] = table(folder)
        results[ranks] = json.loads((folder / "results.json").read_text())
    shutil.rmtree(log_dir)
    one = tables[1]
    bad = {"rows that are not 10,000": sum(len(rows) != 10_000 for rows in tables.values())}
    for ranks in (2, 3):
        matches = np.array_equal(tables[ranks][:, :3], one[:, :3])
        bad[f"other indices, labels or predictions on {ranks} ranks"] = int(not matches)
        other = results[ranks]["test_errors"] != results[1]["test_errors"]
        bad[f"other errors on {ranks} ranks"] = int(other)
        loss = abs(results[ranks]["test_loss"] - results[1]["test_loss"])
        bad[f"loss further than 1e-6 on {ranks} ranks"] = int(loss > 1e-6)
    apart = max(float(abs(rows - one).max()) for rows in tables.values())
    figures = {
        "what": "One trained network, tested on 1, 2 and 3 ranks.",
        "counted": {
            "errors of 10,000": results[1]["test_errors"],
            "largest difference of a probability": f"{apart:.1e}",
        },
        "bad": bad,
        "command": "python reliability/ranks.py",
    }
    return lives.report(options, "1, 2 and 3 ranks", figures)


if __name__ == "__main__":
    sys.exit(main())
