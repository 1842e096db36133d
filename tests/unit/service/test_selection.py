"""The same word selects the same files, whatever command is given it: of the store, of a share, of what is tracked."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.fakes.services import Service, service
from tests.fakes.wheels import wheel_filename
from wheelfs.errors import InvalidInput, NotKnown
from wheelfs.model.shared import SharedFile
from wheelfs.remote.share.objects import open_objects
from wheelfs.remote.share.share import WrittenShare
from wheelfs.reports.files import ShownFile
from wheelfs.service.operations import housekeeping, inspect, repair
from wheelfs.service.operations.export import Export
from wheelfs.service.operations.export_directory import Destination
from wheelfs.service.selection import matches, parse_word
from wheelfs.service.shares.feed import shared_file
from wheelfs.service.shares.pull import pull
from wheelfs.service.shares.push import push
from wheelfs.service.shares.remove import remove
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.verify import verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from wheelfs.reports.export import ExportedFile

ONE, TWO, EARLY = (wheel_filename("demo", version) for version in ("1.0", "2.0", "3.0rc1"))
SDIST: Final = "demo-2.0.tar.gz"
TOOLS, OTHER = wheel_filename("demo-tools", "1.0"), wheel_filename("other", "1.0")
FILES: Final = {ONE: "demo", TWO: "demo", EARLY: "demo", SDIST: "demo", TOOLS: "demo-tools", OTHER: "other"}
DEMO: Final = {ONE, TWO, EARLY, SDIST}

NAMES: Final = [
    (ONE, {ONE}),
    (SDIST, {SDIST}),
    ("demo", DEMO),
    ("Demo", DEMO),
    ("demo_tools", {TOOLS}),
    ("demo>=2", {TWO, EARLY, SDIST}),
    ("demo==2.*", {TWO, SDIST}),
    ("demo<2", {ONE}),
    ("demo >=1, <2", {ONE}),
]
PATTERNS: Final = [
    ("demo*", {*DEMO, TOOLS}),
    ("demo-[12]*", {ONE, TWO, SDIST}),
    ("*.tar.gz", {SDIST}),
    ("?ther", {OTHER}),
    ("demo-1.0-py3-none-*.whl", {ONE}),
    ("*", set(FILES)),
]
MEAN_NOTHING: Final = ["absent", "demo>9", wheel_filename("demo", "9.0"), wheel_filename("absent", "1.0"), "demo-9.0.tar.gz"]
MEANINGLESS: Final = [
    "demo[extra]",
    "demo; python_version > '3'",
    "demo @ https://index.example/demo-1.0-py3-none-any.whl",
    "../x",
    "!!!",
    "",
]


class World:
    """A running service with the files stored, and a share that has them, too."""

    def __init__(self, one: Service, where: Path) -> None:
        self.one = one
        self.where = where

    def share(self) -> WrittenShare:
        return WrittenShare(open_objects(Path(tempfile.mkdtemp(dir=self.where)).as_uri()))

    def full_share(self) -> WrittenShare:
        share = self.share()
        share.catalog.prepare()
        files = [shared_file(name) for name in self.one.store.catalog.names()]
        share.catalog.append(None, files, may_tell=lambda: True)
        return share


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with service(tmp_path / "store", []) as one:
        for filename, project in FILES.items():
            content = filename.encode() * 100
            name = StoredName(project=project, filename=filename, index="main", size_bytes=len(content), added_at_us=1)
            with tempfile.TemporaryFile() as file:
                file.write(content)
                file.flush()
                one.store.add_content(file.fileno(), len(content), expected_sha256=None, names=[name])
        yield World(one, tmp_path)


def filenames(files: Iterable[object]) -> set[str]:
    return {file.filename for file in files}  # type: ignore[attr-defined]


def shown(world: World, word: str) -> set[str]:
    node = world.one.node
    found = inspect.show(node.projects, node.views, node.downloads, word)
    return {found.filename} if isinstance(found, ShownFile) else filenames(found.files)


def verified(world: World, word: str) -> set[str]:
    store = world.one.store
    count, damaged = repair.audit(store, quick=False, words=[word], note=lambda step: None, progress=_NoProgress())
    parsed = parse_word("verify", word)
    checked = verify(store, wanted=lambda name: matches(parsed, name))
    found = {filename for content in checked for filename in content.filenames}
    assert (count, damaged) == (len(found), [])
    return found


def exported(world: World, word: str) -> set[str]:
    told: list[ExportedFile] = []
    with tempfile.TemporaryDirectory() as name, Destination.open(Path(name)) as destination:
        try:
            Export(world.one.node, world.one.store, destination, told.append, _NoProgress()).run([word])
        except NotKnown:
            assert not told
    return filenames(told)


class _NoProgress:
    is_shown = False

    def begin(self, name: str, total_bytes: int | None) -> None:
        """Nothing is drawn."""

    def advance(self, name: str, more_bytes: int) -> None:
        """Nothing is drawn."""

    def end(self, name: str) -> None:
        """Nothing is drawn."""

    def overall(self, done_files: int, files: int, saved_bytes: int, total_bytes: int | None = None) -> None:
        """Nothing is drawn."""


LOOKING: Final[dict[str, Callable[[World, str], set[str]]]] = {
    "ls": lambda world, word: filenames(inspect.list_files(world.one.store, words=[word])),
    "verify": verified,
    "export": exported,
}
NAMING: Final[dict[str, Callable[[World, str], set[str]]]] = {
    "rm": lambda world, word: filenames(housekeeping.remove(world.one.store, [word], dry_run=False)),
    "pin": lambda world, word: filenames(housekeeping.pin(world.one.store, [word], pinned=True)),
    "unpin": lambda world, word: filenames(housekeeping.pin(world.one.store, [word], pinned=False)),
    "push": lambda world, word: filenames(push(world.one.store, world.share(), [word], private=False)),
    "pull": lambda world, word: filenames(pull(world.one.store, world.full_share(), [word], contents=False)),
    "rm --share": lambda world, word: filenames(remove(world.full_share(), [word], dry_run=False)),
    "show": shown,
}


@pytest.mark.parametrize("command", [*LOOKING, *NAMING])
async def test_a_name_means_the_same_files_to_every_command(world: World, command: str) -> None:
    run = (LOOKING | NAMING)[command]
    selected = {}
    for word, _ in NAMES:
        try:
            selected[word] = run(world, word)
        finally:
            if command == "rm":  # what is removed has to be there for the next word
                await _restored(world)
    assert selected == dict(NAMES)


async def _restored(world: World) -> None:
    store = world.one.store
    here = {name.filename for name in store.catalog.names()}
    for filename, project in FILES.items():
        if filename not in here:
            content = filename.encode() * 100
            name = StoredName(project=project, filename=filename, index="main", size_bytes=len(content), added_at_us=1)
            with tempfile.TemporaryFile() as file:
                file.write(content)
                file.flush()
                store.add_content(file.fileno(), len(content), expected_sha256=None, names=[name])


@pytest.mark.parametrize("command", LOOKING)
async def test_a_pattern_means_the_same_files_to_every_command_that_looks(world: World, command: str) -> None:
    assert {word: LOOKING[command](world, word) for word, _ in PATTERNS} == dict(PATTERNS)
    assert {word: LOOKING[command](world, word) for word in MEAN_NOTHING} == {word: set() for word in MEAN_NOTHING}


@pytest.mark.parametrize("command", NAMING)
async def test_a_pattern_is_refused_by_every_command_that_wants_names_and_nothing_is_done(world: World, command: str) -> None:
    for word, _ in PATTERNS:
        with pytest.raises(InvalidInput, match="pattern is not accepted"):
            NAMING[command](world, word)
    for word in MEAN_NOTHING:
        with pytest.raises(NotKnown):
            NAMING[command](world, word)
    assert filenames(world.one.store.catalog.names()) == set(FILES)


@pytest.mark.parametrize("command", [*LOOKING, *NAMING])
async def test_what_can_select_no_file_is_refused_by_every_command(world: World, command: str) -> None:
    for word in MEANINGLESS:
        with pytest.raises(InvalidInput):
            (LOOKING | NAMING)[command](world, word)


async def test_one_word_that_means_nothing_keeps_the_others_from_being_done(world: World) -> None:
    share = world.full_share()
    before = filenames(share.catalog.files())
    for words in (["demo", "absent"], ["demo", "other*"], ["demo", "demo[extra]"]):
        with pytest.raises((InvalidInput, NotKnown)):
            list(remove(share, words, dry_run=False))
        with pytest.raises((InvalidInput, NotKnown)):
            list(housekeeping.remove(world.one.store, words, dry_run=False))
    assert filenames(share.catalog.files()) == before == filenames(world.one.store.catalog.names())


def test_a_misfiled_file_is_not_selected_by_its_name() -> None:
    """It is of the project that it was filed under; removing "other" must not remove a file of "demo"."""
    misfiled = SharedFile("demo", OTHER, "main", bytes(32), 1)
    assert not matches(parse_word("remove", "other"), misfiled)
    assert not matches(parse_word("remove", OTHER), misfiled)
    assert matches(parse_word("remove", "demo"), misfiled)


def test_a_file_without_a_version_in_its_name_is_meant_only_where_any_version_is() -> None:
    setup = SharedFile("demo", "demo-setup.exe", "main", bytes(32), 1)
    assert matches(parse_word("remove", "demo"), setup)
    assert matches(parse_word("list", "*.exe"), setup)
    assert not matches(parse_word("remove", "demo>=0"), setup)


def test_what_a_word_is_not_is_said_on_one_line() -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_word("show", "num py==")
    assert "\n" not in str(raised.value)
    assert raised.value.happened.startswith("it is no filename, project, requirement or pattern (")
