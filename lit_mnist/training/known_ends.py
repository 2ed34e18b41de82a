"""How a run will end, by the callbacks and hooks that it will have, before it is trained."""

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping

from lit_mnist import trainers
from lit_mnist.runs.limits import Ends
from lit_mnist.runs.optimization import brought
from lit_mnist.training.ending import timers
from lit_mnist.training.final_weights import acting


def known_ends(trainer: Trainer, module: LightningModule) -> Ends:
    """Asks the trainer's callbacks and the module, among whose callbacks may be a Timer.

    Args:
        trainer: The trainer that will train the module.
        module: The module, which is left unchanged.
    """
    own = brought(trainer, module)
    place = f"the Timer of {type(module).__name__}.configure_callbacks"
    kept = [one for one in trainers.callbacks(trainer) if not _replaced(one, own)]
    return Ends(
        timers=timers(kept) | dict.fromkeys(timers(own), place),
        acts=bool(acting((*kept, *own), module)),
        patience={
            one.state_key: one.patience for one in (*kept, *own) if isinstance(one, EarlyStopping)
        },
    )


def _replaced(callback: Callback, own: list[Callback]) -> bool:
    """Whether Lightning will take a module's callback in the place of this one."""
    return type(callback) is not Callback and any(isinstance(one, type(callback)) for one in own)
