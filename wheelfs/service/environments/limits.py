"""How long interpreters may take to be asked and to compile; every number with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentLimits:
    """Bounds of `wheelfs.service.environments`."""

    probe_s: float = 30.0
    """For an interpreter to say what it is: some 30 ms, seconds on a cold network drive."""

    venv_s: float = 120.0
    """For ``python -m venv`` without pip: some 50 ms, far longer on a cold network drive."""

    compile_s: float = 300.0
    """For a batch of modules to be compiled: some seconds, on a busy machine a minute."""

    compile_batch: int = 256
    """Modules that are compiled and written at a time: some megabytes."""

    piece_bytes: int = 1 << 20
    """What is read of a member and inflated at a time, to see that it is right."""

    source_bytes: int = 16 << 20
    """Larger modules are left without bytecode: none is known, and compiling takes forty times the size in memory."""


ENVIRONMENT_LIMITS: Final = EnvironmentLimits()
"""What a running wheelfs uses."""
