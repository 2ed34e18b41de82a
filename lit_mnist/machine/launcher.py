"""How many processes torchrun or SLURM has started, for options that the user left out."""

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
    """Returns the number of processes that a launcher has started; None without a launcher.

    Raises:
        UserError: Lightning does not support how SLURM was called.
    """
    if by_slurm():
        return _slurm()
    if TorchElasticEnvironment.detect():
        local_size, world_size = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
        return Launched(local_size, world_size // local_size)
    return None


def by_slurm() -> bool:
    """Whether srun has started this process, rather than torchrun inside a SLURM job."""
    return not TorchElasticEnvironment.detect() and SLURMEnvironment.detect()


def _slurm() -> Launched:
    tasks, nodes = (int(os.environ.get(f"SLURM_{n}", "1")) for n in ("NTASKS", "NNODES"))
    if tasks > 1 and "SLURM_STEP_ID" not in os.environ:  # a batch script or shell: one process
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
    """Reports the cause to torchrun, which prints it last, if torchrun has started this process."""
    get_error_handler().record_exception(error)
