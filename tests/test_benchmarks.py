"""The benchmarks run and write what they promise; speed is not tested."""

import importlib
import itertools
import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import scipy.stats
import torch

from lit_mnist.machine.hardware import versions
from lit_mnist.models.nets import Dense, SimpleConv
from tests import warm
from tests.conftest import SMALL

FOLDER = Path(__file__).parent.parent / "benchmarks"
SCRIPTS = (
    *("epochs", "steps", "operators", "augmentation", "startup", "scaling", "variants", "gpu"),
    *("ladder", "budget", "audit", "fresh_digits", "cascade", "jobs", "by_hand", "kernels"),
    "barebones",
)
CALLED_BY_OTHERS = ("bare_loop", "torchvision_loop")


@pytest.fixture(autouse=True)
def path(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)


@pytest.fixture
def run(tmp_path):
    """Runs a script; returns (exit status, its JSON if it wrote one)."""

    def call(name, *options):
        output = tmp_path / "result.json"
        status = importlib.import_module(name).main([*options, "--output", str(output)])
        return status, json.loads(output.read_text()) if output.exists() else None

    return call


@pytest.fixture
def in_forks(monkeypatch, here):
    """Runs the benchmarks' child scripts in forks, to save startup time."""
    measuring = importlib.import_module("measuring")

    original = measuring.run_child

    def run_child(command, threads=None):
        script, *arguments = command[1:]
        if "fit" not in command and script == "cli.py":
            return original(command, threads)  # which imports next to nothing
        configs = {a: str(measuring.ROOT / a) for a in arguments if a.startswith("configs/")}
        began = time.perf_counter()
        if script == "-c":
            exec(*arguments)
            return measuring.Child(time.perf_counter() - began, 0.5, "")
        status, output, problems = warm.run(
            [str(measuring.ROOT / script), *(configs.get(a, a) for a in arguments)]
        )
        assert status == 0, problems
        return measuring.Child(time.perf_counter() - began, 0.5, output)

    monkeypatch.setattr(measuring, "run_child", run_child)


@pytest.fixture
def small(small_data):
    return ("--quick", "--data-dir", str(small_data), "--dataset", SMALL)


def check(result, name, n):
    """Checks facts and figures; returns the medians by name."""
    assert (result["benchmark"], result["options"]["quick"]) == (name, True)
    assert not [value for value in result["options"].values() if str(value).startswith("/")]
    assert result["versions"] == versions()
    assert result["cores"] >= 1
    assert result["load_before"] >= 0
    assert all(result[key] for key in ("hardware", "commit", "date"))
    for row in result["rows"]:
        assert row["n"] == len(row["values"]) == n, row
        assert 0 < row["min"] <= row["median"] <= row["max"], row
        assert "met" not in row  # no verdict on speed from a quick run
    return {row["what"]: row["median"] for row in result["rows"]}


