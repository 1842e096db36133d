"""A ``keyring`` command that knows one password, and notes what it was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class FakeKeyring:
    """Put `directory` in front of PATH; `password` may be changed, None: it has none."""

    def __init__(self, directory: Path, password: str | None) -> None:
        self.directory = directory
        directory.mkdir()
        self._asked = directory / "asked"
        self._password = directory / "password"
        self.password = password
        command = directory / "keyring"
        command.write_text(
            f'#!/bin/sh\necho "$*" >>{self._asked}\n[ "$1" = get ] && [ "$3" = me ] && [ -s {self._password} ] || exit 1\n'
            f"cat {self._password}\n"
        )
        command.chmod(0o755)

    @property
    def asked(self) -> list[str]:
        """The arguments of each call so far."""
        return self._asked.read_text().splitlines() if self._asked.exists() else []

    @property
    def password(self) -> str | None:
        """What it answers for the user ``me``."""
        return self._password.read_text().removesuffix("\n") or None

    @password.setter
    def password(self, password: str | None) -> None:
        self._password.write_text("" if password is None else f"{password}\n")
