"""Trained runs for tests that damage them: trained once, copied for each test."""

import shutil
from pathlib import Path

import torch

RUN = Path("tb_logs/simple_plateau/seed_42")
BEST, LAST = RUN / "checkpoints" / "best.ckpt", RUN / "checkpoints" / "last.ckpt"


def copy(source, target):
    """Copies the folder of all runs into the working folder `target`."""
    shutil.copytree(source, target / "tb_logs", dirs_exist_ok=True)


def change(path, action):
    """Rewrites a checkpoint; `action` changes it in place or returns another."""
    checkpoint = torch.load(path, weights_only=True)
    other = action(checkpoint)
    torch.save(checkpoint if other is None else other, path)


def put(*path):
    """Returns an action: `put("a", "b", 1)` sets entry "b" of entry "a"; `...` removes it."""
    *parents, key, value = path

    def action(checkpoint):
        for step in parents:
            checkpoint = checkpoint[step]
        if value is ...:
            del checkpoint[key]
        else:
            checkpoint[key] = value

    return action


def contents(folder=Path("tb_logs")):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
