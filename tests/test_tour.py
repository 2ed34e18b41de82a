"""examples/tour.ipynb: what it keeps, and that its cells run, here on the small set."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import pytest

from tests.conftest import SMALL

NOTEBOOK = Path(__file__).parent.parent / "examples" / "tour.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]
OUTPUTS = [output for cell in CODE for output in cell["outputs"]]
# In place of the cell with the tag `parameters`
PARAMETERS = """
EPOCHS, MEMBERS = 1, 2
DATA = ["--data.data_dir", "{data}", "--data.dataset", "{dataset}", "--data.batch_size", "60"]
"""


def sources(data):
    """The code of each cell, for the small set."""
    small = PARAMETERS.format(data=data, dataset=SMALL)
    tags = [cell["metadata"].get("tags", []) for cell in CODE]
    assert sum("parameters" in each for each in tags) == 1
    return [
        small if "parameters" in each else "".join(cell["source"])
        for cell, each in zip(CODE, tags, strict=True)
    ]


def test_it_was_executed_from_top_to_bottom_without_an_error():
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
    assert not [output for output in OUTPUTS if output["output_type"] == "error"]
    assert not [output for output in OUTPUTS if output.get("name") == "stderr"]


def test_its_pictures_and_figures_are_kept():
    assert sum("image/png" in output.get("data", {}) for output in OUTPUTS) == 6
    text = "".join("".join(output.get("text", "")) for output in OUTPUTS)
    assert "50,000 to train on, first [11210, 17024, 43389," in text  # of real MNIST
    assert "10,000 to validate on, first [12628, 37730, 39991," in text
    assert text.count("test_acc") >= 5


def test_it_is_small_and_tells_nothing_of_the_machine():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 1_000_000
    visible = json.dumps([[cell["source"], cell["metadata"]] for cell in CELLS]) + json.dumps(
        [{key: value for key, value in one.items() if key != "data"} for one in OUTPUTS]
    )
    for place in ("/home/", "/tmp/", "/root", "/Users/", "/usr/", "/opt/", "site-packages", "C:\\"):
        assert place not in visible


def test_its_cells_run(small_data, here, in_process, no_pictures, monkeypatch):
    """In this process, as a kernel's start would take longer than all of them."""
    shown = []
    display = SimpleNamespace(
        Image=lambda filename, width: Path(filename).read_bytes(), display=shown.append
    )
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    matplotlib.use("agg")
    names = {}
    for source in sources(small_data):
        exec(compile(source, NOTEBOOK.name, "exec"), names)
    assert len(shown) == 3
    assert all(picture.startswith(b"\x89PNG") for picture in shown)
    tested = {path.parent for path in (here / "tb_logs" / "tour").glob("*/*/predictions.csv")}
    assert {path.name for path in tested} == {"seed_42", "seed_43", "committee_2"}
    assert len(tested) == 3 + 1 + 1


@pytest.mark.slow
def test_it_is_executed_by_a_kernel(small_data, here):
    """On the small set; needs nbclient and ipykernel, which no other test does."""
    pytest.importorskip("ipykernel")
    client = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(NOTEBOOK, 4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell, source in zip(cells, sources(small_data), strict=True):
        cell.source, cell.outputs = source, []
    resources = {"metadata": {"path": str(here)}}
    client.NotebookClient(notebook, timeout=600, resources=resources).execute()
    assert cells[-1].outputs[-1]["text"].count("votes")
