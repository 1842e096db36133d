"""The page that says what to do has every errno and every class of error that a user can meet."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING

from tests.unit.test_documents import ROOT
from tests.unit.test_project_rules import error_classes
from wheelfs.errors import WheelfsError
from wheelfs.frontends.fuse.operations.errnos import ERRNO_OF_CLASS

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "guide" / "troubleshooting.md").read_text()
ERRNOS, _, COMMANDS = PAGE.partition("## When a command fails")


def test_every_errno_of_the_mount_is_there() -> None:
    shown = set(re.findall(r"\bE[A-Z0-9]+\b", ERRNOS))
    assert {errno.errorcode[number] for number in ERRNO_OF_CLASS.values()} <= shown
    raised = re.findall(r"FUSEError\(errno\.(E[A-Z0-9]+)\)", "".join(path.read_text() for path in operations()))
    assert set(raised) - {"ENOSYS"} <= shown


def operations() -> list[Path]:
    return sorted((ROOT / "wheelfs" / "frontends" / "fuse" / "operations").glob("*.py"))


def test_every_class_of_error_is_there_with_what_to_do() -> None:
    rows = {
        name: row for row in COMMANDS.splitlines() if row.startswith("| `") for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    ours = {one.__name__ for one in error_classes() if one.__module__ == WheelfsError.__module__} - {"WheelfsError"}
    assert set(rows) == ours
    assert all(len(row.split("|")[3].strip()) > 5 for row in rows.values())
