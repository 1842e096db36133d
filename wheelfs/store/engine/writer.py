"""The one thread of a process that writes to an environment.

An LMDB write transaction belongs to one OS thread from begin to commit, and a commit costs a disk flush, so all writes of a
process go through one queue and are committed together.  There is no timer that gathers a batch: while one batch is being
committed the next one gathers by itself, so a lone writer is not delayed and many share a flush.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final, NoReturn

import lmdb
import msgspec

from wheelfs.errors import StoreError, StoreFull, StoreReadOnly
from wheelfs.store.engine.environment import store_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from wheelfs.store.engine.environment import Environment
    from wheelfs.store.engine.reserve import Reserve

    T = TypeVar("T")

BATCH_BYTES: Final = 16 << 20
"""The most in one transaction: throughput is flat from here on, and dirty pages are memory."""
BATCH_JOBS: Final = 1000
QUEUE_BYTES: Final = 24 << 20
"""Back-pressure: `Writer.submit` waits while this much is queued and not yet committed."""


class _Job(msgspec.Struct):
    work: Callable[[lmdb.Transaction], Any]
    weight_bytes: int
    frees: bool
    future: Future[Any]


class ReadOnlyWriter:
    """Takes the place of a `Writer` in a store that is only read: whatever is submitted raises `StoreReadOnly`."""

    def __init__(self, environment: Environment) -> None:
        self._path = environment.path

    def submit(self, work: Callable[[lmdb.Transaction], Any], *, weight_bytes: int = 0, frees: bool = False) -> NoReturn:
        """Raise `StoreReadOnly`."""
        raise StoreReadOnly(f"write to store {self._path}", "it was opened read-only")

    def close(self) -> None:
        """Nothing is queued."""


def open_writer(environment: Environment, reserve: Reserve | None = None) -> Writer | ReadOnlyWriter:
    """Return what writes to the environment, or refuses to where that is read-only."""
    return ReadOnlyWriter(environment) if environment.readonly else Writer(environment, reserve)


class Writer:
    """Runs pieces of work inside write transactions, in the order they were submitted.

    A piece of work may be run more than once (when another one of its batch failed), each time in a fresh transaction: it must
    have no effect but through the transaction and its return value.
    """

    def __init__(self, environment: Environment, reserve: Reserve | None = None) -> None:
        """Start the thread; ``environment`` must be writable and outlive the writer.

        ``reserve`` is given up when the disk has no room left for work that frees some.
        """
        self._environment = environment
        self._reserve = reserve
        self._jobs: deque[_Job] = deque()
        self._queued_bytes = 0
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"writer-{environment.path.name}", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[lmdb.Transaction], T], *, weight_bytes: int = 0, frees: bool = False) -> Future[T]:
        """Queue ``work``; the future resolves once its transaction is durable, or with what it raised.

        ``frees``: it only deletes, and so is done on a full disk, too.
        ``weight_bytes`` is about what the work will write; heavy work waits here while the queue is full, so that submit it
        from a worker thread.  Work without weight never waits.  LMDB and system errors arrive as `StoreError`.
        """
        future: Future[T] = Future()
        with self._changed:
            while weight_bytes and self._queued_bytes and self._queued_bytes + weight_bytes > QUEUE_BYTES and not self._closing:
                self._changed.wait()
            if self._closing:
                raise StoreError(f"write to store {self._environment.path}", "it is being closed")
            self._jobs.append(_Job(work, weight_bytes, frees, future))
            self._queued_bytes += weight_bytes
            self._changed.notify_all()
        return future

    def flush(self) -> None:
        """Wait until everything submitted so far is durable or has failed."""
        self.submit(lambda transaction: None).result()

    def close(self) -> None:
        """Commit what is queued, then end the thread.  Safe to call twice."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next_batch():
            try:
                self._commit(batch)
            finally:
                with self._changed:
                    self._queued_bytes -= sum(job.weight_bytes for job in batch)
                    self._changed.notify_all()
            del batch  # results and closures must not live until the next batch comes

    def _next_batch(self) -> list[_Job]:
        with self._changed:
            while not self._jobs and not self._closing:
                self._changed.wait()
            batch: list[_Job] = []
            weight = 0
            while self._jobs and len(batch) < BATCH_JOBS and (not batch or weight + self._jobs[0].weight_bytes <= BATCH_BYTES):
                weight += self._jobs[0].weight_bytes
                batch.append(self._jobs.popleft())
            return batch

    def _commit(self, batch: list[_Job]) -> None:
        batch = [job for job in batch if job.future.set_running_or_notify_cancel()]
        try:
            results = self._transact(batch)
        except BaseException as error:
            if len(batch) == 1:
                self._fail(batch[0], error)
                return
            # One job spoils the transaction for all, so each gets one of its own. Child transactions were not chosen: they
            # would copy the dirty pages of every batch to spare the rare one that fails.
            for job in batch:
                try:
                    [result] = self._transact([job])
                except BaseException as own_error:
                    self._fail(job, own_error)
                else:
                    job.future.set_result(result)
            return
        for job, result in zip(batch, results, strict=True):
            job.future.set_result(result)

    def _fail(self, job: _Job, error: BaseException) -> None:
        """Give a job its error; one that frees room is run once more with that of the reserve, where the disk has none."""
        named = self._named(error)
        if job.frees and self._reserve is not None and isinstance(named, StoreFull) and self._reserve.give_up():
            try:
                [result] = self._transact([job])
            except BaseException as own_error:
                named = self._named(own_error)
            else:
                job.future.set_result(result)
                return
        job.future.set_exception(named)

    def _transact(self, batch: list[_Job]) -> list[Any]:
        with self._environment.write() as transaction:
            return [job.work(transaction) for job in batch]

    def _named(self, error: BaseException) -> BaseException:
        if not isinstance(error, lmdb.Error | OSError):
            return error
        named = store_error(f"write to store {self._environment.path}", error, written=self._environment.path)
        named.__cause__ = error
        return named
