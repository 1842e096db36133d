"""Paths on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click
from click.shell_completion import CompletionItem


class PathArgument(click.ParamType):  # type: ignore[type-arg]  # no generic before click 8.4
    """A path that is taken as it is: `click.Path` would stat it, and a mount point whose daemon hangs answers no stat."""

    name = "path"

    def __init__(self, kind: Literal["file", "dir"]) -> None:
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path; fail for one that no system call takes."""
        if "\0" in str(value):
            self.fail("a path has no NUL characters", param, ctx)
        return Path(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Let the shell complete it."""
        return [CompletionItem(incomplete, type=self._kind)]


FILE = PathArgument("file")
DIRECTORY = PathArgument("dir")
