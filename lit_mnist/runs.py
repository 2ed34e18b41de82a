"""A run's folder: what lies in it, what it says of itself, and how a run begins or goes on."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from filelock import FileLock, Timeout

from lit_mnist import checkpoints, files, safe_yaml
from lit_mnist.errors import UserError

# Tells what is wrong with a checkpoint; empty if nothing is
Fault = Callable[[dict[str, Any]], str]
# Options that may differ when a run is resumed: none changes what is trained on or how
FREE_OPTIONS = (
    "log_dir",
    "every_n_train_steps",
    "data.data_dir",
    "data.download",
    "data.eval_batch_size",
    "data.images",
    "trainer.max_epochs",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.strategy",
    "trainer.enable_progress_bar",
    "trainer.enable_model_summary",
    "trainer.log_every_n_steps",
    "trainer.default_root_dir",
)


@dataclass(frozen=True)
class Run:
    """The folder `tb_logs/<name>/seed_<seed>/`; files are named in one place, here."""

    folder: Path

    @property
    def best(self) -> Path:
        """The checkpoint with the highest validation accuracy."""
        return self.folder / "checkpoints" / "best.ckpt"

    @property
    def last(self) -> Path:
        """The checkpoint of the last finished epoch."""
        return self.folder / "checkpoints" / "last.ckpt"

    def file(self, name: str) -> Path:
        """Another file of the run, such as `metrics.csv`."""
        return self.folder / name

    def exists(self) -> bool:
        """Whether at least one epoch is on disk."""
        return self.last.exists() or self.best.exists()

    def results(self) -> dict[str, Any]:
        """What `results.json` says; empty before the first epoch."""
        path = self.file("results.json")
        try:
            said = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}: damaged; remove it, fit and test write it anew") from error
        if not isinstance(said, dict):
            raise UserError(f"{path}: damaged; remove it, fit and test write it anew")
        return said

    def update_results(self, **news: Any) -> None:
        """Sets fields of `results.json` and keeps the others."""
        files.write_json(self.file("results.json"), self.results() | news)

    def history(self) -> list[dict[str, float]]:
        """The rows of `metrics.csv`, one an epoch."""
        path = self.file("metrics.csv")
        if not path.exists():
            return []
        try:
            with path.open(encoding="utf-8", newline="") as file:
                return [
                    {name: float(value) for name, value in row.items()}
                    for row in csv.DictReader(file)
                ]
        except (ValueError, TypeError, csv.Error) as error:
            raise UserError(f"{path}: damaged; remove it, fit writes it anew") from error

    def written(self) -> list[Path]:
        """The files in the folder that a fresh run replaces: not a user's own, not the ledger."""
        own = ("metrics.csv", "predictions.csv", "digits.csv")
        pictures = ("curves.png", "misclassified.png", "confusion.png")
        patterns = ("config.yaml", "results.json", *own, *pictures, "events.out.tfevents.*")
        return [
            path
            for pattern in (*patterns, "checkpoints/*.ckpt")
            for path in self.folder.glob(pattern)
        ]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other processes from training the same run.

        Raises:
            UserError: One does so already.
        """
        missing = [place for place in (self.folder, *self.folder.parents) if not place.exists()]
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.file(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"{self.folder}: another process is training this run; wait for it, or choose"
                " another --name or --seed_everything"
            ) from None
        try:
            yield
        finally:
            self.file(".lock").unlink(missing_ok=True)
            lock.release()
            for place in missing:  # a run that never began leaves nothing
                with suppress(OSError):
                    place.rmdir()

    def newest(self, fault: Fault) -> tuple[Path, dict[str, Any]]:
        """Reads the newest checkpoint that is whole; a damaged one is named and passed over.

        Args:
            fault: Tells what keeps training from going on from a checkpoint.

        Raises:
            UserError: None is whole.
        """
        problems = []
        for path in (self.last, self.best):
            try:
                checkpoint = checkpoints.read(path)
                checkpoints.refuse(path, fault(checkpoint))
            except UserError as error:
                problems.append(str(error))
                continue
            for problem in problems:
                print(f"{problem.partition(';')[0]}; going on from {path.name} instead")
            return path, checkpoint
        raise UserError(f"{problems[0].partition(';')[0]}; start afresh with --fresh")


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Lists the options that differ between two resolved configs, such as `model.lr: 0.1, now 0.2`.

    Options that one of the two does not have, or that may differ, are left out.
    """
    old, new = flat(before), flat(now)
    return [
        f"{key}: {old[key]}, now {new[key]}"
        for key in old.keys() & new.keys()
        if old[key] != new[key] and not key.startswith(FREE_OPTIONS)
    ]


class ResumePoint(NamedTuple):
    """Where a run goes on."""

    checkpoint: Path
    epochs: int  # that are finished
    step: int  # of the next epoch that is done
    complete: bool  # whether there is nothing left to do

    def __str__(self) -> str:
        """Says so."""
        place = f"after epoch {self.epochs - 1}"
        if self.step:
            place = f"after step {self.step} of epoch {self.epochs}"
        return f"going on {place} from {self.checkpoint}"


def resume_point(
    run: Run, config: dict[str, Any], fault: Fault = lambda _: ""
) -> ResumePoint | None:
    """Tells where `fit` with this config goes on.

    Args:
        run: The folder.
        config: The resolved config.
        fault: Tells what keeps training from going on from a checkpoint; empty if nothing does.

    Returns:
        None if the run has no checkpoint yet.

    Raises:
        UserError: The run was made with other options.
    """
    if not run.exists():
        return None
    before = read_config(run.file("config.yaml"))
    _check_unchanged(run, differences(before, config))
    path, checkpoint = run.newest(fault)
    done, step = checkpoints.progress(checkpoint)
    wanted = config["trainer"]["max_epochs"]
    if wanted is not None and 0 <= wanted < done:
        _check_unchanged(run, [f"trainer.max_epochs: {done} done, now {wanted}"])
    stopped_early = (
        run.results().get("status") == "complete"
        and flat(before).get("trainer.max_epochs") == wanted
    )
    return ResumePoint(path, done, step, done == wanted or stopped_early)


def _check_unchanged(run: Run, changed: list[str]) -> None:
    if changed:
        raise UserError(
            f"{run.folder} was made with other options ({'; '.join(sorted(changed))});"
            " choose another --name, or replace it with --fresh"
        )


def read_config(path: Path) -> dict[str, Any]:
    """Reads a run's own `config.yaml`; empty if there is none.

    Raises:
        UserError: It is no YAML mapping.
    """
    try:
        content = safe_yaml.load(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: damaged; replace the run with --fresh") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: damaged; replace the run with --fresh")
    return content


def flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Gives a nested config one level, with keys such as `model.init_args.lr`."""
    items: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict) and value:
            items |= flat(value, f"{prefix}{key}.")
        else:
            items[f"{prefix}{key}"] = value
    return items
