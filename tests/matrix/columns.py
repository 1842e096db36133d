"""The ways on which a fault is met: a mount or a gateway for all cells of a column, and what a client does in a cell."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, Self

import uv

from tests.fakes.crashes import journalled_bytes
from tests.fakes.mounts import Mounted
from tests.fakes.processes import isolated_environment, run
from tests.gateway.serving import Serving
from tests.matrix.shares import BUCKET, Bucket, SharedDirectory, is_of_disks
from tests.matrix.stands import NEW, OLD, Row, Stand, filename
from tests.world.faces import Way
from tests.world.habits import Habit
from tests.world.outcomes import Installed, Outcome, TimedOut, refusal
from tests.world.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.world.clients import Clients
    from tests.world.rig import Client

RIGHT: Final = Installed(NEW, NEW)
BOUND_S: Final = 90.0
"""Of one try of any client: some look-ups and opens, each within the time-outs below, on a busy machine."""
_NETWORK: Final = {"lookup-timeout-s": 4, "open-timeout-s": 6}
_AT_ONCE: Final = 8
_READER: Final = ("cat",)
_UV: Final = uv.find_uv_bin()
"""Found before there are threads: `sysconfig`, which it asks, is not made for two at once."""


class Faulty(Protocol):
    """What can have a row's fault."""

    def break_(self) -> None: ...
    def mend(self) -> None: ...
    def was_met(self) -> bool: ...


