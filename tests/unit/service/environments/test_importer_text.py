"""The text of the importer is a part of every environment's digest."""

from __future__ import annotations

import hashlib

from wheelfs.model.environment import LAYOUT
from wheelfs.service.environments.importer_text import importer_text


def test_another_text_is_another_layout() -> None:
    # Machines of one cluster compare it where they share environments: where this fails, count LAYOUT up, and put both here.
    assert (LAYOUT, hashlib.sha256(importer_text()).hexdigest()[:16]) == (2, "ffdd23fb79b8afe9")
