"""Every YAML file in configs/ is built, trains a step, and starts with its command."""

from pathlib import Path

import pytest
import yaml

from lit_mnist.main import main
from tests.conftest import SMALL

FOLDER = Path(__file__).parent.parent / "configs"
ENSEMBLE = FOLDER / "ensemble.yaml"
SYSTEMS = sorted(set(FOLDER.glob("*.yaml")) - {ENSEMBLE})
OVERLAYS = sorted(FOLDER.glob("overlays/*.yaml"))
# Net, augmentation, plateau, images a batch, epochs: the notebook's, but for the quick start
EXPECTED = {
    "quickstart": ("SimpleConvModule", True, True, 86, 8),
    "dense": ("DenseModule", False, False, 86, 40),
    "simple": ("SimpleConvModule", False, False, 86, 40),
    "simple_augmented": ("SimpleConvModule", True, False, 86, 40),
    "simple_plateau": ("SimpleConvModule", True, True, 86, 30),
    "deep": ("DeepConvModule", True, True, 86, 30),
    "fast": ("ConvNetModule", False, False, 256, 3),
    "longer": ("ConvNetModule", True, False, 256, 7),
    "small": ("ConvNetModule", True, False, 128, 16),
    "record": ("ConvNetModule", True, False, 128, 30),
    "wide": ("ConvNetModule", True, False, 128, 24),
}
ONE_CYCLE = ("fast", "longer", "small", "record", "wide")


def resolved(capsys, *options):
    with pytest.raises(SystemExit) as ended:
        main(["fit", *options, "--print_config"])
    assert ended.value.code == 0
    return yaml.safe_load(capsys.readouterr().out)


def test_the_globs_find_all_configs():
    assert {path.stem for path in SYSTEMS} == EXPECTED.keys()
    assert ENSEMBLE.exists()
    assert {path.stem for path in OVERLAYS} == {"ddp", "gpu"}


@pytest.mark.parametrize("path", SYSTEMS, ids=lambda path: path.stem)
def test_each_system_has_the_expected_options(path, capsys):
    config = resolved(capsys, "--config", str(path))
    model = config["model"]
    assert (
        model["class_path"].rpartition(".")[2],
        config["data"]["augment"],
        model["init_args"]["plateau"],
        config["data"]["batch_size"],
        config["trainer"]["max_epochs"],
    ) == EXPECTED[path.stem]
    assert model["init_args"]["one_cycle"] == (path.stem in ONE_CYCLE)
    stronger = (config["data"]["shear"], config["data"]["elastic"]) != (0.0, 0.0)
    assert stronger == (path.stem in ("record", "wide"))
    assert config["name"] == path.stem
    assert path.read_text().startswith(f"# python cli.py fit --config configs/{path.name}\n")


@pytest.mark.usefixtures("full_size")
@pytest.mark.parametrize("path", SYSTEMS, ids=lambda path: path.stem)
def test_system_trains_a_step(path, small_data, here):
    data = ("--data.dataset", SMALL, "--data.data_dir", str(small_data))
    fast_dev_run = ("--trainer.fast_dev_run", "1", "--trainer.accelerator", "cpu")
    assert main(["fit", "--config", str(path), *data, *fast_dev_run]) == 0


@pytest.mark.parametrize("path", OVERLAYS, ids=lambda path: path.stem)
def test_an_overlay_changes_only_the_hardware(path, capsys):
    plain = resolved(capsys, "--config", str(FOLDER / "deep.yaml"))
    laid = resolved(capsys, "--config", str(FOLDER / "deep.yaml"), "--config", str(path))
    changed = {key for key in plain["trainer"] if plain["trainer"][key] != laid["trainer"][key]}
    assert changed
    assert changed <= {"accelerator", "devices", "strategy", "num_nodes", "precision"}
    assert plain | {"trainer": 0} == laid | {"trainer": 0}
    assert f"--config configs/overlays/{path.name}" in path.read_text().splitlines()[0]
