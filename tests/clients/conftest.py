"""What tests of installers begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.namespaces import without_route

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def no_route() -> Iterator[None]:
    """Nothing but loopback exists, for the test and for all that it starts."""
    with without_route():
        yield
