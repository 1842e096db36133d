"""What version specifiers mean beyond containing a version (PEP 440, 592)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet


def names_one_version(specifier: SpecifierSet) -> bool:
    """Return whether a range asks for one version alone, which makes yanked files of it welcome (PEP 592)."""
    return any(one.operator == "===" or (one.operator == "==" and "*" not in one.version) for one in specifier)
