"""The parser's reports on one line; whole reports are tried in test_cli."""

from lit_mnist.commands.messages import one_line

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
    expected = "--model.lr: 'abc' is no number; see python cli.py fit --help"
    assert one_line(NESTED, ["fit", "--model.lr", "abc"], []) == expected


def test_names_the_file_that_the_option_stands_in():
    line = one_line(NESTED, ["fit", "--config", "a.yaml"], [])
    assert line.startswith("a.yaml: --model.lr: 'abc' is no number")


def test_corrects_a_misspelt_word():
    report = "unrecognized arguments: --data.datset x"
    line = one_line(report, ["fit", "--data.datset", "x"], ["data.dataset", "name"])
    assert line == "there is no option --data.datset x; did you mean data.dataset?"


def test_a_report_that_nobody_foresaw_still_comes_on_one_line():
    assert one_line("Odd:\n  two\n  lines", ["fit"], []).count("\n") == 0
