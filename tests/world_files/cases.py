"""All rows of the table."""

from __future__ import annotations

from typing import Final

from tests.world_files.cases_locks import LOCK_FILES
from tests.world_files.cases_requirements import REQUIREMENTS

CASES: Final = [*REQUIREMENTS, *LOCK_FILES]
QUICK: Final = [case for case in CASES if case.quick]
