"""What torchrun or SLURM has started, for options that were left to the program."""

import os
from typing import NamedTuple

from lightning.pytorch.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from torch.distributed.elastic.multiprocessing.errors import get_error_handler

from lit_mnist import program
from lit_mnist.errors import UserError


class Launched(NamedTuple):
    """The processes of a run, this one among them."""

    devices: int  # processes on each node
    num_nodes: int


def launched() -> Launched | None:
    """Tells how many processes a launcher has started; None if this one stands alone.

    Raises:
        UserError: SLURM was asked for what Lightning cannot do.
    """
    if by_slurm():
        return _slurm()
    if TorchElasticEnvironment.detect():
        here, everywhere = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
        return Launched(here, everywhere // here)
    return None


def by_slurm() -> bool:
    """Whether srun has started this process, rather than torchrun within a job of SLURM."""
    return not TorchElasticEnvironment.detect() and SLURMEnvironment.detect()


def _slurm() -> Launched:
    tasks, nodes = (int(os.environ.get(f"SLURM_{n}", "1")) for n in ("NTASKS", "NNODES"))
    if tasks > 1 and "SLURM_STEP_ID" not in os.environ:  # a job's script or shell: one process
        raise UserError(
            f"SLURM has {tasks} tasks for this job; start them: srun {program.name()} …"
        )
    if tasks > 1 and ("SLURM_NTASKS_PER_NODE" not in os.environ or tasks % nodes):
        raise UserError(
            f"SLURM has {tasks} tasks on {nodes} nodes; ask with --nodes and --ntasks-per-node,"
            " not with --ntasks"
        )
    return Launched(tasks // nodes, nodes)


def report(error: Exception) -> None:
    """Gives torchrun, if it has started this process, the cause that its last lines name."""
    get_error_handler().record_exception(error)