@pytest.mark.parametrize("name", [*SCRIPTS, *CALLED_BY_OTHERS])
def test_help_shows_how_to_run_the_benchmark(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(name).main()
    assert ended.value.code == 0
    assert f"python benchmarks/{name}.py" in capsys.readouterr().out


def test_epochs(run, small, capsys, in_forks):
    status, result = run("epochs", *small, "--workloads", "simple_augmented", "--steps", "2")
    assert status == 0
    medians = check(result, "epochs", n=1)
    seconds = medians["simple_augmented: fit"], medians["simple_augmented: bare"]
    assert medians["simple_augmented: fit / bare"] == pytest.approx(seconds[0] / seconds[1])
    usual = "simple_augmented: torchvision, scaled from 2 steps"
    ratio = medians["simple_augmented: torchvision / fit"]
    assert ratio == pytest.approx(medians[usual] / seconds[0])
    settings = importlib.import_module("settings").as_fit_does()
    assert result["rows"][0]["precision"].startswith("bf16") == settings.bf16
    assert medians["simple_augmented: fit, peak"] == 0.5  # GiB
    assert usual in capsys.readouterr().out


def test_a_budget_adds_up_to_the_epoch():
    budget = importlib.import_module("budget")
    least = {"convolutions": 3.0, "matrix products": 1.0, "validation": 0.5}
    profile = {"validation": 1.0, "checkpoints": 0.5, "logging": 0.25}
    parts = budget.split(least, {"bare": 6.0}, {"fit": 9.25}, profile)
    assert list(parts) == list(budget.PARTS)
    assert parts["other operators"] == 2  # what the bare loop's training takes beyond the limit
    assert sum(parts.values()) == 10
    assert parts[budget.REST] == 2.25


def test_the_budget_tells_saving_from_logging_in_what_is_behind_an_epoch():
    budget = importlib.import_module("budget")
    behind = {"lit_mnist.best": "3.0", "lit_mnist.last": "1.0"}
    totals = {f"[Callback]{name}.on_train_epoch_end": value for name, value in behind.items()}
    totals |= {"save_checkpoint": "2.5", "[_EvaluationLoop].val_next": "0.5", "run": "99"}
    totals["[Strategy]SingleDeviceStrategy.validation_step"] = "4.0"
    expected = {"validation": 2.25, "checkpoints": 1.25, "logging": 0.75}
    assert budget.by_part(totals, epochs=2) == expected
    del totals["[Callback]lit_mnist.last.on_train_epoch_end"]  # called otherwise, or no longer
    with pytest.raises(KeyError, match="last"):
        budget.by_part(totals, epochs=2)


def test_the_budget_s_epoch_is_not_that_under_the_profiler(run, small, in_forks, monkeypatch):
    measuring = importlib.import_module("measuring")
    original, seconds = measuring.fit, {}

    def fit(options, workload, *arguments, **more):
        done = original(options, workload, *arguments, **more)
        seconds["--trainer.profiler" in arguments] = done.epoch_s
        return done

    monkeypatch.setattr(measuring, "fit", fit)
    status, result = run("budget", *small)
    assert status == 0
    medians = {row["what"]: row["median"] for row in result["rows"]}
    whole = medians["dense: an epoch"]
    behind = [medians[f"dense: {part}"] for part in ("checkpoints", "logging")]
    assert min(behind) > 0
    assert seconds[False] != seconds[True]
    assert whole - sum(behind) == pytest.approx(seconds[False], abs=1e-9)
    fraction = medians["dense: its limit, with validation's"] / whole
    assert medians["dense: fraction of the limit"] == pytest.approx(fraction)


def test_the_budget_chart_shows_its_parts_and_the_limit():
    budget, pictures = map(importlib.import_module, ("budget", "pictures"))
    seconds = {part: place - 1.0 for place, part in enumerate(budget.PARTS)} | {pictures.LIMIT: 9.0}
    rows = [
        {"what": f"{name}: {part}", "median": value}
        for name in ("dense", "deep")
        for part, value in seconds.items()
    ]
    panels = pictures.budget(rows, budget.PARTS).axes
    assert [axes.get_title("left") for axes in panels] == ["dense", "deep"]
    # the first lies below 0 by noise
    assert [bar.get_width() for bar in panels[0].patches] == [0, 0, 1, 2, 3, 4, 5]
    assert [bar.get_x() for bar in panels[0].patches] == [0, 0, 0, 1, 3, 6, 10]
    assert panels[0].lines[0].get_xdata()[0] == 9


def test_the_budget_s_limit_has_every_product_of_a_step():
    limit, settings = map(importlib.import_module, ("budget_limit", "settings"))
    found = limit.works(SimpleConv(), torch.rand(4, 1, 28, 28), settings.as_fit_does())
    # two convolutions: the first one's input needs no gradient; two linear layers, three each
    assert {part: len(works) for part, works in found.items()} == {
        "convolutions": 5,
        "matrix products": 6,
    }


def test_jobs_reports_the_speed_up_of_parallel_members(run, small, monkeypatch):
    jobs = importlib.import_module("jobs")
    calls = []

    def run_child(command, threads=None):
        given = dict(itertools.pairwise(command))
        calls.append((given["--jobs"], given["--members"], threads))
        return jobs.measuring.Child({"1": 12.0, "2": 10.0}[given["--jobs"]], 0.5, "")

    monkeypatch.setattr(jobs.measuring, "run_child", run_child)
    status, result = run("jobs", *small, "--cores", "2", "--members", "4")
    assert status == 0
    assert calls == [("1", "4", 2), ("2", "4", 2)]
    assert check(result, "jobs", n=1)["dense: one after the other / at once"] == 1.2


def test_a_step_by_hand_is_that_of_autograd():
    by_hand = importlib.import_module("by_hand")
    torch.manual_seed(0)
    net = Dense()
    adam = by_hand.Adam([torch.nn.Parameter(weight.clone()) for weight in net.parameters()])
    optimizer = torch.optim.Adam(net.parameters(), eps=1e-7)
    images, labels = torch.rand(8, 1, 28, 28), torch.arange(8)
    masks = [torch.rand(8, layer.in_features).gt(0.2) / 0.8 for layer in (net[4], net[7])]
    net[3].forward, net[6].forward = (lambda x, kept=kept: x * kept for kept in masks)
    for step in range(3):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(images), labels).backward()
        optimizer.step()
        by_hand.step(images, labels, masks, adam)
        if step == 0:  # Adam would hide a wrong factor
            for mine, weight in zip(adam.gradient_views, net.parameters(), strict=True):
                torch.testing.assert_close(mine, weight.grad, atol=1e-6, rtol=1e-4)
    for mine, its in zip(adam.weights, net.parameters(), strict=True):
        # a step is 1e-3; Adam divides gradients near 0, and their rounding, by their own size
        torch.testing.assert_close(mine, its.detach(), atol=1e-4, rtol=0)


