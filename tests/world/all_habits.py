"""All habits, in the order in which their modules are named here."""

from __future__ import annotations

from typing import Final

# Importing a module registers its habits.
from tests.world import habits_changes as habits_changes
from tests.world import habits_encodings as habits_encodings
from tests.world import habits_files as habits_files
from tests.world import habits_hashes as habits_hashes
from tests.world import habits_html as habits_html
from tests.world import habits_json as habits_json
from tests.world import habits_login as habits_login
from tests.world import habits_metadata as habits_metadata
from tests.world import habits_names as habits_names
from tests.world import habits_odd as habits_odd
from tests.world import habits_pages as habits_pages
from tests.world import habits_products as habits_products
from tests.world import habits_ranges as habits_ranges
from tests.world import habits_redirects as habits_redirects
from tests.world import habits_several as habits_several
from tests.world import habits_wire as habits_wire
from tests.world import habits_words as habits_words
from tests.world.habits import REGISTRY, Habit

HABITS: Final[tuple[Habit, ...]] = tuple(REGISTRY.values())
