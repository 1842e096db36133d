"""What is no Python is told in its own words, without the question that it was asked."""

from __future__ import annotations

import pytest

from wheelfs.errors import InvalidInput
from wheelfs.service.environments.interpreter import find_interpreter


def test_the_question_is_not_shown() -> None:
    with pytest.raises(InvalidInput) as raised:
        find_interpreter("/bin/ls")
    assert raised.value.happened == "/bin/ls does not behave like Python: it is another program"


def test_what_is_no_program_is_told_without_the_number_of_the_error() -> None:
    with pytest.raises(InvalidInput) as raised:
        find_interpreter("/etc/passwd")
    assert raised.value.happened == "it cannot be run: Permission denied"