def test_by_hand(run, small):
    status, result = run("by_hand", *small)
    assert status == 0
    medians = check(result, "by_hand", n=1)
    assert medians["fraction of the limit"] == medians["limit"] / medians["by hand"]


def test_the_kernels_are_all_operators_of_a_step_without_its_views():
    recorded, a, w = importlib.import_module("kernels").recorded, torch.rand(4, 3), torch.rand(5, 3)
    w.requires_grad_()
    calls = recorded(lambda: torch.relu(a @ w.T).sum().backward())
    names = [call.func.name() for call in calls]
    assert names == [
        *("aten::mm", "aten::relu", "aten::sum", "aten::ones_like"),
        *("aten::threshold_backward", "aten::mm"),
    ]
    with torch.no_grad():
        assert torch.equal(calls[0](), a @ w.T)


@pytest.mark.parametrize(
    ("name", "ratio"), [("kernels", "kernels / fit"), ("barebones", "fit / barebones")]
)
def test_kernels_and_lightning_alone(name, ratio, run, small, in_forks):
    status, result = run(name, *small, "--workloads", "simple_augmented")
    assert status == 0
    medians = check(result, name, n=1)
    of, to = (medians[f"simple_augmented: {one}"] for one in ratio.split(" / "))
    assert medians[f"simple_augmented: {ratio}"] == pytest.approx(of / to)


def test_steps(run):
    status, result = run("steps", "--quick", "--nets", "dense", "simple")
    assert status == 0
    medians = check(result, "steps", n=2)
    assert len(medians) == 2 * (5 + 4)
    assert sum(row.get("by_fit", False) for row in result["rows"]) == 2


def test_operators(run):
    status, result = run("operators", "--quick", "--nets", "deep")
    assert status == 0
    medians = check(result, "operators", n=2)
    for way in ("plain", "fit"):
        parts = [ms for what, ms in medians.items() if what.startswith(f"deep, {way}: ")]
        assert len(parts) >= 8
        for row in range(2):
            whole, *rest = (
                each["values"][row] for each in result["rows"] if f"deep, {way}: " in each["what"]
            )
            assert sum(rest) == pytest.approx(whole)


def test_the_plain_net_has_the_layers_of_a_straight_port():
    operators, nets = importlib.import_module("operators"), importlib.import_module("steps").NETS
    kinds = [type(layer).__name__ for layer in operators.plain(nets["simple"]())]
    assert kinds[:5] == ["Conv2d", "ReLU", "Conv2d", "ReLU", "MaxPool2d"]
    assert torch.nn.Dropout in map(type, operators.plain(nets["simple"]()))


