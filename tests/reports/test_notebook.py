"""The notebook's systems, against the configs of their names."""

import re
from pathlib import Path

import pytest
import yaml

from lit_mnist.reports.notebook import SYSTEMS
from tests.conftest import CONFIGS

EPOCHS = {"dense": 40, "simple": 40, "simple_augmented": 40, "simple_plateau": 30, "deep": 30}


def test_the_six_systems_are_in_the_notebook_s_order():
    assert [system.name for system in SYSTEMS] == [
        *("dense", "simple", "simple_augmented", "simple_plateau"),
        *("committee_simple", "committee_deep"),
    ]
    accuracies = [system.accuracy for system in SYSTEMS]
    assert accuracies == sorted(accuracies)  # each idea helped
    losses = [system.loss for system in SYSTEMS]
    assert losses == sorted(losses, reverse=True)
    for system in SYSTEMS:
        assert round(system.accuracy * 1e4, 6).is_integer()  # correct in 10,000 images
        assert system.epoch_s > 0


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_each_system_has_a_config_with_its_epochs(system):
    config = yaml.safe_load(Path(CONFIGS, f"{system.config}.yaml").read_text())
    epochs = config.get("trainer", {}).get("max_epochs", 30)
    assert epochs == EPOCHS[system.config]
    members = re.search(r"committee of (\d+)", system.title)
    assert system.members == (int(members[1]) if members else 1)
