"""Wiring of ``push``, ``pull``, ``rm --share`` and ``gc --share``: the store, and a share of objects."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wheelfs.app.indexes import access_of, is_http
from wheelfs.app.wiring import limits_of
from wheelfs.config import IndexSetting
from wheelfs.errors import OriginUnreachable
from wheelfs.private_files import readers_of
from wheelfs.reports.left_out import UNOBSERVED, CopyObserver

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelfs.config import Settings
    from wheelfs.remote.share.objects import Objects
    from wheelfs.remote.share.share import ObjectShare, WrittenShare
    from wheelfs.reports.environment import SharedEnvironmentState, SharedResult
    from wheelfs.reports.files import KeptFile
    from wheelfs.reports.shares import PulledFile, PushedFile, ShareCollection
    from wheelfs.service.environments.sharing import Shared
    from wheelfs.service.shares.shared_files import Meant


def push(
    settings: Settings,
    url: str,
    words: Meant,
    *,
    private: bool,
    with_deps: bool = False,
    observer: CopyObserver = UNOBSERVED,
) -> Iterator[PushedFile]:
    """Push stored files to the share at ``url`` and yield each; raises `UsageError`, `OriginError`, `StoreError`."""
    from wheelfs.service.shares.push import push as push_files
    from wheelfs.store.store import Store

    target = _opened(settings, url)
    # Under the name that mounts know it by, what they and this command find out about it is shared.
    name = next((share.name for share in settings.shares if _same(share.url, url)), None)
    with Store.open(settings.store, readers=readers_of(settings.store_group), create=False) as store:
        yield from push_files(
            store,
            target,
            words,
            private=private,
            with_deps=with_deps,
            observer=observer,
            share_name=name,
        )


def pull(
    settings: Settings,
    url: str,
    words: Meant,
    *,
    contents: bool,
    with_deps: bool = False,
    observer: CopyObserver = UNOBSERVED,
) -> Iterator[PulledFile]:
    """Yield what the share at ``url`` has, with ``contents`` once it is here; raises as `push` does."""
    from wheelfs.service.shares.pull import pull as pull_files
    from wheelfs.store.store import Store

    with (
        _read(settings, url) as share,
        Store.open(settings.store, readers=readers_of(settings.store_group), limits=limits_of(settings)) as store,
    ):
        yield from pull_files(
            store,
            share,
            words,
            contents=contents,
            with_deps=with_deps,
            observer=observer,
        )


def push_environment(settings: Settings, url: str, name: str) -> SharedEnvironmentState:
    """Announce an environment, whose stored wheels are pushed, in the share at ``url``; raises as `push` does."""
    from wheelfs.service.environments import sharing
    from wheelfs.store.store import Store

    with Store.open(settings.store, readers=readers_of(settings.store_group), create=False) as store:
        made = sharing.push_environment(store, _opened(settings, url), name)
    return _state(name, made, "pushed" if made.is_new else "present")


def pull_environment(settings: Settings, url: str, name: str) -> SharedEnvironmentState:
    """Give an environment of the share at ``url`` its name here; raises as `pull` does."""
    from wheelfs.service.environments import sharing
    from wheelfs.service.process.control_client import let_mounts_look
    from wheelfs.store.store import Store

    with (
        _read(settings, url) as share,
        Store.open(settings.store, readers=readers_of(settings.store_group), limits=limits_of(settings)) as store,
    ):
        made = sharing.pull_environment(store, share, name, trusts_bytecode=_may_name_all(settings, url))
    let_mounts_look(settings.store / "run")
    return _state(name, made, "pulled" if made.is_new else "present")


def shared_environments(settings: Settings, url: str) -> list[SharedEnvironmentState]:
    """Return the environments of the share at ``url``; raises as `pull` does."""
    from wheelfs.service.environments import sharing

    with _read(settings, url) as share:
        found = sharing.environments_of(share)
    return [_state(one.name, sharing.Shared(tree, one.tree, 0, False), "listed") for one, tree in found]


def withdraw_environments(settings: Settings, url: str, names: Sequence[str]) -> None:
    """Take names of environments out of the share at ``url``; raises `NotKnown`, and as `push` does."""
    from wheelfs.service.environments import sharing

    sharing.withdraw_environments(_opened(settings, url), names)


def _may_name_all(settings: Settings, url: str) -> bool:
    """Return whether a share may say what is installed here under any name, so that its bytecode can do no more harm than it.

    Bytecode is found by its source, so that of one project could pass for that of another.
    """
    from wheelfs.app.indexes import effective_indexes

    setting = next((share for share in settings.shares if _same(share.url, url)), IndexSetting(name="share", url=url))
    if setting.projects:
        return "*" in setting.projects
    return not effective_indexes(settings) and (setting.names is None or "*" in setting.names)


def _state(name: str, made: Shared, result: SharedResult) -> SharedEnvironmentState:
    from wheelfs.reports.environment import SharedEnvironmentState
    from wheelfs.service.environments.sharing import lacks_interpreter

    return SharedEnvironmentState(
        name=name,
        digest=made.digest.hex(),
        python=made.tree.interpreter.version,
        interpreter=made.tree.interpreter.executable,
        runs_here=not lacks_interpreter(made.tree),
        wheels=len(made.tree.wheels),
        filenames=tuple(wheel.filename for wheel in made.tree.wheels),
        compiled=made.compiled,
        result=result,
    )


def take_out(settings: Settings, url: str, words: Sequence[str], *, dry_run: bool) -> Iterator[KeptFile]:
    """Take files out of the share at ``url`` and yield each; raises `UsageError`, `OriginError`, `NotKnown`."""
    from wheelfs.service.shares.remove import remove

    yield from remove(_opened(settings, url), words, dry_run=dry_run)


def collect(settings: Settings, url: str, *, grace_s: float, dry_run: bool) -> ShareCollection:
    """Delete what nothing in the share at ``url`` needs; raises `UsageError`, `OriginError`."""
    from wheelfs.remote.share.gc import ShareGarbage
    from wheelfs.service.shares import gc
    from wheelfs.service.shares.known_end import known_end
    from wheelfs.store.store import Store

    def seen_here(identity: str) -> int:
        if not (settings.store / "format").exists():
            return 0  # a machine that only collects needs no store
        with Store.open(settings.store, readers=readers_of(settings.store_group), create=False) as store:
            return known_end(store, identity)

    garbage = ShareGarbage(_objects(settings, url))
    return gc.collect(garbage, grace_s=grace_s, dry_run=dry_run, known_end=seen_here)


@contextmanager
def _read(settings: Settings, url: str) -> Iterator[ObjectShare]:
    if not is_http(url):
        yield _opened(settings, url)
        return
    from wheelfs.remote.share.http_objects import http_objects
    from wheelfs.remote.share.share import ObjectShare

    setting = next((share for share in settings.shares if _same(share.url, url)), IndexSetting(name="share", url=url))
    with http_objects(url, os.environ, access=access_of(setting, settings)) as objects:
        _check_online(settings, objects.url)
        yield ObjectShare(objects)


def _opened(settings: Settings, url: str) -> WrittenShare:
    from wheelfs.remote.share.share import WrittenShare

    return WrittenShare(_objects(settings, url))


def _objects(settings: Settings, url: str) -> Objects:
    from wheelfs.remote.share.objects import open_objects

    objects = open_objects(url)
    if not objects.url.startswith("file:"):
        _check_online(settings, objects.url)
        return objects
    from wheelfs.remote.share.timed_objects import TimedObjects

    return TimedObjects(objects)


def _check_online(settings: Settings, url: str) -> None:
    if settings.offline:
        raise OriginUnreachable(f"use the share {url}", "wheelfs is offline", "leave out --offline")


def _same(url: str, other: str) -> bool:
    return url.rstrip("/") == other.rstrip("/")
