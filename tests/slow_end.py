"""A callback that shuts down slowly."""

import time
from pathlib import Path

from lightning.pytorch import Callback


class SlowEnd(Callback):
    def on_exception(self, trainer, pl_module, exception):
        Path("ending").touch()
        time.sleep(60)
        Path("ended").touch()
