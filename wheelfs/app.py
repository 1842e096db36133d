"""The only place that wires the parts together: what the commands call.

Heavy parts (trio, lmdb, the HTTP client, pyfuse3) are imported inside, so that ``wheelfs --help`` does not pay for them.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING

from wheelfs.config import IndexSetting
from wheelfs.service.reports import MountReady

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wheelfs.config import Settings
    from wheelfs.service.projects import Index
    from wheelfs.service.reports import AddedFile, ListedFile, MountArguments, Progress, ShownFile, ShownProject, Status
    from wheelfs.store.local import Store
    from wheelfs.telemetry import Counters

DEFAULT_INDEX_NAME = "default"
"""The name of the index that is taken from pip's or uv's configuration, or is PyPI."""


def version() -> str:
    """Return the version of wheelfs that is running."""
    return installed_version("wheelfs")


def effective_indexes(settings: Settings) -> list[tuple[IndexSetting, str]]:
    """Return the indexes in force, in order of priority, each with where it comes from."""
    if settings.indexes:
        return [(index, settings.provenance.get("indexes", "configuration")) for index in settings.indexes]
    from wheelfs.remote.default_index import configured_index

    found = configured_index(os.environ)
    return [(IndexSetting(name=DEFAULT_INDEX_NAME, url=found.url), found.from_where)]


def run_mount(settings: Settings, mountpoint: Path, options: MountArguments, *, ready: Callable[[MountReady], None]) -> None:
    """Mount and serve until unmounted; ``ready`` is called once the mount has answered.  Raises `WheelfsError`."""
    import trio

    from wheelfs.frontends.fuse.session import MountOptions, serve_mount
    from wheelfs.service.control import serve_control
    from wheelfs.service.node import running
    from wheelfs.telemetry import Counters

    counters = Counters()

    async def serve(store: Store) -> None:
        shutdown = trio.Event()
        async with (
            _indexes(settings) as indexes,
            running(settings=settings, store=store, indexes=indexes, counters=counters, version=version(), bound_s=request_bound_s()) as node,
            trio.open_nursery() as nursery,
        ):
            await nursery.start(serve_control, store.run_directory, {"status": node.status.report})

            def on_ready() -> None:
                node.status.mounted(str(mountpoint.absolute()))
                ready(MountReady(path=str(mountpoint.absolute()), pid=os.getpid(), store=str(settings.store)))

            await serve_mount(
                node.tree,
                mountpoint,
                MountOptions(allow_other=settings.allow_other, nonempty=options.nonempty),
                on_ready=on_ready,
                shutdown=shutdown,
            )
            nursery.cancel_scope.cancel()

    with _store(settings) as store:
        trio.run(serve, store)
