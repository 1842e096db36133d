"""Asking each index once when a mount begins: a wrong address or password is known then, and not only at the first install."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.errors import OriginError, OriginTimeout
from wheelfs.model.names import ProjectName
from wheelfs.service.tasks import failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.remote.origin import Origin
    from wheelfs.service.hosts.breaker import Hosts

PROJECT: Final = ProjectName("pip")
"""A page as any other, since the list of all projects may be large and slow; that it is absent is an answer."""

log = logging.getLogger(__name__)


async def ask_indexes(indexes: Sequence[Origin], hosts: Hosts, *, timeout_s: float) -> None:
    """Ask all indexes at once, log which do not answer, and note it for the status.

    Nothing is decided by it: an index that was away for a moment is asked for the first project as if this had not been.
    """
    async with trio.open_nursery() as nursery:
        for index in indexes:
            if hosts.may_ask(index.url):
                nursery.start_soon(_ask, index, hosts, timeout_s)


async def _ask(index: Origin, hosts: Hosts, timeout_s: float) -> None:
    attempted = f"ask the index {index.name}"
    hosts.counters.count_request()
    try:
        with trio.fail_after(timeout_s):
            await index.project_page(PROJECT)
    except trio.TooSlowError:
        error: OriginError = OriginTimeout(attempted, f"no answer within {timeout_s:.0f} s")
    except OriginError as failed:
        error = failed
    except Exception as failed:  # a task that fails here would end the mount
        log.error("%s", failure(attempted, failed))
        return
    else:
        hosts.note_contact(index.url, None)
        return
    log.warning("the index %s gave no good answer when the mount began: %s", index.name, error)
    hosts.note_contact(index.url, error)
