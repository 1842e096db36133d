"""TOML that others wrote: read by the standard library, unless its keys are without end."""

from __future__ import annotations

import tomllib
from contextlib import suppress

import pytest

from tests.fakes.growth import grows_with_the_square
from wheelfs.core.resolve.toml import MAX_KEY_PARTS, loads

LONG = "a." * MAX_KEY_PARTS + "a"


@pytest.mark.parametrize(
    "text",
    [
        *(f"{LONG} = 1", f"[{LONG}]", f"[[{LONG}]]", f"x = {{{LONG} = 1}}", f"x = [{{{LONG} = 1}}]", f"x = 1\r\n{LONG} = 1"),
        '"a b".' * MAX_KEY_PARTS + "a = 1",
        "'a.b' . " * MAX_KEY_PARTS + "a = 1",
        f'"""\na"""\n{LONG} = 1',
        f"x = 'a'\n{LONG} = 1",
    ],
)
def test_a_key_without_end_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"more than {MAX_KEY_PARTS} parts"):
        loads(text)


@pytest.mark.parametrize(
    "text",
    [
        LONG.removeprefix("a.") + " = 1",
        f'x = "{LONG}"',
        f"x = '{LONG}'",
        f'x = """\n{LONG}\n""{LONG}"""""',
        f"x = '''\n{LONG} = 1\n''{LONG}'''",
        f'x = "\\"{LONG}"',
        f"# {LONG} = 1\nx = 1",
        "x = [" + "1.5, " * 2 * MAX_KEY_PARTS + "]",
        "a.b = 1.5\n" + "".join(f"b.c{number} = 1.5\n" for number in range(2 * MAX_KEY_PARTS)),
    ],
)
def test_dots_elsewhere_are_no_parts_of_keys(text: str) -> None:
    assert loads(text) == tomllib.loads(text)


@pytest.mark.parametrize(
    "text", ["x = ", 'x = "' + LONG, "x = '''" + LONG, 'x = """' + LONG, "x = " + "[" * 5_000, "x = " + "9" * 5_000]
)
def test_what_is_no_toml_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(text)


@pytest.mark.parametrize(
    "unit", ["a.", '"""', "'''", '"a', "'", '"\\', "#", "a.b=1\n", "[a.", "{a.", '"a".', "x=[", "''''", '"""a']
)
@pytest.mark.parametrize("begin", ["", "[", "x = ", 'x = "', "x = {a."])
def test_cost_grows_with_the_text_and_not_with_its_square(begin: str, unit: str) -> None:
    def read(size: int) -> None:
        with suppress(ValueError):
            loads(begin + unit * size)

    assert not grows_with_the_square(read, 10_000)
