from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import click
import msgspec
import pytest

from tests.fakes.processes import isolated_environment
from wheelfs import errors
from wheelfs.cli.command import all_commands
from wheelfs.cli.main import cli
from wheelfs.frontends.fuse.mount import daemon
from wheelfs.reports.files import AddedFile, ListedFile, ShownFile, ShownProject
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


from tests.unit.cli.fake_app import FakeApp, Result

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


@pytest.mark.parametrize("name", all_commands(cli))
def test_every_command_has_help_with_examples_that_parse(name: str, run: Callable[..., Result]) -> None:
    command = all_commands(cli)[name]
    examples = command.examples  # type: ignore[attr-defined]
    shown = run(*name.split(), "--help")
    assert shown.code == 0
    assert "Examples:" in shown.out
    assert command.short_help
    assert examples
    ours = [example for example in examples if example.startswith("wheelfs ")]
    assert any(f" {name}" in example for example in ours)
    for example in ours:
        words = [word for word in shlex.split(example.partition(" | ")[0].partition(" > ")[0])[1:] if word not in ("--json",)]
        depth = len(name.split())
        assert words[:depth] == name.split()
        command.make_context(name, words[depth:])


@pytest.mark.parametrize("name", all_commands(cli))
def test_every_command_takes_the_common_options_before_and_behind_its_name(name: str) -> None:
    for holder in (cli, all_commands(cli)[name]):
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


