"""What a module draws in its steps is accepted by every command, and written by some."""

from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lit_mnist.models import DenseModule
from tests.fitting import fitted
from tests.trained import contents

RUN = Path("tb_logs/draws/seed_42")
SEVEN = Path(__file__).parents[2] / "docs" / "images" / "seven.png"


class Draws(DenseModule):
    """Draws in each step, logs by hand, and saves a file beside the logs, as code for fit does."""

    def draw(self, name):
        self.logger.experiment.add_image(name, torch.zeros(1, 4, 4), self.global_step)
        self.logger.log_metrics({f"{name}_seen": 1.0}, self.global_step)
        self.logger.log_hyperparams({"drawn": name})
        self.logger.log_graph(self)
        self.logger.save()
        for place in (self.trainer.log_dir, self.logger.log_dir):
            assert Path(place).resolve() == RUN.resolve()
        assert (self.logger.name, self.logger.version) == ("draws", "seed_42")

    def validation_step(self, batch, batch_idx):
        self.draw("val")
        return super().validation_step(batch, batch_idx)

    def test_step(self, batch, batch_idx):
        self.draw("test")
        return super().test_step(batch, batch_idx)

    def predict_step(self, batch, batch_idx):
        self.draw("predict")
        return super().predict_step(batch, batch_idx)


@pytest.fixture
def call(run_cli):
    model = ("--model", f"{__name__}.Draws", "--name", "draws")
    fitted(run_cli("fit", *model, "--trainer.max_epochs", "1"))
    return lambda *options: fitted(run_cli(*options, *model))


def images():
    return set(EventAccumulator(str(RUN), size_guidance={"images": 0}).Reload().Tags()["images"])


def test_what_validate_and_predict_draw_is_accepted_and_not_logged(call):
    assert "val" in images()
    before = contents(RUN)
    call("validate")
    assert contents(RUN) == before
    call("predict", "--data.images", str(SEVEN))
    new = contents(RUN).keys() - before.keys()
    assert new
    assert not [name for name in new if "events" in str(name) or "hparams" in str(name)]
    call("test")
    assert {"val", "test"} <= images()
    assert "predict" not in images()
