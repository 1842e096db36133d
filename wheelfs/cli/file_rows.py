"""Files in a table: for ``ls`` and ``show``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wheelfs.core.formatting import size_text

if TYPE_CHECKING:
    from wheelfs.reports.files import ListedFile

FILE_COLUMNS: Final = ("project", "version", "state", "size", "origin", "filename")


def file_row(file: ListedFile) -> tuple[str, ...]:
    """Return the cells of `FILE_COLUMNS`."""
    kinds = {"pinned": file.pinned, "private": file.private, "repacked": file.repacked}
    marks = "".join(f" ({kind})" for kind, is_so in kinds.items() if is_so)
    origins = ", ".join((file.origin or "-", *file.also))
    return (file.project, file.version or "-", file.state, size_text(file.size_bytes), origins, file.filename + marks)