def test_convolutions(run):
    status, result = run("convolutions", "--quick")
    assert status == 0
    assert len(check(result, "convolutions", n=1)) == 3 * 5 + 2


def test_members(run):
    status, result = run("members", "--quick")
    assert status == 0
    assert len(check(result, "members", n=2)) == 3 * 3


def test_augmentation(run):
    threads = torch.get_num_threads()
    status, result = run("augmentation", "--quick")
    assert status == 0
    medians = check(result, "augmentation", n=2)
    assert medians["simple: augmentation's share"] < 1
    assert len([what for what in medians if what.startswith("batches of 86 / v2")]) == 2
    assert torch.get_num_threads() == threads


def test_startup(run, small, in_forks):
    status, result = run("startup", *small)
    assert status == 0
    medians = check(result, "startup", n=1)
    assert set(medians) == {
        *("python -c pass", "import torch", "import lightning.pytorch", "import lit_mnist"),
        *("cli.py --help", "cli.py --version", "fit, one step"),
    }


def test_scaling(run, small, in_forks):
    status, result = run("scaling", *small, "--config", "dense")
    assert status == 0
    assert set(check(result, "scaling", n=1)) == {
        *("epoch of 1x1 threads", "epoch of 2x1 threads", "speed-up of 2x1 over 1x1"),
        *("200 images: a step", "a step: 200 / 200 images"),
    }


def made_up(*seconds, accuracy=0.5):
    """A fake result of `measuring.fit`: one epoch for each of `seconds`."""
    measuring = importlib.import_module("measuring")
    rows = [{"seconds": s, "val_acc": accuracy + i / 100} for i, s in enumerate(seconds)]
    output = 'starting\n{"steps_without_sync": 6, "peak_gib": 0.5}\nnext: …\n'
    return measuring.Fit(rows, {}, measuring.Child(100.0, 1.0, output))


def test_scaling_divides_an_epoch_by_its_steps(run, small, monkeypatch):
    measuring = importlib.import_module("measuring")
    monkeypatch.setattr(measuring, "fit", lambda *_, **__: made_up(9, 12))
    _, result = run("scaling", *small, "--parts", "batches", "--batch-sizes", "200", "86")
    medians = check(result, "scaling", n=1)
    assert medians["batch 200: a step"] == pytest.approx(12_000 / 3)  # 500 images to train on
    assert medians["batch 200: throughput"] == pytest.approx(500 / 12)
    assert medians["batch 86: a step"] == pytest.approx(12_000 / 6)


def test_variants_compare_means_over_seeds(run, small, monkeypatch):
    measuring = importlib.import_module("measuring")
    losses = {"bf16-mixed": [0.9, 0.1, 0.2, 0.3], "32-true": [0.9, 0.3, 0.2, 0.4]}

    def trained(_, config, *more, **__):
        seed, precision = int(more[1]), more[3]
        rows = [{"val_loss": loss + (seed - 42) * 0.1} for loss in losses[precision]]
        return made_up()._replace(rows=rows)

    monkeypatch.setattr(measuring, "fit", trained)
    status, result = run("variants", *small, "--seeds", "3", "--epochs", "4")
    assert status == 0
    values = {row["what"]: row["values"] for row in result["rows"]}
    name = "simple_plateau, 4 epochs: validation loss,"
    assert values[f"{name} bf16-mixed"] == pytest.approx([0.2, 0.3, 0.4])
    assert values[f"{name} 32-true"] == pytest.approx([0.3, 0.4, 0.5])
    welch = scipy.stats.ttest_ind(*list(values.values())[:2], equal_var=False)
    (errors,) = values["simple_plateau: the means differ by this many standard errors"]
    assert errors == pytest.approx(-welch.statistic)