class Column:
    """A mount from ``__enter__`` to ``__exit__``, cold, through which uv installs; the other columns differ in some of this."""

    name: ClassVar[str] = "uv"
    number: ClassVar[int] = 1
    has_pages: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ()
    client: ClassVar[Client] = "uv"

    def __init__(self, rows: Sequence[Row], where: Path, port: int) -> None:
        self.rows = rows
        self.where = where
        self.port = port
        where.mkdir(parents=True)
        self.index = Site(self._address(250), port)
        self.stands = {row: Stand(row, Site(self._address(row.number), port), self.index) for row in rows}
        self.environment = {"WHEELFS_CONFIG": str(where / "wheelfs.toml")}
        (where / "wheelfs.toml").write_text(self._configuration())
        self._mount: Mounted | None = None
        self._stack = ExitStack()

    def _address(self, host: int) -> str:
        return f"127.78.{self.number}.{host}"

    def _configuration(self) -> str:
        lines = ["[network]", *_written(_NETWORK), *_index("well", "files-*", f"{self.index.url}/simple")]
        for row, stand in self.stands.items():
            lines += _index(row.project, row.project, stand.url) if row.where == "pages" else []
        return "\n".join(lines)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.index)
            self.prepare(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def mounted(self, *options: str, name: str = "mnt", environment: dict[str, str] | None = None) -> Mounted:
        """Return a mount that does not run yet."""
        home = self.where / f"home-{name}"
        home.mkdir(exist_ok=True)
        known = {**self.environment, **(environment or {})}
        store = self.where / ("store" if name == "mnt" else f"store-{name}")
        return Mounted(self.where / name, store, [*self.options, *options], home, known)

    def prepare(self, stack: ExitStack) -> None:
        """Start what the column's cells share."""
        self._mount = self.mounted()
        stack.callback(self._mount.clean_up)
        self._mount.start()

    @property
    def mount(self) -> Mounted:
        assert self._mount is not None
        return self._mount

    def complaint(self) -> str | None:
        """Say what is wrong with the daemon: that it has ended, or has logged a bug."""
        return _complaint(self.mount)

    @contextmanager
    def cell(self, row: Row) -> Iterator[Faulty]:
        """Run the hosts of one cell, which are well."""
        with self.stands[row] as stand:
            yield stand

    def attempt(self, row: Row, clients: Clients, place: Path) -> Outcome:
        """Do what the column does, once; ``place`` is a new directory."""
        return self.install(row, clients, place, f"file://{self.mount.path}/simple")

    def install(self, row: Row, clients: Clients, place: Path, url: str) -> Outcome:
        habit = Habit(row.project, "", "", lambda _shop: None)
        outcome = clients.install(self.client, habit, Way("cell", (url,)), place)
        if outcome == RIGHT and (wrong := self.stands[row].differing(place / "target", NEW)):
            return Installed(NEW, f"other bytes in {wrong}")
        return outcome


def _written(keys: Mapping[str, object]) -> list[str]:
    return [f"{key} = {json.dumps(value)}" for key, value in keys.items()]


def _index(name: str, projects: str, url: str) -> list[str]:
    return ["[[index]]", *_written({"name": name, "url": url, "projects": [projects], "ttl-s": 0})]


def _complaint(mount: Mounted) -> str | None:
    if mount.process.poll() is not None:
        return f"the mount has ended with {mount.process.returncode}"
    return logged_bug(mount.log)


def logged_bug(log: str) -> str | None:
    """Return the first line of a log that says that wheelfs itself is wrong."""
    return next((line for line in log.splitlines() if "a bug in wheelfs" in line or line.startswith("Traceback")), None)


class Pip(Column):
    """The same, by pip."""

    name = "pip"
    number = 2
    client = "pip"


class Resolve(Column):
    """A mount, cold, in which uv chooses a version and reads nothing but metadata."""

    name = "resolve"
    number = 3

    def attempt(self, row: Row, clients: Clients, place: Path) -> Outcome:
        place.mkdir()
        (place / "requirements.in").write_text(row.project)
        command = [_UV, "pip", "compile", "--no-cache", "--no-header", "--no-annotate", "--python", sys.executable]
        command += ["--default-index", f"file://{self.mount.path}/simple", "requirements.in"]
        try:
            done = run(command, environment=isolated_environment(place / "home"), cwd=place, timeout_s=BOUND_S)
        except subprocess.TimeoutExpired:
            return TimedOut()
        if done.returncode:
            return refusal(done.stderr)
        version = done.stdout.strip().rpartition("==")[2]
        return Installed(version, version)


class Gateway(Column):
    """A gateway, cold, from which uv installs."""

    name = "gateway"
    number = 4

    def prepare(self, stack: ExitStack) -> None:
        self._gateway = stack.enter_context(Serving(self.where / "gateway", environment=self.environment))

    def complaint(self) -> str | None:
        log = self._gateway.log.read_text(errors="replace")
        return "the gateway has ended" if self._gateway.has_ended() else logged_bug(log)

    def attempt(self, row: Row, clients: Clients, place: Path) -> Outcome:
        return self.install(row, clients, place, f"{self._gateway.url}/simple/")


class _Read(Column):
    """A mount through which a plain program reads the newer version's file from beginning to end."""

    has_pages = False

    def attempt(self, row: Row, clients: Clients, place: Path) -> Outcome:
        return self.read(row, NEW)

    def read(self, row: Row, version: str, *, bound_s: float = BOUND_S) -> Outcome:
        path = self.mount.path / "simple" / row.project / filename(row, version)
        try:
            done = subprocess.run([*_READER, str(path)], capture_output=True, check=False, timeout=bound_s)
        except subprocess.TimeoutExpired:
            return TimedOut()
        if done.returncode:
            return refusal(done.stderr.decode(errors="replace"))
        return Installed(version, version if done.stdout == self.stands[row].contents[version] else "other bytes")

    def read_all(self, version: str) -> dict[Row, Outcome]:
        """Read a version of every row, several at a time."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return dict(zip(self.rows, pool.map(lambda row: self.read(row, version), self.rows), strict=True))


class Resume(_Read):
    """Half of the file is here, from before a restart of the mount."""

    name = "resume"
    number = 5

    def prepare(self, stack: ExitStack) -> None:
        with ExitStack() as hosts:
            for stand in self.stands.values():
                hosts.enter_context(stand).send_halves()
            with ExitStack() as before:
                super().prepare(before)
                self.read_all(NEW)
                assert self.mount.stop() == 0, self.mount.log
            for stand in self.stands.values():
                stand.mend()
        wheels = {filename(row, NEW): stand.contents[NEW] for row, stand in self.stands.items()}
        present = journalled_bytes(self.where / "store", wheels)
        assert all(0 < present[name] < len(content) for name, content in wheels.items()), f"not halves: {present}"
        super().prepare(stack)


class Delta(_Read):
    """The version before is here; what both have in common is not asked for."""

    name = "delta"
    number = 6
    options = ("--delta", "always")

    def prepare(self, stack: ExitStack) -> None:
        super().prepare(stack)
        with ExitStack() as hosts:
            for stand in self.stands.values():
                hosts.enter_context(stand)
            read = self.read_all(OLD)
        assert set(read.values()) == {Installed(OLD, OLD)}, f"the older versions cannot be read: {read}"


class Directory(Column):
    """A mount beside a share in a directory: the index's files have the fault, or the share's objects where those can."""

    name = "directory"
    number = 7
    has_pages = False

    def prepare(self, stack: ExitStack) -> None:
        self._share = SharedDirectory(self.where, self.rows)
        self._mount = self.mounted("--share", self._share.url)
        stack.callback(self._mount.clean_up)
        self._mount.start()

    @contextmanager
    def cell(self, row: Row) -> Iterator[Faulty]:
        with self.stands[row] as stand:
            if not is_of_disks(row.kind):
                yield stand
                return
            with ExitStack() as stack:
                yield _Damaged(self._share, row, stack)


class _Damaged:
    """A row's objects in a directory."""

    def __init__(self, share: SharedDirectory, row: Row, stack: ExitStack) -> None:
        self._share = share
        self._row = row
        self._stack = stack

    def break_(self) -> None:
        self._stack.enter_context(self._share.damaged(self._row))

    def mend(self) -> None:
        self._stack.close()

    def was_met(self) -> bool:
        return True


class S3(Column):
    """A mount beside a share in a bucket of its own for each cell, whose objects have the fault."""

    name = "s3"
    number = 8
    has_pages = False

    def prepare(self, stack: ExitStack) -> None:
        self._share = SharedDirectory(self.where, self.rows)
        self._mounts: dict[Row, Mounted] = {}
        self._complaints: list[str] = []

    def complaint(self) -> str | None:
        return "; ".join(self._complaints) or None

    @contextmanager
    def cell(self, row: Row) -> Iterator[Faulty]:
        with self.stands[row], Bucket(self._address(row.number + 100), self.port, self._share.directory, row) as bucket:
            mount = self.mounted("--share", BUCKET, name=row.project, environment=bucket.environment)
            try:
                self._mounts[row] = mount.start()
                yield bucket
                self._complaints += [said] if (said := _complaint(mount)) else []
            finally:
                mount.clean_up()

    def attempt(self, row: Row, clients: Clients, place: Path) -> Outcome:
        return self.install(row, clients, place, f"file://{self._mounts[row].path}/simple")


COLUMNS: Final[dict[str, type[Column]]] = {
    column.name: column for column in (Resolve, Column, Pip, Resume, Delta, Gateway, Directory, S3)
}
