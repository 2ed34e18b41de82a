"""Runs that version 0.1 made, before the package had rooms."""

from pathlib import Path

import pytest
import torch

from lit_mnist.models.running_scores import RunningScores
from lit_mnist.runs import entries
from lit_mnist.runs.version_0_1 import named_sums, with_moved_classes
from tests.conftest import equal_weights

RUN = Path("tb_logs/dense/seed_42")
WHOLE = Path("tb_logs/whole/seed_42")


def test_only_class_paths_are_updated():
    old = {
        "name": "lit_mnist.modules.DeepConvModule",
        "model": {"class_path": "lit_mnist.modules.DeepConvModule", "init_args": {"lr": 0.1}},
        "others": [{"class_path": "lit_mnist.ensemble.EnsembleModule"}, {"class_path": "my.Net"}],
        "class_path": None,
    }
    assert with_moved_classes(old) == {
        "name": "lit_mnist.modules.DeepConvModule",
        "model": {"class_path": "lit_mnist.models.DeepConvModule", "init_args": {"lr": 0.1}},
        "others": [{"class_path": "lit_mnist.models.EnsembleModule"}, {"class_path": "my.Net"}],
        "class_path": None,
    }


def test_sums_get_the_names_of_now_but_for_the_last():
    assert [*named_sums([0, 0, 0, 0]), "unanswered"] == [*RunningScores().partial_sums()]
    assert named_sums({"total": 1}) == {"total": 1}


def make_old():
    """Rewrites the run as version 0.1 would have."""
    config = RUN / "config.yaml"
    text = config.read_text()
    assert "class_path: lit_mnist.models.DenseModule" in text
    config.write_text(text.replace("lit_mnist.models.", "lit_mnist.modules."))
    for path in (RUN / "checkpoints").iterdir():
        checkpoint = torch.load(path, weights_only=True)
        checkpoint["hyper_parameters"]["_class_path"] = "lit_mnist.modules.DenseModule"
        checkpoint["callbacks"]["History"] = checkpoint["callbacks"].pop(entries.METRICS)
        torch.save(checkpoint, path)


@pytest.mark.parametrize("own_config", [False, True])
def test_a_run_of_version_0_1_resumes_bit_identically(run_cli, fitted, own_config):
    run_cli("fit", "--name", "whole", "--trainer.max_epochs", "3")
    make_old()
    config = ["--config", str(RUN / "config.yaml")] if own_config else []
    status, output, problems = run_cli("fit", *config, "--trainer.max_epochs", "3")
    assert (status, problems) == (0, "")
    assert "resuming after epoch 1" in output
    assert equal_weights(RUN, WHOLE, "last")
    assert len((RUN / "metrics.csv").read_text().splitlines()) == 4


def test_a_run_of_version_0_1_can_be_tested(run_cli, fitted):
    make_old()
    assert run_cli("test")[::2] == (0, "")
