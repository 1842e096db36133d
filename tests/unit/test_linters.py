"""Every linter is content (only with ``--lint``, as scripts/test runs it)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.linters import COMMANDS

if TYPE_CHECKING:
    from tests.linters import Linters


@pytest.mark.parametrize("name", COMMANDS)
def test_the_linter_is_content(name: str, linters: Linters) -> None:
    complaint = linters.complaint(name)
    if complaint is not None:
        pytest.fail(f"{name}:\n{complaint}", pytrace=False)
