"""Model files, read by their own runtimes and compared with what the test of the run said."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import lit_mnist
from examples.my_net import TinyModule
from lit_mnist.data.datasets import DATASETS
from lit_mnist.errors import UserError
from lit_mnist.export import card_calibration, card_sections
from lit_mnist.export.agreement import ValidationData
from lit_mnist.export.facts import Facts
from lit_mnist.export.trained_run import TrainedRun
from lit_mnist.files import write_json
from lit_mnist.main import main
from lit_mnist.runs.folder import Run
from tests.conftest import SMALL

ROOT = Path(lit_mnist.__file__).parent.parent
COMMITTEE, MEMBER = Path("tb_logs/dense/committee_3"), Path("tb_logs/dense/seed_42")
NAME = "it is, 'here' {0}"  # which takes quoting
FORMATS = ("onnx", "pt2", "safetensors")
NAMES = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]  # of KMNIST, by torchvision
# Reads the file without torch and without this package, and prints the misread images
READER = """
import sys
import numpy as np
import onnxruntime
model, images, labels = sys.argv[1:]
images = np.fromfile(images, np.uint8)[16:].reshape(-1, 28, 28)
labels = np.fromfile(labels, np.uint8)[8:]
session = onnxruntime.InferenceSession(model)
(taken,), (given,) = session.get_inputs(), session.get_outputs()
assert (taken.name, taken.type, taken.shape) == ("images", "tensor(uint8)", ["N", 28, 28])
assert (given.name, given.type, given.shape) == ("probabilities", "tensor(float)", ["N", 10])
(probabilities,) = session.run(None, {"images": images})
print(*np.flatnonzero(probabilities.argmax(1) != labels))
assert not {"torch", "lit_mnist"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def exported(three, shared):
    """A folder with the committee of three, exported to each format; to be left as it is."""

    def write(folder):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(three)
            for kind in FORMATS:
                output = f"{folder}/{kind}/{NAME}.{kind}"
                assert main(["export", str(COMMITTEE), "--output", output]) == 0

    return shared("exported", write)


def table(folder):
    """predictions.csv: index, label, prediction, p0 to p9, an image a row."""
    return np.loadtxt(folder / "predictions.csv", delimiter=",", skiprows=1)


def test_a_program_without_torch_makes_the_very_same_errors(exported, three, hard_data):
    spec = DATASETS[SMALL]
    files = [str(spec.folder(hard_data) / name) for name in spec.files["test"]]
    model = str(exported / "onnx" / f"{NAME}.onnx")
    output = subprocess.run(
        [sys.executable, "-c", READER, model, *files], capture_output=True, text=True, check=True
    ).stdout
    known = table(three / COMMITTEE)
    expected = np.flatnonzero(known[:, 1] != known[:, 2])
    assert list(map(int, output.split())) == expected.tolist()
    assert len(expected) > 3


def test_a_graph_of_torch_needs_no_code_of_ours(exported, three, hard_data):
    spec = DATASETS[SMALL]
    images = np.fromfile(spec.folder(hard_data) / spec.files["test"][0], np.uint8)[16:]
    extra = {"metadata.json": ""}
    module = torch.export.load(exported / "pt2" / f"{NAME}.pt2", extra_files=extra).module()
    found = module(torch.from_numpy(images.reshape(-1, 28, 28))).detach().numpy()
    np.testing.assert_allclose(found, table(three / COMMITTEE)[:, 3:], atol=1e-6)
    assert json.loads(json.loads(extra["metadata.json"])["labels"]) == NAMES


def test_weights_alone_are_loaded_into_the_same_committee(exported, three, hard_data):
    spec = DATASETS[SMALL]
    images = np.fromfile(spec.folder(hard_data) / spec.files["test"][0], np.uint8)[16:]
    images = images.reshape(-1, 28, 28)
    found = lit_mnist.load(exported / "safetensors" / f"{NAME}.safetensors").predict(images)
    expected = lit_mnist.load(three / COMMITTEE).predict(images)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_file_tells_nothing_of_the_machine(exported, kind):
    content = (exported / kind / f"{NAME}.{kind}").read_bytes()
    assert str(ROOT).encode() not in content
    assert str(exported.parent).encode() not in content


def test_metadata_and_what_the_temperature_is_for(exported, three, hard_data):
    import onnxruntime

    session = onnxruntime.InferenceSession(exported / "onnx" / f"{NAME}.onnx")
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["labels"]) == NAMES
    results = json.loads((three / COMMITTEE / "results.json").read_text())
    assert float(metadata["temperature"]) == results["calibration"]["temperature"] != 1
    assert metadata["weights_sha256"] == results["test_weights_sha256"]
    spec = DATASETS[SMALL]
    images, labels = (
        np.fromfile(spec.folder(hard_data) / name, np.uint8) for name in spec.files["test"]
    )
    (found,) = session.run(None, {"images": images[16:].reshape(-1, 28, 28)})
    powers = found.astype(float) ** (1 / float(metadata["temperature"]))
    scaled = powers / powers.sum(1, keepdims=True)
    nll = -np.log(scaled[np.arange(len(labels) - 8), labels[8:]]).mean()
    assert nll == pytest.approx(results["calibration"]["test_scaled"]["nll"], rel=1e-4)


