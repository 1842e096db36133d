from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from wheelfs import app, errors
from wheelfs.cli.main import cli, main
from wheelfs.config import IndexSetting
from wheelfs.frontends.fuse import detach, umount
from wheelfs.service.reports import (
    AddedFile,
    Counters,
    ListedFile,
    MountInfo,
    MountReady,
    OriginState,
    ShownFile,
    ShownProject,
    Status,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class FakeApp:
    """Answers in the place of wheelfs.app and remembers what it was asked."""

    added: list[AddedFile] = field(default_factory=list)
    listed: list[ListedFile] = field(default_factory=list)
    shown: ShownFile | ShownProject | None = None
    failure: BaseException | None = None
    asked: dict[str, Any] = field(default_factory=dict)

    def _note(self, **what: Any) -> None:
        self.asked.update(what)
        if self.failure is not None:
            raise self.failure

    def add(self, settings: Any, sources: Any, *, index: str | None, progress: Any) -> Iterator[AddedFile]:
        self._note(settings=settings, sources=sources, index=index)
        for file in self.added:
            progress.begin(file.filename, file.size_bytes)
            progress.advance(file.filename, 1)
            progress.end(file.filename)
            yield file

    def list_files(self, settings: Any, *, patterns: Any) -> Iterator[ListedFile]:
        self._note(settings=settings, patterns=patterns)
        return iter(self.listed)

    def show(self, settings: Any, name: str) -> Any:
        self._note(settings=settings, name=name)
        return self.shown

    def status(self, settings: Any) -> Status:
        self._note(settings=settings)
        return Status(
            version="9",
            store="/s",
            mounts=(MountInfo(path="/mnt/wheels", pid=7, since="2026-01-01T00:00:00Z"),),
            origins=(
                OriginState(
                    name="lab",
                    url="https://me:pw@lab.example/",
                    state="down",
                    since="2026-01-01T00:00:00Z",
                    last_error="refused\n",
                ),
            ),
            counters=Counters(requests=3, fetched_bytes=2048, errors=1, errors_by={"open ENETUNREACH": 1}),
            silent=(8,),
        )

    def effective_indexes(self, settings: Any) -> list[tuple[IndexSetting, str]]:
        return [(IndexSetting("lab", "https://me:hunter2@lab.example/simple"), "pip's configuration")]

    def run_mount(self, settings: Any, mountpoint: Path, options: Any, *, ready: Callable[[MountReady], None]) -> None:
        self._note(settings=settings, mountpoint=mountpoint, options=options)
        ready(MountReady(path=str(mountpoint), pid=1, store="/s"))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeApp:
    fake = FakeApp()
    for name in ("add", "list_files", "show", "status", "effective_indexes", "run_mount"):
        monkeypatch.setattr(app, name, getattr(fake, name), raising=False)
    return fake


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    before = dict(os.environ)
    monkeypatch.setattr("wheelfs.telemetry.set_up_logging", lambda level, *, log_file=None: None)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("WHEELFS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("WHEELFS_LOG_FILE", str(tmp_path / "log" / "mount.log"))
    monkeypatch.setenv("PYTHONPATH", "")
    for name in ("WHEELFS_INDEX", "WHEELFS_CONFIG", "WHEELFS_OFFLINE", "WHEELFS_JSON", "WHEELFS_READY_FD"):
        monkeypatch.delenv(name, raising=False)
    yield
    # mount hands the configuration to its daemon in the environment.
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    def run(*words: str, program: str = "wheelfs") -> Result:
        code = main(words, program=program)
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return run


WHEEL = "lab_tools-1.0-py3-none-any.whl"
ADDED = AddedFile(filename=WHEEL, project="lab-tools", version="1.0", sha256="ab" * 32, size_bytes=5, result="added")
REFUSED = AddedFile(filename="x.whl", result="refused", reason="not a wheel filename", error_class="InvalidInput")
TAKEN = AddedFile(filename=WHEEL, result="refused", reason="other content", error_class="NameTaken")
LISTED = ListedFile(
    filename=WHEEL,
    project="lab-tools",
    version="1.0",
    state="stored",
    size_bytes=2_000_000,
    sha256="ab" * 32,
    origin="local",
    private=True,
)


# --- help ------------------------------------------------------------------------------------------------------------


def all_commands() -> list[str]:
    return sorted(cli.commands)


@pytest.mark.parametrize("name", all_commands())
def test_every_command_has_help_with_examples_that_parse(name: str, run: Callable[..., Result]) -> None:
    command = cli.commands[name]
    examples = command.examples  # type: ignore[attr-defined]
    shown = run(name, "--help")
    assert shown.code == 0
    assert "Examples:" in shown.out
    assert command.short_help
    assert examples
    ours = [example for example in examples if example.startswith("wheelfs ")]
    assert any(f" {name}" in example for example in ours)
    for example in ours:
        words = [word for word in shlex.split(example.partition(" | ")[0])[1:] if word not in ("--json",)]
        assert words[0] == name
        command.make_context(name, words[1:])


@pytest.mark.parametrize("name", all_commands())
def test_every_command_takes_the_common_options_before_and_behind_its_name(name: str) -> None:
    for holder in (cli, cli.commands[name]):
        flags = {flag for parameter in holder.params for flag in parameter.opts}
        assert {"--config", "--store", "--json", "--verbose"} <= flags


def test_help_imports_nothing_heavy() -> None:
    script = """
import sys
from wheelfs.cli.main import main
main(["mount", "--help"], program="wheelfs")
print(sorted({"trio", "lmdb", "httpx2", "rich", "pyfuse3", "packaging", "asyncio"} & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


def test_a_call_from_mount_8_prints_nothing_and_has_a_path(monkeypatch: pytest.MonkeyPatch, run: Callable[..., Result]) -> None:
    paths: list[str] = []

    def spawn_daemon(arguments: Any, **settings: Any) -> detach.DaemonReady:
        paths.append(os.environ["PATH"])
        return detach.DaemonReady(1, {})

    monkeypatch.setattr(detach, "spawn_daemon", spawn_daemon)
    monkeypatch.delenv("PATH")
    assert run("none", "/m", "-o", "rw") == Result(0, "", "")
    assert "/usr/bin" in paths[0]


def test_version_is_printed(run: Callable[..., Result]) -> None:
    assert re.fullmatch(r"wheelfs \d+\.\d+.*\n", run("--version").out)


# --- errors and exit codes -------------------------------------------------------------------------------------------


def all_classes(base: type[errors.WheelfsError] = errors.WheelfsError) -> list[type[errors.WheelfsError]]:
    return [base, *(one for below in base.__subclasses__() for one in all_classes(below))]


@pytest.mark.parametrize("error_class", all_classes(), ids=lambda one: one.__name__)
def test_every_error_class_has_its_exit_code_in_text_and_in_json(
    error_class: type[errors.WheelfsError], fake: FakeApp, run: Callable[..., Result]
) -> None:
    fake.failure = error_class("do it", "it broke at https://me:hunter2@lab.example", "mend it")
    text = run("status")
    assert (text.code, text.out) == (error_class.exit_code, "")
    assert text.err == "wheelfs: do it: it broke at https://***@lab.example (mend it)\n"
    as_json = run("status", "--json")
    assert (as_json.code, as_json.err) == (error_class.exit_code, "")
    assert as_json.objects == [
        {
            "error": {
                "class": error_class.__name__,
                "message": "do it: it broke at https://***@lab.example (mend it)",
                "exit_code": error_class.exit_code,
            }
        }
    ]


def test_error_classes_have_exit_codes_of_their_own_and_docstrings() -> None:
    ends = [one for one in all_classes() if one is not errors.WheelfsError]
    codes = [one.exit_code for one in ends]
    assert len(set(codes)) == len(codes)
    assert not {0, 1, 130, 141} & set(codes)
    assert all(one.__doc__ for one in ends)


@pytest.mark.parametrize(
    "words", [(), ("mount",), ("frobnicate",), ("ls", "--nope"), ("mount", "/x", "-o", "indx=a"), ("add",), ("config", "conda")]
)
def test_a_command_line_that_makes_no_sense_is_a_usage_error(words: tuple[str, ...], run: Callable[..., Result]) -> None:
    text = run(*words)
    assert (text.code, text.out) == (2, "")
    assert text.err.startswith("wheelfs: ")
    as_json = run("--json", *words)
    assert as_json.code == 2
    assert as_json.objects[0]["error"]["class"] == "UsageError"


def test_an_exception_that_nobody_expected_is_an_internal_error(fake: FakeApp, run: Callable[..., Result]) -> None:
    fake.failure = ZeroDivisionError("oh")
    result = run("status", "--json")
    assert result.code == 70
    assert result.objects[0]["error"]["class"] == "InternalError"


def test_an_error_of_ours_inside_a_group_is_the_one_that_is_told(fake: FakeApp, run: Callable[..., Result]) -> None:
    fake.failure = ExceptionGroup("nursery", [ExceptionGroup("inner", [errors.StoreLocked("open", "it is locked")])])
    assert run("status").code == errors.StoreLocked.exit_code


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort(), BaseExceptionGroup("nursery", [KeyboardInterrupt()])])
def test_an_interrupt_ends_quietly_with_130(error: BaseException, fake: FakeApp, run: Callable[..., Result]) -> None:
    fake.failure = error
    assert run("status") == Result(130, "", "")


def test_a_reader_that_has_seen_enough_ends_ls_without_a_word() -> None:
    script = """
import itertools, sys
from wheelfs import app
from wheelfs.cli.main import main
from wheelfs.service.reports import ListedFile
file = ListedFile(filename="a.whl", project="a", version="1", state="stored", size_bytes=1, sha256=None, origin=None)
app.list_files = lambda settings, *, patterns: itertools.repeat(file, 1_000_000)
sys.exit(main(["ls"], program="wheelfs"))
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_a_full_disk_is_told_as_such(fake: FakeApp, run: Callable[..., Result]) -> None:
    fake.failure = OSError(28, "No space left on device")
    assert run("status").code == errors.StoreFull.exit_code


# --- add -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ([ADDED], 0),
        ([ADDED, REFUSED], 1),
        ([REFUSED], errors.InvalidInput.exit_code),
        ([TAKEN], errors.NameTaken.exit_code),
        ([TAKEN, REFUSED], errors.InvalidInput.exit_code),
        ([], errors.InvalidInput.exit_code),
    ],
)
def test_the_exit_code_of_add_tells_all_part_or_nothing(
    files: list[AddedFile], code: int, fake: FakeApp, run: Callable[..., Result]
) -> None:
    fake.added = files
    assert run("add", "x").code == code


