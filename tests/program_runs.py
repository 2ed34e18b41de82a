"""What tests read of a run that a command made."""

import csv

import torch

from tests.stopping import RUN


def csv_rows(name, folder=RUN):
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def weights(folder=RUN, name="last"):
    checkpoint = torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)
    return checkpoint["state_dict"]


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)
