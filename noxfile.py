"""For those who prefer nox: the parts of scripts/test, each in an environment of its own (needs libfuse3's headers)."""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "venv"


def _install(session: nox.Session) -> None:
    session.install("-c", "constraints.txt", "-e", ".[dev]")


@nox.session
def lint(session: nox.Session) -> None:
    """Style and layers."""
    _install(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict."""
    _install(session)
    session.run("mypy")


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def tests(session: nox.Session) -> None:
    """pytest; arguments behind ``--`` go to it."""
    _install(session)
    session.run("pytest", *session.posargs)