def test_variants_use_the_first_epochs_of_existing_runs(tmp_path):
    variants = importlib.import_module("variants")
    folder = tmp_path / "seed_42"
    folder.mkdir()
    (folder / "config.yaml").write_text("data:\n  interpolation: nearest\n")
    (folder / "metrics.csv").write_text("epoch,val_loss\n0,0.5\n1,0.25\n2,0.125\n")
    given = {"runs": ["nowhere", str(tmp_path)], "epochs": 2, "option": "data.interpolation"}
    options = SimpleNamespace(**given)
    assert variants.finished(options, "nearest", 42) == [0.5, 0.25]
    assert variants.finished(options, "bilinear", 42) is None
    assert variants.finished(options, "nearest", 43) is None
    for change in ({"runs": []}, {"epochs": 4}, {"option": "trainer.precision"}):
        assert variants.finished(SimpleNamespace(**given | change), "nearest", 42) is None


def test_gpu_refuses_without_cuda(run, small, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert run("gpu", *small) == (2, None)
    output, problems = capsys.readouterr()
    assert output == ""
    assert problems.count("\n") == 1
    assert "no CUDA device" in problems


def test_gpu_reports_members_and_committee(run, small, monkeypatch):
    measuring = importlib.import_module("measuring")
    monkeypatch.setattr(measuring, "fit", lambda *_, **__: made_up(3, 2, 2, accuracy=0.98))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a device")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setenv("PYTHONPATH", "")  # which the script sets for its children
    status, result = run("gpu", *small, "--members", "3")
    assert status == 0
    assert (result["hardware"], result["precision"]) == ("a device", "bf16-mixed")
    medians = {row["what"]: (row["n"], row["median"]) for row in result["rows"]}
    assert medians["3 members in sequence"] == (1, 300)
    assert medians["training until 99 % validation accuracy"] == (3, 5)
    assert medians["steps that made nobody wait"] == (1, 6)


def test_the_probe_guards_all_but_the_first_and_last_step(run_cli, monkeypatch):
    modes = []
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", modes.append)
    status, output, _ = run_cli("fit", "--trainer.callbacks+=gpu_probe.Probe")
    assert status == 0
    assert modes == ["default", *["error"] * 7, "default"] * 2
    line = next(line for line in output.splitlines() if line.startswith("{"))
    assert json.loads(line)["steps_without_sync"] == 2 * (9 - 2)  # 500 images, 60 a step


def test_contenders_alternate_and_ratios_are_pairwise(tmp_path):
    measuring, report = map(importlib.import_module, ("measuring", "report"))
    order = []
    ways = {name: (lambda name=name: order.append(name) or len(order)) for name in "ab"}
    assert measuring.alternate(ways, 3) == {"a": [1, 3, 5], "b": [2, 4, 6]}
    assert order == list("ababab")
    options = SimpleNamespace(output=tmp_path / "x.json", quick=False)
    paper = report.Report("x", options)
    paper.ratio("a / b", [10, 1, 9], [1, 1, 3], (">=", 3))
    paper.ratio("b / a", [1, 1, 3], [10, 1, 9], (">=", 3))
    assert [row["values"] for row in paper.rows] == [[10, 1, 3], [0.1, 1, 1 / 3]]
    assert [(row["median"], row["met"]) for row in paper.rows] == [(3, True), (1 / 3, False)]


def test_a_child_has_its_threads_output_and_peak_memory():
    measuring = importlib.import_module("measuring")
    code = "import os; bytearray(2**28); print(os.environ['OMP_NUM_THREADS'], os.getcwd())"
    child = measuring.run_child([sys.executable, "-c", code], threads=3)
    assert child.output == f"3 {measuring.ROOT}\n"
    assert 0.25 < child.peak_gib < 0.35
    assert child.seconds > 0


def test_a_child_s_memory_excludes_its_parent_s():
    measuring = importlib.import_module("measuring")
    large = bytearray(os.urandom(1)) * 2**28  # written to, so that it is resident
    assert measuring.run_child([sys.executable, "-c", "pass"]).peak_gib < 0.1
    assert len(large) == 2**28


def test_a_failing_child_s_output_is_shown():
    measuring = importlib.import_module("measuring")
    with pytest.raises(SystemExit, match=r"no-such-command: exit 2\nerror: no-such-command"):
        measuring.run_child([sys.executable, "cli.py", "no-such-command"])


def test_the_tables_show_the_results():
    table = importlib.import_module("table")
    for file, name, body in table.bodies(FOLDER / "results"):
        text = (FOLDER / file).read_text()
        assert body in text
        assert table.filled(text, name, body) == text


def result_of(benchmark, *rows):
    facts = {
        "benchmark": benchmark,
        "hardware": "h",
        "cores": 2,
        "precision": "32-true",
        "commit": "c",
        "date": "2026-01-02T",
    }
    used = {"torch": "2", "lightning": "3"}
    return facts | {"versions": used, "options": {"quick": False}, "rows": rows}


def test_the_table_marks_met_targets(tmp_path):
    table = importlib.import_module("table")
    row = {"what": "x / y", "unit": "ratio", "n": 3, "median": 1.234, "min": 1, "max": 2000.4}
    row |= {"target": ">= 2", "met": False}
    (tmp_path / "b.json").write_text(json.dumps(result_of("b", row)))
    body = next(body for file, _, body in table.bodies(tmp_path) if file == "figures.md")
    filled = table.filled("a\n<!-- table -->\nold\n<!-- end of table -->\nz\n", "table", body)
    assert "| x / y | 3 | 1.23 | 1 to 2000 | >= 2, **missed** |" in filled
    assert "old" not in filled
    assert filled.startswith("a\n")
    assert filled.endswith("\nz\n")


def test_the_summary_has_one_line_per_system():
    table = importlib.import_module("table")
    row = {"n": 5, "median": 1.94, "min": 1.5, "max": 2.6}
    seconds = row | {"what": "dense: fit", "unit": "s"}
    ratio = row | {"what": "dense: keras / fit", "unit": "ratio", "target": ">= 2", "met": False}
    fraction = row | {"what": "dense: fraction of the limit", "unit": "ratio"}
    results = [result_of("budget", fraction), result_of("epochs", seconds, ratio)]
    results += [result_of("steps", seconds)]
    assert table.summary(results).splitlines()[2:] == [
        "| dense | 5 | 1.94 s (1.5 to 2.6) | 1.94 (1.5 to 2.6); missed >= 2 |  |  "
        "| 1.94 (1.5 to 2.6) | c |",
        "",
        "h, 2 cores, 32-true; torch 2, lightning 3; commit c, 2026-01-02",
    ]


def bars(axes):
    """Returns the lengths of the bars by position; adjacent bars are added up."""
    names, lengths = [label.get_text() for label in axes.get_yticklabels()], {}
    for bar in axes.patches:
        name = names[round(bar.get_y() + bar.get_height() / 2)]
        lengths[name] = lengths.get(name, 0) + bar.get_width()
    return lengths


def test_the_pictures_show_the_medians():
    pictures = importlib.import_module("pictures")
    row = {"unit": "s", "min": 1.0, "max": 5.0}
    whats = {"dense: fit": 2.0, "dense: keras, scaled from 9 steps": 4.0, "deep: fit": 3.0}
    rows = [row | {"what": what, "median": median} for what, median in whats.items()]
    rows.append({"what": "dense: keras / fit", "unit": "ratio", "median": 2.0})
    facts = {"hardware": "h", "versions": {"torch": "2"}}
    dense, deep = pictures.epochs(facts | {"rows": rows}).axes
    assert (dense.get_title("left"), bars(dense)) == ("dense", {"fit": 2.0, "keras": 4.0})
    assert (deep.get_title("left"), bars(deep)) == ("deep", {"fit": 3.0})
    assert [text.get_text() for text in dense.texts] == ["2 s", "4 s"]


def test_the_profile_adds_up_to_the_step():
    pictures = importlib.import_module("pictures")
    parts = {"pooling": 1.0, "the rest": 2.5}
    rows = [
        {"what": f"dense, {way}: {part}", "median": share * ms}
        for way, share in (("plain", 2), ("fit", 1))
        for part, ms in (parts | {"a step": 3.6}).items()
    ]
    (axes,) = pictures.profile({"hardware": "h", "versions": {"torch": "2"}, "rows": rows}).axes
    assert bars(axes) == pytest.approx({"plain": 7.0, "fit": 3.5})
    assert [text.get_text().strip() for text in axes.texts] == ["7 ms", "3.5 ms"]