def test_add_prints_one_object_per_file_and_passes_what_it_was_given(fake: FakeApp, run: Callable[..., Result]) -> None:
    fake.added = [ADDED, REFUSED]
    result = run("add", "--json", "a", "b", "--index", "lab")
    assert (fake.asked["sources"], fake.asked["index"]) == (["a", "b"], "lab")
    assert result.objects[0] == {
        "file": {
            "filename": WHEEL,
            "project": "lab-tools",
            "version": "1.0",
            "sha256": "ab" * 32,
            "size_bytes": 5,
            "result": "added",
            "reason": None,
            "error_class": None,
        }
    }
    assert result.objects[1]["file"]["result"] == "refused"
    assert result.err == ""


def test_add_tells_people_on_stdout_what_was_added_and_on_stderr_what_was_refused(
    fake: FakeApp, run: Callable[..., Result]
) -> None:
    fake.added = [ADDED, REFUSED]
    result = run("add", "x")
    assert result.out == f"added {WHEEL}\n"
    assert result.err == "wheelfs: refused x.whl: not a wheel filename\n"


# --- looking ---------------------------------------------------------------------------------------------------------


def test_ls_has_exactly_the_promised_fields_in_json(fake: FakeApp, run: Callable[..., Result]) -> None:
    fake.listed = [LISTED]
    result = run("--json", "ls", "lab*")
    assert fake.asked["patterns"] == ["lab*"]
    promised = {"filename", "project", "version", "state", "size_bytes", "sha256", "origin", "pinned", "private"}
    assert set(result.objects[0]) == promised