def snippet(folder):
    """The Python code of the card there."""
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "MODEL_CARD.md").read_text(), re.S)
    return code


def test_the_snippet_of_the_onnx_card_needs_no_more_than_it_imports(exported):
    done = subprocess.run(
        [sys.executable, "-c", snippet(exported / "onnx")],
        cwd=exported / "onnx",
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(ast.literal_eval(done.stdout)) == 3
    assert done.stderr == ""


def test_a_flipped_bit_in_exported_weights_is_noticed(exported, tmp_path):
    """Which safetensors itself has no checksum against."""
    sound = (exported / "safetensors" / f"{NAME}.safetensors").read_bytes()
    flipped = tmp_path / "model.safetensors"
    flipped.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    with pytest.raises(UserError, match=r"model\.safetensors: missing, damaged or no export"):
        lit_mnist.load(flipped)


@pytest.mark.parametrize("kind", ["pt2", "safetensors"])
@pytest.mark.filterwarnings("error::UserWarning")
def test_the_cards_snippet_works(exported, kind, monkeypatch, capsys):
    """In this process, as others take seconds to import torch."""
    monkeypatch.chdir(exported / kind)
    exec(snippet(Path()), {"__name__": "__main__"})
    output, problems = capsys.readouterr()
    assert len(ast.literal_eval(output)) == 3
    assert problems == ""


def test_the_card_says_what_results_say(exported, three):
    card = (exported / "onnx" / "MODEL_CARD.md").read_text()
    results = json.loads((three / COMMITTEE / "results.json").read_text())
    _, head, body = card.split("---\n", 2)
    facts = yaml.safe_load(head)
    assert facts["license"] == "mit"
    assert facts["datasets"] == ["kmnist"]
    (model,) = facts["model-index"]
    assert model["name"] == "dense-committee_3"
    metrics = {one["type"]: one["value"] for one in model["results"][0]["metrics"]}
    assert metrics == {"accuracy": results["test_acc"], "loss": results["test_loss"]}
    low, high = results["test_acc_ci95"]
    assert f"| test | 101 | {results['test_acc']:.4f} | {low:.4f} to {high:.4f} |" in body
    assert "| test: dense/seed_43 alone | 101 |" in body
    assert "500 were trained on, as they are,\nand 100 held out" in body
    assert "| seeds | 42, 43, 44 |" in body
    before, after = (results["calibration"][key]["nll"] for key in ("test", "test_scaled"))
    assert f"| as they are | {before:.4g} |" in body
    assert f"| at the temperature | {after:.4g} |" in body
    picture = re.search(r"!\[.*\]\(<(.*)>\)", body)[1]
    beside, own = exported / "onnx" / picture, three / COMMITTEE / "misclassified.png"
    assert beside.read_bytes() == own.read_bytes()


def calibrated(run):
    write_json(run.file("results.json"), run.results() | {"calibration": CALIBRATION})
    return Facts.of(run, TrainedRun.read(run))


CALIBRATION = {
    "temperature": 1.25,
    "threshold": 0.875,
    "val_errors_allowed": 3,
    "abstention": [
        {
            "val_errors_allowed": 3,
            "threshold": 0.875,
            "val_coverage": 0.98,
            "val_answered": 98,
            "val_errors": 2,
            "test_coverage": 0.97,
            "test_errors": 1,
        }
    ],
    "test": {"nll": 0.2, "brier": 0.1, "ece": 0.03, "aurc": 0.01},
    "test_scaled": {"nll": 0.1, "brier": 0.1, "ece": 0.02, "aurc": 0.01},
}


def test_a_temperature_and_a_threshold_are_told_and_not_applied(trained):
    facts = calibrated(Run(MEMBER))
    metadata = facts.metadata("uint8")
    assert (metadata["temperature"], metadata["threshold"]) == ("1.25", "0.875")
    text = card_calibration.calibration(facts)
    assert "1.2500, is over 0.875 (2 errors among 98 validation images)" in text
    assert "| 3 | 0.875 | 98.00% | 97.00% | 1 |" in text
    assert "| at the temperature | 0.1 | 0.1 | 0.02 | 0.01 |" in text


def test_a_temperature_of_other_weights_is_not_told(trained):
    run = Run(MEMBER)
    run.best.write_bytes(Run(Path("tb_logs/dense/seed_43")).best.read_bytes())
    facts = calibrated(run)
    assert "no longer those" in facts.untested
    assert facts.metadata("uint8")["temperature"] == "1.0"
    assert "over 0.8 (a rule of thumb: test the run" in card_calibration.calibration(facts)


def test_the_recipe_has_every_option_of_the_network(trained):
    """One cycle of the rate was left out once."""
    run = Run(MEMBER)
    config = yaml.safe_load(run.file("config.yaml").read_text())
    config["model"]["init_args"] |= {"one_cycle": True, "compile": False}
    config["data"] |= {"augment": True, "elastic": 0.7}
    run.file("config.yaml").write_text(yaml.safe_dump(config))
    facts = Facts.of(run, TrainedRun.read(run))
    text = card_sections.recipe(facts)
    assert "| one_cycle | True |" in text
    assert "| compile |" not in text
    assert "and zoomed, elastic 0.7" in card_sections.data(facts, ValidationData(None, 5, 1))


def test_a_card_counts_the_images_that_validated_not_those_held_out(trained):
    """They are fewer under --trainer.limit_val_batches."""
    run = Run(MEMBER)
    facts = Facts.of(run, TrainedRun.read(run))
    for images in (int(facts.trained.scores[0]["images"]), 40):
        facts.trained.scores[0]["images"] = images
        assert f"| validation, which chose the epoch | {images} |" in card_sections.scores(facts, 5)


def test_the_best_validation_accuracy_is_not_that_of_other_weights(trained, capsys):
    run = Run(MEMBER)
    assert "validation" in card_sections.metrics(Facts.of(run, TrainedRun.read(run)))
    run.best.unlink()
    facts = Facts.of(run, TrainedRun.read(run))
    assert "validation" not in card_sections.metrics(facts)
    assert "validation, which chose" not in card_sections.scores(facts, 5)
    assert capsys.readouterr().err == f"{run.best}: was deleted or moved; taking {run.last}\n"


def test_the_card_imports_a_class_of_the_users_own(trained):
    facts = Facts.of(Run(MEMBER), TrainedRun.read(Run(MEMBER), [TinyModule]))
    text = card_sections.use(facts, "it.safetensors", "safetensors", "uint8")
    assert "\nfrom examples.my_net import TinyModule\n" in text
    assert 'load("it.safetensors", classes=[TinyModule])' in text


def test_a_run_of_floats(trained, capsys):
    import onnxruntime

    assert main(["export", str(MEMBER), "--input", "float32"]) == 0
    session = onnxruntime.InferenceSession(MEMBER / "model.onnx")
    images = np.random.default_rng(0).random((5, 28, 28), np.float32)
    (found,) = session.run(None, {"images": images})
    expected = lit_mnist.load(MEMBER).predict(images).probabilities
    np.testing.assert_allclose(found, expected, atol=1e-6)
    output, problems = capsys.readouterr()
    size = (MEMBER / "model.onnx").stat().st_size / 1e6
    told = f"{MEMBER}/model.onnx: 1 network, {size:.1f} MB; loaded and compared with"
    assert output.startswith(told)
    assert "100 validation images" in output
    assert problems == ""
