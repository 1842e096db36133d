"""Paths on the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import click
from click.shell_completion import CompletionItem


class PathArgument(click.ParamType):  # type: ignore[type-arg]  # no generic before click 8.4
    """A path that is taken as it is, once it has answered at all.

    Not `click.Path`, which stats it without a bound: on a mount whose daemon hangs that waits without end.
    """

    name = "path"

    def __init__(self, kind: Literal["file", "dir"], *, is_mount_point: bool = False) -> None:
        """A mount point itself is never looked at: commands that take one unmount it, or mount on it."""
        self._kind = kind
        self._is_mount_point = is_mount_point

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path; fail for one that is empty, or that no system call takes.

        Raises `MountPointError` for one that does not answer.
        """
        if "\0" in str(value):
            self.fail("a path has no NUL characters", param, ctx)
        if not str(value):
            self.fail("a path is not empty", param, ctx)
        path = Path(value)
        try:
            place = Path(os.path.abspath(path))  # noqa: PTH100
        except FileNotFoundError:
            self.fail("the working directory is gone: change to another one, or give the whole path", param, ctx)
        must_answer(place.parent if self._is_mount_point else path)
        return path

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Let the shell complete it."""
        return [CompletionItem(incomplete, type=self._kind)]


FILE = PathArgument("file")
DIRECTORY = PathArgument("dir")
MOUNT_POINT = PathArgument("dir", is_mount_point=True)


def must_answer(path: Path) -> None:
    """Raise `MountPointError` when a path lies on a file system that does not answer; one that is not there has answered."""
    from wheelfs.frontends.fuse.kernel.answers import refuse_silent

    refuse_silent(path)