def test_ls_is_a_table_in_plain_columns_and_escapes_control_characters(fake: FakeApp, run: Callable[..., Result]) -> None:
    fake.listed = [
        LISTED,
        ListedFile(filename="a\x1b[2J", project="a", version=None, state="remote", size_bytes=None, sha256=None, origin=None),
    ]
    assert run("ls").out.splitlines() == [
        "PROJECT    VERSION  STATE   SIZE     ORIGIN  FILENAME",
        f"lab-tools  1.0      stored  1.9 MiB  local   {WHEEL} (private)",
        "a          -        remote  -        -       a\\x1b[2J",
    ]


def test_a_long_list_is_printed_whole(fake: FakeApp, run: Callable[..., Result]) -> None:
    fake.listed = [LISTED] * 1200
    assert len(run("ls").out.splitlines()) == 1201


def test_show_tells_of_a_project_and_of_a_file(fake: FakeApp, run: Callable[..., Result]) -> None:
    file = ShownFile(**{name: getattr(LISTED, name) for name in LISTED.__struct_fields__}, requires_python=">=3.9")
    fake.shown = file
    assert "requires python  >=3.9" in re.sub(" +", lambda match: match[0] if len(match[0]) < 3 else "  ", run("show", WHEEL).out)
    fake.shown = ShownProject(project="lab-tools", origin="local", versions=("1.0",), files=(file,))
    text = run("show", "lab-tools").out
    assert "versions  1.0" in text
    assert WHEEL in text
    assert run("show", "lab-tools", "--json").objects[0]["files"][0]["filename"] == WHEEL


