"""Wiring of ``wheelfs doctor``: what is observed of this machine, and who judges it."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.app.indexes import effective_indexes, index_notes, opened_index, opened_share
from wheelfs.app.wiring import is_unborn, store_to_look_at
from wheelfs.core import diagnosis
from wheelfs.errors import UsageError, WheelfsError
from wheelfs.private_files import is_open_to_others, readers_of
from wheelfs.reports.doctor import FoundState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelfs.config import IndexSetting, Settings
    from wheelfs.core.diagnosis import Finding, OriginFacts

NOWHERE: Final = Path("/proc/self/no-mount-point")
"""A place that cannot be mounted on: what is looked at is the machine."""


def doctor(settings: Settings) -> Iterator[FoundState]:
    """Look at all that a mount and its clients need, and yield what was found of each; changes nothing.

    Indexes and shares are asked once, unless the network is forbidden.
    """
    for finding in _findings(settings):
        yield FoundState(level=finding.level, subject=finding.subject, what=finding.what, mend=finding.mend)


def _findings(settings: Settings) -> Iterator[Finding]:
    yield from _of_fuse(settings)
    yield from _of_store(settings)
    yield from _of_environments(settings)
    yield from _of_origins(settings)
    yield from _of_clients(settings)
    beside = Path(sys.executable).parent / "uv"
    has_uv = shutil.which("uv") is not None or os.access(beside, os.X_OK)
    yield from diagnosis.program_findings(diagnosis.ProgramFacts(has_wheelfs=shutil.which("wheelfs") is not None, has_uv=has_uv))


def _of_fuse(settings: Settings) -> Iterator[Finding]:
    from wheelfs.frontends.fuse.kernel import observed
    from wheelfs.frontends.fuse.kernel.control import request_bound_s
    from wheelfs.frontends.fuse.kernel.limits import FUSE_LIMITS
    from wheelfs.frontends.fuse.mount.preflight import gather

    machine, bound_s = gather(NOWHERE), request_bound_s()
    yield from diagnosis.fuse_findings(
        diagnosis.FuseFacts(
            device=machine.device,
            is_root=machine.is_root,
            has_fusermount=machine.has_fusermount,
            may_gain_privileges=machine.may_gain_privileges,
            may_allow_other=machine.user_allow_other,
            wants_allow_other=settings.allow_other,
            has_fusectl=observed.has_fusectl(),
            user_background=observed.user_background() or None,
            wanted_background=FUSE_LIMITS.background,
            request_timeout_s=None if bound_s is None else bound_s * 2,
            wait_s=max(settings.open_timeout_s, settings.lookup_timeout_s),
        )
    )
    for seen in observed.seen_mounts():
        facts = diagnosis.MountFacts(
            path=seen.path,
            state=seen.state,
            background=seen.background,
            wanted_background=FUSE_LIMITS.background,
            read_ahead_kb=seen.read_ahead_kb,
            wanted_read_ahead_kb=FUSE_LIMITS.read_ahead_kb,
        )
        yield from diagnosis.mount_findings(facts)
    yield from diagnosis.fstab_findings(diagnosis.FstabFacts(**observed.seen_fstab()._asdict()))


def _of_store(settings: Settings) -> Iterator[Finding]:
    from wheelfs.store.engine.network_fs import file_system_type, refusal

    path, error, advice, network = settings.store, None, "", None
    exists = not is_unborn(path)
    there = next(place for place in (path, *path.absolute().parents) if os.access(place, os.F_OK))
    try:
        network = refusal(file_system_type(path.absolute()))
        if network is None and exists:
            with store_to_look_at(settings):
                pass
    except WheelfsError as failure:
        error, advice = f"{failure.attempted}: {failure.happened}", failure.advice
    except OSError as failure:
        error, advice = failure.strerror or str(failure), "as its owner, or name a store of your own with --store"
    space = os.statvfs(there)
    yield from diagnosis.store_findings(
        diagnosis.StoreFacts(
            path=str(path),
            exists=exists,
            network=network,
            is_writable=os.access(there, os.W_OK),
            is_open_to_others=there == path and exists and is_open_to_others(path.stat(), readers_of(settings.store_group)),
            free_bytes=space.f_bavail * space.f_frsize,
            total_bytes=space.f_blocks * space.f_frsize,
            has_inodes=space.f_files == 0 or space.f_ffree > 0,  # some file systems count none
            error=error,
            advice=advice,
        )
    )


def _of_environments(settings: Settings) -> Iterator[Finding]:
    from wheelfs.service.environments.interpreter import shown
    from wheelfs.service.environments.named import named

    made_for = {}
    if not is_unborn(settings.store):
        with suppress(WheelfsError), store_to_look_at(settings) as store:  # a store that does not open is a finding of its own
            for label in store.mounted.labels():
                with suppress(WheelfsError):
                    made_for[label.name] = named(store, "look at", label.name)[1].interpreter
    asked = {interpreter: shown(interpreter) for interpreter in set(made_for.values())}
    yield from diagnosis.environment_findings(
        diagnosis.InterpreterFacts(
            name=name, path=one.executable, is_python=asked[one].found is not None, problem=asked[one].problem
        )
        for name, one in made_for.items()
    )


def _of_origins(settings: Settings) -> Iterator[Finding]:
    import trio

    try:
        indexes = [index for index, _ in effective_indexes(settings)]
    except UsageError as error:
        yield diagnosis.Finding("broken", "index", str(error), "name one: --index NAME=URL")
        return
    for facts in trio.run(_asked, settings, indexes):
        yield from diagnosis.origin_findings(facts)


async def _asked(settings: Settings, indexes: list[IndexSetting]) -> list[OriginFacts]:
    import trio

    if settings.offline:
        indexes = [index for index in indexes if index.url.startswith("file:")]
    shares = [share for share in settings.shares if not settings.offline or share.url.startswith("file:")]
    found: list[OriginFacts] = []

    async def ask(kind: str, setting: IndexSetting) -> None:
        found.append(await (_of_index if kind == "index" else _of_share)(setting, settings))

    async with trio.open_nursery() as nursery:
        for index in indexes:
            nursery.start_soon(ask, "index", index)
        for share in shares:
            nursery.start_soon(ask, "share", share)
    order = [("index", index.name) for index in indexes] + [("share", share.name) for share in shares]
    return sorted(found, key=lambda facts: order.index((facts.kind, facts.name)))


async def _of_index(setting: IndexSetting, settings: Settings) -> OriginFacts:
    import trio

    from wheelfs.remote.index.http import HttpIndex
    from wheelfs.service.hosts.first_contact import PROJECT

    error, ahead_s = None, None
    try:
        client = opened_index(setting, settings).client
        try:
            with trio.fail_after(settings.lookup_timeout_s):
                await client.project_page(PROJECT)
                if isinstance(client, HttpIndex):
                    ahead_s = await client.ahead_s(PROJECT)
        finally:
            await client.aclose()
    except trio.TooSlowError:
        error = f"no answer within {settings.lookup_timeout_s:.0f} s"
    except WheelfsError as failure:
        error = str(failure)
    return diagnosis.OriginFacts(kind="index", name=setting.name, error=error, ahead_s=ahead_s)


async def _of_share(setting: IndexSetting, settings: Settings) -> OriginFacts:
    import trio

    error = None
    try:
        share = opened_share(setting, settings)
        try:
            with trio.fail_after(settings.lookup_timeout_s):
                await share.lacks(bytes(32))
        finally:
            with trio.move_on_after(1.0, shield=True):
                await share.aclose()
    except trio.TooSlowError:
        error = f"no answer within {settings.lookup_timeout_s:.0f} s"
    except WheelfsError as failure:
        error = str(failure)
    return diagnosis.OriginFacts(kind="share", name=setting.name, error=error)


def _of_clients(settings: Settings) -> Iterator[Finding]:
    from wheelfs.remote.index.default import installer_traps, pip_upload_cutoff

    try:
        notes = index_notes(msgspec.structs.replace(settings, no_index=False, indexes=()))
    except UsageError:
        notes = ()
    cutoff = None if settings.min_age_s else pip_upload_cutoff(os.environ)
    yield from diagnosis.client_findings(installer_traps(os.environ), cutoff, notes)
