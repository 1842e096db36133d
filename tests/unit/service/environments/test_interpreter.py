"""What is no Python is told in its own words, without the question that it was asked."""

from __future__ import annotations

import pytest

from wheelfs.errors import InvalidInput
from wheelfs.service.environments.interpreter import find_interpreter


def test_the_question_is_not_shown() -> None:
    with pytest.raises(InvalidInput) as raised:
        find_interpreter("/bin/ls")
    assert raised.value.happened == "/bin/ls does not behave like Python: it is another program"