def test_status_has_exactly_the_promised_fields_in_json(fake: FakeApp, run: Callable[..., Result]) -> None:
    value = run("status", "--json").objects[0]
    assert {"version", "store", "mounts", "origins", "offline", "counters"} <= set(value)
    assert value["mounts"] == [{"path": "/mnt/wheels", "pid": 7, "since": "2026-01-01T00:00:00Z"}]
    assert set(value["origins"][0]) == {"name", "url", "state", "since", "last_error"}
    assert {"requests", "fetched_bytes", "saved_bytes", "errors"} <= set(value["counters"])
    assert value["offline"] is False


def test_status_for_people_shows_trouble_and_no_password(fake: FakeApp, run: Callable[..., Result]) -> None:
    text = run("status").out
    assert "https://***@lab.example/  down since 2026-01-01T00:00:00Z: refused" in text
    assert "process 8 does not answer" in text
    assert "1 × open ENETUNREACH" in text


def test_config_shows_values_their_source_and_no_password(fake: FakeApp, run: Callable[..., Result], tmp_path: Path) -> None:
    text = run("config", "--store", "/s/flag")
    assert re.search(r"^store +/s/flag +--store$", text.out, re.MULTILINE)
    assert re.search(r"^lab +https://\*\*\*@lab.example/simple +pip's configuration$", text.out, re.MULTILINE)
    assert "hunter2" not in text.out
    value = run("--json", "config").objects[0]
    assert value["settings"]["store"] == {"value": str(tmp_path / "store"), "from": "WHEELFS_STORE"}
    assert value["indexes"] == [{"name": "lab", "url": "https://***@lab.example/simple", "from": "pip's configuration"}]
    assert set(value["lines"]) == {"pip", "uv", "poetry"}


def test_config_of_a_client_prints_its_lines_only(fake: FakeApp, run: Callable[..., Result]) -> None:
    lines = run("config", "pip", "--mount", "/mnt/my wheels").out.splitlines()
    assert lines[1:] == ["[global]", "index-url = file:///mnt/my%20wheels/here/simple"]
    assert 'find-links = ["/mnt/wheels"]' in run("config", "uv").out


# --- mount and umount ------------------------------------------------------------------------------------------------


