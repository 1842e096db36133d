"""What every soak stands on: an empty directory; of that, its processes and its mounts nothing is left, however the soak ends."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fakes.leftovers import Sweeper
from tests.fakes.processes import end_fork_server, fork_from_now_on

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Place:
    """Where a soak works, and whether it was interrupted there."""

    where: Path
    interrupted: bool = False


@contextmanager
def swept(name: str) -> Iterator[Place]:
    """Yield an empty directory; Ctrl-C and SIGTERM end the block, not the program, which says what it has counted so far."""
    # A shell that is no person's has its background jobs ignore Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    directory = Path(tempfile.mkdtemp(prefix=f"wheelfs-{name}-"))
    place, scratch = Place(directory / "ground"), directory / "scratch"
    place.where.mkdir()
    scratch.mkdir()
    sweeper = Sweeper(directory, scratch)
    os.environ["TMPDIR"] = str(scratch)
    tempfile.tempdir = None  # it is looked up again
    fork_from_now_on()
    try:
        yield place
    except KeyboardInterrupt:
        place.interrupted = True
        print("interrupted", file=sys.stderr)
    finally:
        end_fork_server()
        sweeper.sweep(keep_directory=False)