@pytest.mark.parametrize(
    ("command", "without"),
    [
        ("--version", {"wheelfs.cli.commands.mount", "wheelfs.app", "logging.handlers", "shutil", "socket", "tomllib"}),
        ("status", {"wheelfs.cli.commands.mount", "trio", "lmdb", "packaging", "logging.handlers", "tempfile"}),
        ("ls", {"wheelfs.cli.commands.mount", "trio", "packaging.requirements", "email", "configparser"}),
    ],
)
def test_a_short_command_imports_only_what_it_needs(command: str, without: set[str], tmp_path: Path) -> None:
    # With an index of its own: else pip and uv are asked for theirs, by what they have on this machine.
    environment = {**isolated_environment(tmp_path), "WHEELFS_INDEX": "lab=https://index.example/simple"}
    Store.open(tmp_path / "store").close()
    script = f"""
import sys
from wheelfs.cli.main import main
code = main(["--store", {str(tmp_path / "store")!r}, {command!r}], program="wheelfs")
print(code, *sorted({without!r} & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "0"


def test_a_call_from_mount_8_prints_nothing_and_has_a_path(monkeypatch: pytest.MonkeyPatch, run: Callable[..., Result]) -> None:
    paths: list[str] = []

    def spawn_daemon(arguments: Any, **settings: Any) -> daemon.DaemonReady:
        paths.append(os.environ["PATH"])
        return daemon.DaemonReady(1, {})

    monkeypatch.setattr(daemon, "spawn_daemon", spawn_daemon)
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
    "words", [("mount",), ("frobnicate",), ("ls", "--nope"), ("mount", "/x", "-o", "indx=a"), ("add",), ("config", "conda")]
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
from wheelfs.reports.files import ListedFile
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
            "repacked": False,
            "fetched_bytes": None,
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


def test_add_says_when_no_index_of_that_name_is_configured_and_refuses_what_can_be_none(
    fake: FakeApp, run: Callable[..., Result]
) -> None:
    fake.added = [ADDED]
    result = run("add", "x", "--index", "lba")
    assert result.code == 0
    assert "no index 'lba' is configured here" in result.err
    assert fake.asked["index"] == "lba", "a mount may get it by its own --index"
    for name in ("local", "../x", ""):
        refused = run("add", "x", "--index", name)
        assert (refused.code, "add --index: the name" in refused.err) == (2, True)


# --- looking ---------------------------------------------------------------------------------------------------------


def test_ls_has_exactly_the_promised_fields_in_json(fake: FakeApp, run: Callable[..., Result]) -> None:
    fake.listed = [LISTED]
    result = run("--json", "ls", "lab*")
    assert fake.asked["patterns"] == ["lab*"]
    promised = {
        "filename",
        "project",
        "version",
        "state",
        "size_bytes",
        "sha256",
        "origin",
        "pinned",
        "private",
        "repacked",
        "also",
    }
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


def test_ls_sums_up_beside_the_table_and_lists_what_is_asked_for(fake: FakeApp, run: Callable[..., Result]) -> None:
    small = msgspec.structs.replace(LISTED, filename="a", size_bytes=10, private=False)
    private = msgspec.structs.replace(LISTED, filename="b", size_bytes=2048)
    pinned = msgspec.structs.replace(small, filename="c", size_bytes=1024, pinned=True)
    fake.listed = [small, private, pinned]
    assert run("ls").err == "wheelfs: 3 files, 3.0 KiB\n"
    assert [line["filename"] for line in run("ls", "--sort", "size", "--json").objects] == ["b", "c", "a"]
    assert [line["filename"] for line in run("ls", "--private", "--json").objects] == ["b"]
    assert [line["filename"] for line in run("ls", "--pinned", "--json").objects] == ["c"]
    assert run("ls", "--private", "--pinned").err.startswith("wheelfs: no private pinned file in ")
    assert run("ls", "--json").err == ""
    fake.listed = [msgspec.structs.replace(small, state="partial")]
    assert run("ls").err == "wheelfs: 1 file, 0 B, and 10 B that are not stored whole\n"


def test_a_long_list_is_printed_whole(fake: FakeApp, run: Callable[..., Result]) -> None:
    fake.listed = [LISTED] * 1200
    assert len(run("ls").out.splitlines()) == 1201


@pytest.mark.parametrize(
    ("words", "told"), [(["ls"], "no stored file in /s (wheelfs fetch"), (["ls", "x*"], "no stored file matches in /s")]
)
def test_an_empty_list_says_beside_it_that_it_is_one(
    fake: FakeApp, run: Callable[..., Result], words: list[str], told: str
) -> None:
    result = run("--store", "/s", *words)
    assert (result.code, result.out) == (0, "")
    assert told in result.err
    assert run("--json", "--store", "/s", *words).err == ""


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
    [mount] = value["mounts"]
    assert (mount["path"], mount["pid"], mount["since"]) == ("/mnt/wheels", 7, "2026-01-01T00:00:00Z")
    assert set(value["origins"][0]) == {"name", "kind", "url", "state", "since", "last_error"}
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
    assert re.search(r"^network.page-ttl-s +600 +default$", text.out, re.MULTILINE), "as one would write it in the file"
    assert re.search(r"^offline.always +false +default$", text.out, re.MULTILINE)
    for name, written in (
        ("cache.low-water", "80%"),
        ("cache.min-free", "100MB"),
        ("flat.pythons", "all"),
        ("cache.quota", "none"),
        ("delta-sources", "none"),
        ("serve.token-file", "none"),
    ):
        assert re.search(rf"^{name} +{written} +default$", text.out, re.MULTILINE), name
    assert "hunter2" not in text.out
    value = run("--json", "config").objects[0]
    assert value["settings"]["store"] == {"value": str(tmp_path / "store"), "from": "WHEELFS_STORE"}
    assert value["indexes"] == [{"name": "lab", "url": "https://***@lab.example/simple", "from": "pip's configuration"}]
    assert set(value["lines"]) == {"pip", "uv", "poetry", "pdm"}


def test_config_of_a_client_prints_its_lines_only(fake: FakeApp, run: Callable[..., Result]) -> None:
    lines = run("config", "pip", "--mount", "/mnt/my wheels").out.splitlines()
    assert lines[1:3] == ["[global]", "index-url = file:///mnt/my%20wheels/here/simple"]
    assert lines[-1] == "# $ pip install --no-index --find-links '/mnt/my wheels' PACKAGE"
    assert 'index-url = "file:///mnt/wheels/here/simple"' in run("config", "uv").out