def test_mount_in_the_foreground_prints_the_lines_with_the_real_path_when_ready(
    fake: FakeApp, run: Callable[..., Result], tmp_path: Path
) -> None:
    target = tmp_path / "my wheels"
    result = run("mount", "-f", str(target), "--index", "a=https://a.example/", "--index", "b=https://b.example/", "--offline")
    assert result.code == 0
    assert fake.asked["mountpoint"] == target
    assert [index.name for index in fake.asked["settings"].indexes] == ["a", "b"]
    assert fake.asked["settings"].offline is True
    assert f"pip install --index-url {(target / 'here/simple').as_uri()} PACKAGE" in result.out
    assert f"uv pip install --default-index {(target / 'here/simple').as_uri()} PACKAGE" in result.out
    assert f"--find-links '{target}'" in result.out
    (value,) = run("mount", "-f", str(target), "--json").objects
    assert set(value) == {"path", "pid", "store", "log", "lines"}


def test_mount_options_reach_the_settings(fake: FakeApp, run: Callable[..., Result], tmp_path: Path) -> None:
    store = tmp_path / "other"
    options = f"rw,noauto,_netdev,x-systemd.automount,store={store},offline,allow_other,nonempty,index=a=https://a.example/"
    assert run("mount", "-f", str(tmp_path), "-o", options).code == 0
    settings = fake.asked["settings"]
    assert (settings.store, settings.offline, settings.allow_other) == (store, True, True)
    assert settings.provenance["store"] == "-o store"
    assert fake.asked["options"].nonempty is True


def test_mount_leaves_a_daemon_and_tells_where_its_log_is(
    monkeypatch: pytest.MonkeyPatch, run: Callable[..., Result], tmp_path: Path
) -> None:
    spawned: dict[str, Any] = {}

    def spawn_daemon(arguments: Any, *, log_path: Path, ready_timeout_s: float, program: Any) -> detach.DaemonReady:
        spawned.update(arguments=arguments, log_path=log_path, program=program, environ=dict(os.environ))
        return detach.DaemonReady(4711, {"path": "/m", "store": "/s"})

    monkeypatch.setattr(detach, "spawn_daemon", spawn_daemon)
    result = run("mount", "/m", "--index", "lab=https://me:hunter2@lab.example/", "-o", "nonempty", "-v")
    assert result.code == 0, result.err
    assert spawned["arguments"] == ["mount", "--foreground", "-v", "-o", "nonempty", "--", "/m"]
    assert spawned["environ"]["WHEELFS_INDEX"] == "lab=https://me:hunter2@lab.example/"
    assert spawned["program"] == ("-P", "-m", "wheelfs")
    assert spawned["log_path"].parent.is_dir()
    assert f"process 4711, log: {spawned['log_path']}" in result.out


NOT_EMPTY = errors.MountPointError("mount", "it is not empty")


@pytest.mark.parametrize("failure", [NOT_EMPTY, ExceptionGroup("nursery", [NOT_EMPTY]), None])
def test_a_daemon_reports_to_its_parent_instead_of_printing(
    failure: Exception | None, fake: FakeApp, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[Any] = []
    monkeypatch.setattr(detach, "take_ready_fd", lambda: 99)
    monkeypatch.setattr(detach, "report_ready", lambda fd, payload: reports.append((fd, payload)))
    monkeypatch.setattr(detach, "report_error", lambda fd, error: reports.append((fd, error)))
    fake.failure = failure
    result = run("mount", "-f", "/m")
    assert result.out == ""
    assert reports == [(99, NOT_EMPTY if failure else {"path": "/m", "store": "/s"})]


def test_umount_needs_no_readable_configuration(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Any] = []

    def unmount(path: Path, *, lazy_if_busy: bool) -> bool:
        asked.append((path, lazy_if_busy))
        return not lazy_if_busy

    monkeypatch.setattr(umount, "unmount", unmount)
    monkeypatch.setenv("WHEELFS_OFFLINE", "nonsense")
    assert run("umount", "/m") == Result(0, "", "")
    assert "last open file" in run("umount", "--lazy", "/m").err
    assert asked == [(Path("/m"), False), (Path("/m"), True)]
