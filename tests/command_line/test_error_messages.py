"""Errors of the parser on one line.

Whole reports of the parser are tried in test_cli_errors.
"""

import pytest

from lit_mnist.command_line.error_messages import condensed, parser_error
from lit_mnist.errors import UserError, one_line


@pytest.fixture(autouse=True)
def called(monkeypatch):
    """Sets the name of the installed program."""
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/lit-mnist"])


NESTED = """Parser key "model":
  Does not validate against any of the Union subtypes
  Subtypes: [<class 'lit_mnist.models.modules.ClassifierModule'>, <class 'NoneType'>]
  Errors:
    - Problem with given class_path 'lit_mnist.models.modules.DeepConvModule':
        Parser key "lr":
          Not of type PositiveFloat: could not convert string to float: 'abc'
    - Expected a <class 'NoneType'>
  Given value type: <class 'jsonargparse._util.NestedArg'>
  Given value: NestedArg(key='lr', val='abc')"""


def test_names_the_option_and_where_to_look():
    expected = "--model.lr: 'abc' is not a number; see lit-mnist fit --help"
    assert parser_error(NESTED, ["fit", "--model.lr", "abc"], []) == expected


def test_names_the_file_that_holds_the_option():
    line = parser_error(NESTED, ["fit", "--config", "a.yaml"], [])
    assert line.startswith("a.yaml: --model.lr: 'abc' is not a number")


def test_no_file_is_blamed_for_a_typed_option_without_value():
    report = "argument --trainer.max_time: expected one argument"
    line = parser_error(report, ["fit", "--config", "a.yaml", "--trainer.max_time", "-1"], [])
    assert line.startswith(
        "--trainer.max_time: give a value; join one that begins with a dash by ="
    )


CALLBACK = """Parser key "trainer.callbacks":
  Does not validate against any of the Union subtypes
  Errors:
    - Problem with given class_path 'lightning.pytorch.callbacks.Timer':
        Parser key "interval":
          Expected a <class 'int'>. Got value: four
    - Problem with given class_path 'lightning.Callback':
        Option 'interval' is not accepted
    - Expected a <class 'NoneType'>"""


def test_a_wrong_value_of_a_callback_s_option_does_not_deny_the_option():
    line = parser_error(CALLBACK, ["fit", "--trainer.callbacks.interval", "four"], ["lr"])
    assert line == "--trainer.callbacks.interval: expected int, got four; see lit-mnist fit --help"


def test_corrects_a_misspelt_word():
    report = "unrecognized arguments: --data.datset x"
    line = parser_error(report, ["fit", "--data.datset", "x"], ["--data.dataset", "--name"])
    assert line == "there is no option --data.datset x; did you mean --data.dataset?"


@pytest.mark.parametrize(
    ("typed", "full"),
    [
        ("--conf", "--config"),
        ("--trainer.max_ep", "--trainer.max_epochs"),
        ("--model", "--model.help"),  # not lr, which is no option without its group
    ],
)
def test_an_abbreviated_option_is_refused_with_its_full_name(typed, full):
    known = ["lr", "model_width", "--name", "--config", "--trainer.max_epochs", "--model.help"]
    line = parser_error(f"unrecognized arguments: {typed} x", ["fit", typed, "x"], known)
    assert line == f"there is no option {typed} x; did you mean {full}?"


def test_suggestions_for_a_model_argument_are_its_arguments():
    report = "Parser key \"model\":\n  Option 'l' is not accepted"
    line = parser_error(report, ["fit", "--model.l", "1"], ["lr", "plateau", "--log_dir"])
    assert line == "--model: there is no option l; did you mean lr?"


def test_an_unexpected_report_is_put_on_one_line():
    assert parser_error("Odd:\n  two\n  lines", ["fit"], []).count("\n") == 0


def test_messages_contain_no_control_characters():
    assert one_line(UserError("a\nb\x1b[2J ü \ud800")) == "a\\nb\\x1b[2J ü \\ud800"


def test_bounds_and_null_are_reported_in_plain_words():
    assert condensed("-1 does not conform to restriction v>=0 and v<4") == "-1 is not >=0 and <4"
    assert condensed("int() argument must be a string or a real number, not 'NoneType'") == (
        "expected an integer, not NoneType"
    )


@pytest.mark.parametrize(
    ("typed", "remedy"),
    [
        ("deep", "did you mean --config deep?"),
        ("model.lr=0.1", "did you mean --model.lr=0.1?"),
        ("nothing", "see lit-mnist fit --help"),
    ],
)
def test_a_word_without_its_option_is_explained(typed, remedy):
    line = parser_error(f"unrecognized arguments: {typed}", ["fit", typed], ["lr", "--config"])
    assert line == f"there is no option {typed}; {remedy}"


BASE = """Parser key "model":
  Errors:
    - Problem with given class_path 'lit_mnist.models.scoring.ScoredModule':
        Option 'lr' is not accepted"""


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (BASE, "no model is named"),
        ("argument --fresh: ignored explicit argument 'false'", "--fresh: takes no value"),
        ('Parser key "data":\nUnable to load config "a"\n', "--data: cannot read options from a;"),
    ],
)
def test_further_reports_are_put_in_plain_words(report, line):
    assert line in parser_error(report, ["fit", "--model.lr", "abc", "--fresh=false"], [])


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{class_path: torch.nn.Linear}", "expected a subclass of Callback, got torch.nn.Linear"),
        ("{class_path: no_such.Bar}", "No module named 'no_such'"),
        ("{init_args: {monitor: a}}", "class_path is missing; write class_path: NAME, and its"),
        ("{monitor: a}", "class_path is missing; write class_path: NAME, and its options below"),
    ],
)
@pytest.mark.parametrize("before", ["", "{class_path: EarlyStopping, init_args: {monitor: a}}, "])
def test_the_entry_of_a_list_that_is_wrong_is_named(run_cli, here, before, entry, said):
    (here / "list.yaml").write_text(f"trainer: {{callbacks: [{before}{entry}]}}\n")
    status, _, problems = run_cli("fit", "--config", "list.yaml")
    assert status == 2
    assert f"list.yaml: --trainer.callbacks: {said}" in problems
    assert "EarlyStopping" not in problems
    assert problems.count("\n") == 1


@pytest.mark.parametrize("option", ["callbacks", "logger", "strategy"])
def test_options_of_no_class_are_told_how_to_name_it(run_cli, here, option):
    (here / "none.yaml").write_text(f"trainer: {{{option}: {{init_args: {{save_dir: a}}}}}}\n")
    status, _, problems = run_cli("fit", "--config", "none.yaml")
    assert status == 2
    assert f"none.yaml: --trainer.{option}: class_path is missing; write" in problems


def test_a_typed_option_of_no_callback_is_told_how_to_name_it(run_cli):
    status, _, problems = run_cli("fit", "--trainer.callbacks.monitor=a")
    assert status == 2
    assert problems.startswith(
        "error: --trainer.callbacks: no class is named; name it first, as --"
    )
