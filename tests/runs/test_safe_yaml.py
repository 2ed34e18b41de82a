"""YAML that expands to more than its text suggests."""

import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonargparse import get_loader

from lit_mnist.runs import safe_yaml

LAUGHS = "a0: &a0 [lol, lol]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)
CHAIN = "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 50_000))
BAD = {
    "laughs": (LAUGHS, "aliases stand for"),
    "long text, copied": (
        f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 50)}]",
        "aliases stand for",
    ),
    "aliases a million deep": (CHAIN, "nested more than"),
    "lists": ("[" * 100 + "]" * 100, "nested more than"),
    "mappings": ("{a: " * 100 + "1" + "}" * 100, "nested more than"),
    "a million brackets": ("[" * 1_000_000, "nest"),
    "itself, a list": ("&a [*a]", "a contains itself"),
    "itself, a mapping": ("a: &b\n  c: *b\n", "b contains itself"),
    "no such anchor": ("a: *b", "undefined alias"),
    "the same key": ("a: 1\nb: {a: 1}\na: 2\n", "a is given twice"),
    "the same key within": ("b: {a: 1, a: 2}\n", "a is given twice"),
    "size": ("#" * (safe_yaml.MAX_CHARACTERS + 1), "characters"),
    "a call": ("!!python/object/apply:os.system ['true']", "could not determine a constructor"),
    "a list as a key": ("[a]: 1", "unhashable key"),
    "no date": ("2000-13-32", "no plain value"),
    "control characters": ("\0\1", "control characters"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_hostile_yaml_is_refused_at_once(text, message):
    began = time.process_time()
    with pytest.raises(yaml.YAMLError, match=message):
        safe_yaml.load(text)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {b: 1, c: [1, 2]}\nd: *x\n",
        "a: &x {b: 1}\nd: {<<: *x, c: 2}\n",
        "- {a: 1}\n- {a: 2}\n",
        "a: {a: {a: 1}}\n",
        "",
    ],
)
def test_valid_yaml_is_read(text):
    assert safe_yaml.load(text) == yaml.safe_load(text)


def test_a_long_list_of_images_is_read():
    assert safe_yaml.load(f"[{', '.join(['x'] * 30_000)}]") == ["x"] * 30_000


@settings(max_examples=100, deadline=None)
@given(st.text() | st.text("[]{}&*a:,- \n?!'\"", max_size=60))
def test_any_text_is_read_as_by_pyyaml_or_refused(text):
    try:
        read = safe_yaml.load(text)
    except yaml.YAMLError:
        return
    assert repr(read) == repr(yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


@pytest.mark.parametrize("allow_unicode", [True, False])
@pytest.mark.parametrize(
    "values",
    [
        {"b": None, "a": [True, 1, 0.001, 1e-07, float("inf")], "c": {"d": [], "e": {}}},
        {"schedule": {1: 2, 8: 4}, "deep": [[4], [8, [{"x": {"y": "z"}}]]]},
        {"quoted": ["1", "null", "yes", "", " a ", "a: b", "# a", "- a", "a\nb\n", "\t"]},
        {"long": "ein Wort " * 30, "letters": "é\u2028\x85💡", "path": "/data/\udcff"},
    ],
)
def test_values_are_written_as_by_pyyaml_and_read_again(values, allow_unicode):
    text = safe_yaml.dump(values, allow_unicode)
    assert text == yaml.safe_dump(values, sort_keys=False, allow_unicode=allow_unicode)
    if "path" not in values:  # which YAML cannot read
        assert safe_yaml.load_dumped(text) == values


@pytest.mark.parametrize("allow_unicode", [True, False])
def test_texts_that_only_one_reader_takes_for_numbers_are_read_as_texts_by_all(allow_unicode):
    safe_yaml.guard_parser()
    values = {"texts": ["1e-3", "1E5", "-.5e3", "+1.e+10", "1_0e5"]}
    values["numbers"] = [0.001, 1e-07, 1e300, -2.5, 7]
    text = safe_yaml.dump(values, allow_unicode)
    assert get_loader("yaml")(text) == safe_yaml.load_dumped(text) == values


def test_a_text_that_is_no_number_is_quoted_beside_a_path_that_is_no_utf_8():
    text = safe_yaml.dump({"path": "/data/\udcff", "name": "1e-3"})
    assert "name: '1e-3'" in text


def test_the_argument_parser_uses_the_safe_reader():
    safe_yaml.guard_parser()
    safe_yaml.guard_parser()
    read = get_loader("yaml")
    assert read("1e-3") == 0.001  # which PyYAML takes for a text, and jsonargparse does not
    with pytest.raises(yaml.YAMLError, match="stand for"):
        read(LAUGHS)
