"""The graph of a net for TensorBoard."""

import warnings
from typing import TYPE_CHECKING

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.core.module import _jit_is_scripting
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy

from lit_mnist.runs import copies
from lit_mnist.shape import SIDE_PX

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def add_graph(writer: "SummaryWriter", trainer: Trainer, module: LightningModule) -> None:
    """Traces a copy of the module's net on the CPU, in eval mode, without affecting training.

    A net that cannot be traced is left out, with a message. So are weights that are sharded over
    ranks, as a forward pass would wait for the other ranks.
    """
    if type(trainer.strategy) not in (SingleDeviceStrategy, DDPStrategy):
        return
    net = getattr(module, "net", module)
    images = torch.zeros(1, 1, SIDE_PX, SIDE_PX).type(module.dtype)
    try:
        with (
            torch.random.fork_rng(devices=[]),
            warnings.catch_warnings(),
            torch.no_grad(),
            _jit_is_scripting(),  # as tracing asks a LightningModule in the net for its trainer
        ):
            warnings.simplefilter("ignore")
            copied = copies.deep(net).cpu().eval()
            # Traced here, as the writer would check the trace, which takes ten times as long
            writer.add_graph(torch.jit.trace(copied, images, check_trace=False), images)
    except Exception as error:  # a user's net may raise anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:100]
        print(f"TensorBoard shows no graph of the net, which cannot be traced: {reason}")
