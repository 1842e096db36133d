"""What to do next: for a call without a command, and for commands that only other programs have."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wheelfs.cli.client_lines import USUAL_MOUNT, mount_lines
from wheelfs.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelfs.config import Settings

POINTERS: Final = {
    "delete": "wheelfs rm NAME removes stored files",
    "download": "wheelfs fetch NAME brings files into the store",
    "help": "wheelfs --help lists the commands, wheelfs COMMAND --help explains one",
    "install": "pip and uv install, through a mount or by wheelfs run: wheelfs alone shows how to begin",
    "list": "wheelfs ls lists stored files",
    "remove": "wheelfs rm NAME removes stored files",
    "search": "indexes cannot be searched: wheelfs ls 'PATTERN*' searches what is stored, wheelfs show NAME says what is known",
    "uninstall": "pip and uv uninstall; wheelfs rm NAME removes stored files",
    "unmount": "it is wheelfs umount DIR, as for umount(8)",
    "version": "it is wheelfs --version",
}
"""What is meant by commands that other programs have, by name."""

_ASK_S: Final = 1.0


def next_steps(mount: Path | None, store: Path) -> list[str]:
    """Return the lines that ``wheelfs`` alone prints: what to do with a ``mount`` that is running, or where there is none."""
    if mount is None:
        state = f"nothing is mounted from {store}"
        steps = {
            f"wheelfs mount {USUAL_MOUNT}": "mount the wheels of your indexes, and print the lines for pip and uv",
            "wheelfs run -- uv sync": "run one command through the store, without a mount",
            "wheelfs add DIR": "store the wheels of a directory",
            "wheelfs doctor": "say whether this machine is set up for all that",
            "wheelfs --help": "list all commands",
        }
    else:
        state = f"mounted at {mount}"
        lines = mount_lines(mount)
        steps = {
            lines["pip"]: "install through it",
            lines["uv pip"]: "the same with uv",
            "wheelfs status": "show how the mount and the indexes are",
            "wheelfs ls": "list what is stored",
            "wheelfs --help": "list all commands",
        }
    width = max(len(step) for step in steps)
    return [state, *(f"  {step:<{width}}  {meaning}" for step, meaning in steps.items())]


def running_mount(settings: Settings) -> Path | None:
    """Return where the store is mounted now."""
    return next((Path(mount["path"]) for mount in running_mounts(settings)), None)


def running_mounts(settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield what each mount of the store says of itself: fields of `wheelfs.reports.status.MountInfo`, an older one fewer."""
    from wheelfs.service.process.control_client import Answered, ask_all

    with suppress(StoreError):  # another user's store: its mounts are not ours to know
        for reply in ask_all(settings.store / "run", {"do": "status"}, timeout_s=_ASK_S):
            if isinstance(reply, Answered) and isinstance(reply.value, dict):
                yield from reply.value.get("mounts") or ()
