"""What torchrun or SLURM has started, for options that were left to the program."""

import os
from typing import NamedTuple

from lightning.pytorch.plugins.environments import SLURMEnvironment, TorchElasticEnvironment


class Launched(NamedTuple):
    """The processes of a run, this one among them."""

    devices: int  # processes on each node
    num_nodes: int


def launched() -> Launched | None:
    """Tells how many processes a launcher has started; None if this one stands alone."""
    if TorchElasticEnvironment.detect():
        here, everywhere = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
        return Launched(here, everywhere // here)
    if SLURMEnvironment.detect():
        nodes = int(os.environ.get("SLURM_NNODES", "1"))
        return Launched(int(os.environ["SLURM_NTASKS"]) // nodes, nodes)
    return None
