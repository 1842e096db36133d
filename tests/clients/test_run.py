"""``wheelfs run``: locks stay untouched, and everything comes from the store."""

from __future__ import annotations

import hashlib
import json
import signal
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from tests.fakes.index import FakeIndex
from tests.fakes.processes import run
from tests.fakes.runs import UV, Runs, ended, project, python
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, sdist_filename, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import RunWheelfs
    from tests.fakes.processes import Finished

NAMES = [f"part-{number}" for number in range(30)]
UV_QUIET = (UV, "--quiet")


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex(tls=True, page_format="json") as index:
        for number, name in enumerate(NAMES):
            index.add_wheel(name, "1.0", requires=NAMES[number + 1 : number + 2])
        yield index


@pytest.fixture
def runs(tmp_path: Path, index: FakeIndex) -> Runs:
    return Runs(tmp_path / "runs", index)


def installed(directory: Path) -> set[str]:
    return {path.name for path in directory.glob(".venv/lib/python*/site-packages/part_*.dist-info")}


# --- a canonical lock ----------------------------------------------------------------------------------------------------


def test_a_canonical_lock_syncs_frozen_online_then_offline_and_stays_as_it_is(
    no_route: None, runs: Runs, index: FakeIndex, tmp_path: Path
) -> None:
    app = project(tmp_path / "app", "part-0", index=index)
    runs.straight(*UV_QUIET, "lock", cwd=app).succeeded()
    lock = (app / "uv.lock").read_bytes()
    index.reset_counters()

    runs.wheelfs(*UV_QUIET, "sync", "--frozen", "--no-install-project", cwd=app).succeeded()
    assert len(installed(app)) == 30
    fetched = [request for request in index.requests if request.path.endswith(".whl")]
    assert len(fetched) == 30, "each file crosses the line once"
    assert index.requests_for("/simple/pip/") == [], "the lock says where the index's files are"

    index.stop()
    (tmp_path / "gone").mkdir()
    (app / ".venv").rename(tmp_path / "gone" / "venv")
    index.reset_counters()
    runs.wheelfs(*UV_QUIET, "sync", "--frozen", "--no-install-project", cwd=app).succeeded()
    assert len(installed(app)) == 30
    assert index.requests == []
    assert (app / "uv.lock").read_bytes() == lock
    assert list(runs.temporary.glob("wheelfs-run-*")) == []


@pytest.mark.parametrize(
    ("page_format", "habits"),
    [("json", "all"), ("html", "all"), ("json", "no sizes"), ("html", "no hashes"), ("json", "no upload times")],
)
def test_a_lock_that_is_made_is_the_lock_made_straight(tmp_path: Path, page_format: str, habits: str) -> None:
    with FakeIndex(
        tls=True,
        page_format="json" if page_format == "json" else "html",
        sizes=habits != "no sizes",
        hashes=habits != "no hashes",
        upload_times=habits != "no upload times",
    ) as index:
        for version in ("1.0", "2.0"):
            index.add_wheel("demo", version, requires=["lib"])
        index.add_wheel("lib", "1.0", tag="py3-none-any")
        index.add(
            wheel_filename("lib", "1.0", tag="cp311-cp311-win_amd64"), build_wheel("lib", "1.0", tag="cp311-cp311-win_amd64")
        )
        runs = Runs(tmp_path / "runs", index)
        app = project(tmp_path / "app", "demo", index=index)
        runs.straight(*UV_QUIET, "lock", cwd=app).succeeded()
        straight = (app / "uv.lock").read_bytes()
        for _ in range(2):  # the second time with files stored, of which wheelfs knows more than the index tells
            (app / "uv.lock").unlink()
            runs.wheelfs(*UV_QUIET, "lock", cwd=app).succeeded()
            assert (app / "uv.lock").read_bytes() == straight
            runs.wheelfs(*UV_QUIET, "sync", "--frozen", "--no-install-project", cwd=app).succeeded()
        index.stop()
        runs.wheelfs(*UV_QUIET, "lock", "--check", cwd=app).succeeded()
        (app / "uv.lock").unlink()
        runs.wheelfs(*UV_QUIET, "lock", cwd=app, options=("--offline",)).succeeded()
        offline = (app / "uv.lock").read_bytes()
        assert offline == straight, "versions that are stored are listed with all of their files, stored or not"


def test_pip_installs_by_hashes_online_then_offline(runs: Runs, index: FakeIndex, tmp_path: Path) -> None:
    lines = []
    for name in NAMES:
        digest = hashlib.sha256(
            build_wheel(name, "1.0", requires=NAMES[NAMES.index(name) + 1 : NAMES.index(name) + 2])
        ).hexdigest()
        lines.append(f"{name}==1.0 --hash=sha256:{digest}\n")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("".join(lines))
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-cache-dir", "-i", index.url)
    runs.wheelfs(*pip, "--target", str(tmp_path / "one"), "-r", str(requirements)).succeeded()
    index.stop()
    runs.wheelfs(*pip, "--target", str(tmp_path / "two"), "-r", str(requirements)).succeeded()
    assert len(list((tmp_path / "two").glob("part_*.dist-info"))) == 30


def test_files_on_a_host_of_their_own_are_answered_too(tmp_path: Path) -> None:
    with FakeIndex(tls=True) as index:
        filename = index.add_wheel("demo", "1.0")[0]
        elsewhere = index.file_url(filename).replace("127.0.0.1", "localhost")
        digest = hashlib.sha256(build_wheel("demo", "1.0")).hexdigest()
        files = [{"filename": filename, "url": elsewhere, "hashes": {"sha256": digest}}]
        page = {"meta": {"api-version": "1.0"}, "name": "demo", "files": files}
        index.set_page("demo", json.dumps(page).encode(), "application/vnd.pypi.simple.v1+json")
        index.set_page("pip", json.dumps(page | {"name": "pip", "files": []}).encode(), "application/vnd.pypi.simple.v1+json")
        runs = Runs(tmp_path / "runs", index)
        app = project(tmp_path / "app", "demo", index=index)
        runs.straight(*UV_QUIET, "lock", cwd=app).succeeded()
        runs.wheelfs(*UV_QUIET, "sync", "--frozen", "--no-install-project", cwd=app).succeeded()
        index.stop()
        again = project(tmp_path / "again", "demo", index=index)
        (again / "uv.lock").write_bytes((app / "uv.lock").read_bytes())
        runs.wheelfs(*UV_QUIET, "sync", "--frozen", "--no-install-project", cwd=again).succeeded()


# --- where an index's files are ------------------------------------------------------------------------------------------


LEARNS = """
import sys, urllib.request
print("begun", flush=True)
sys.stdin.readline()
with urllib.request.urlopen(sys.argv[1]) as answer:
    print(len(answer.read()))
"""


def test_a_command_begins_while_the_hosts_of_files_are_being_learned_and_only_its_trust_waits(tmp_path: Path) -> None:
    with FakeIndex(tls=True) as index:
        index.add_wheel("demo", "1.0")
        filename, content = index.add_wheel("pip", "1.0")
        elsewhere = index.file_url(filename).replace("127.0.0.1", "localhost")
        files = [{"filename": filename, "url": elsewhere, "hashes": {"sha256": hashlib.sha256(content).hexdigest()}}]
        page = {"meta": {"api-version": "1.0"}, "name": "pip", "files": files}
        index.set_page("pip", json.dumps(page).encode(), "application/vnd.pypi.simple.v1+json")
        runs = Runs(tmp_path / "runs", index)
        index.hang()
        with runs.started(*python(LEARNS), elsewhere) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline() == "begun\n", "while the index says nothing"
            index.unhang()
            process.stdin.write("\n")
            process.stdin.close()
            assert process.stdout.readline() == f"{len(content)}\n"
            assert process.wait(60) == 0
        assert [(file["filename"], file["origin"]) for file in runs.listed()] == [(filename, "main")]


WITHOUT_LEASES = """
import sys
from wheelfs.cli.main import main
from wheelfs.frontends.http.proxy.bundle import Bundle
Bundle.hold = lambda bundle: False
sys.exit(main(sys.argv[1:]))
"""


def test_where_files_cannot_be_held_the_command_starts_when_all_is_there(runs: Runs, index: FakeIndex) -> None:
    def without_leases(*command: str) -> Finished:
        return run([*python(WITHOUT_LEASES), *runs.options(), *command], environment=runs.environment(), cwd=runs.directory)

    assert without_leases(*python(GET), f"{index.url}/part-29/").succeeded().stdout.startswith("200")
    assert without_leases(*python("raise SystemExit(42)")).returncode == 42
    assert without_leases("no-such-command").returncode == 127
    assert list(runs.temporary.glob("wheelfs-run-*")) == []


# --- what no page lists ---------------------------------------------------------------------------------------------------


def test_a_file_that_no_page_lists_is_fetched_from_its_url_and_kept_as_a_download(
    runs: Runs, index: FakeIndex, tmp_path: Path
) -> None:
    index.add_wheel("hidden", "1.0")
    index.set_page("hidden", b"<!DOCTYPE html><title>Links for hidden</title><h1>Links for hidden</h1>")
    url = index.file_url(wheel_filename("hidden", "1.0"))
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-deps", "--target")
    runs.wheelfs(*pip, str(tmp_path / "one"), url).succeeded()
    assert [(file["filename"], file["origin"]) for file in runs.listed()] == [(wheel_filename("hidden", "1.0"), "download")]
    index.stop()
    runs.wheelfs(*pip, str(tmp_path / "two"), url).succeeded()
    assert (tmp_path / "two" / "hidden").is_dir()


def test_a_lock_with_another_hash_is_refused_by_the_client_and_the_store_stays_good(
    runs: Runs, index: FakeIndex, tmp_path: Path
) -> None:
    app = project(tmp_path / "app", "part-29", index=index)
    runs.straight(*UV_QUIET, "lock", cwd=app).succeeded()
    lock = (app / "uv.lock").read_text()
    digest = hashlib.sha256(build_wheel("part-29", "1.0")).hexdigest()
    (app / "uv.lock").write_text(lock.replace(digest, "0" * 64))
    refused = runs.wheelfs(*UV_QUIET, "sync", "--frozen", "--no-install-project", cwd=app)
    assert refused.returncode != 0
    assert "ash mismatch" in refused.stderr
    (app / "uv.lock").write_text(lock)
    index.stop()
    runs.wheelfs(*UV_QUIET, "sync", "--frozen", "--no-install-project", cwd=app).succeeded()


def test_a_private_wheel_installs_by_name(runs: Runs, run_wheelfs: RunWheelfs, index: FakeIndex, tmp_path: Path) -> None:
    wheel = tmp_path / wheel_filename("lab-tools", "1.0")
    wheel.write_bytes(build_wheel("lab-tools", "1.0", requires=["part-29"]))
    run_wheelfs("--store", str(runs.store), "add", str(wheel)).succeeded()
    wheel.unlink()
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "-i", index.url, "--target", str(tmp_path / "to"))
    runs.wheelfs(*pip, "lab-tools").succeeded()
    assert (tmp_path / "to" / "part_29").is_dir()


GET = """
import sys, urllib.error, urllib.request
try:
    with urllib.request.urlopen(urllib.request.Request(sys.argv[1], data=b"data" if "post" in sys.argv else None)) as answer:
        print(answer.status, answer.read().decode()[:60])
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode()[:200], error.headers["Retry-After"])
"""


def test_what_is_no_business_of_ours_is_passed_on_or_offline_refused(runs: Runs, index: FakeIndex) -> None:
    said = runs.wheelfs(*python(GET), f"{index.origin}/account/login").succeeded().stdout
    assert said.startswith("404"), "the index has said so itself"
    assert index.requests_for("/account/login")
    index.reset_counters()
    said = runs.wheelfs(*python(GET), f"{index.origin}/account/login", options=("--offline",)).succeeded().stdout
    assert said.startswith("504")
    assert "lets nothing out" in said
    assert index.requests == []


def test_what_poetry_asks_of_a_version_is_said_by_the_store_while_the_index_is_away(runs: Runs, index: FakeIndex) -> None:
    get = (*python(GET.replace("[:60]", "")), f"{index.origin}/pypi/part-29/1.0/json")
    assert runs.wheelfs(*get).succeeded().stdout.startswith("404"), "the index has said so itself"
    filename = wheel_filename("part-29", "1.0")
    runs.wheelfs(*python(GET.replace(".decode()", "")), index.file_url(filename)).succeeded()
    index.stop()
    for options in ((), ("--offline",)):
        status, body = runs.wheelfs(*get, options=options).succeeded().stdout.split(" ", 1)
        assert (status, [file["url"] for file in json.loads(body)["urls"]]) == ("200", [index.file_url(filename)])
    unknown = runs.wheelfs(*get[:-1], get[-1].replace("1.0", "2.0"), options=("--offline",)).succeeded().stdout
    assert unknown.startswith("504"), "the index may have it"


def test_pip_does_not_wait_for_what_never_comes_while_offline(runs: Runs, index: FakeIndex) -> None:
    pip = (sys.executable, "-m", "pip", "download", "--no-cache-dir", "-i", index.url, "no-such-thing")
    assert runs.wheelfs(*pip, options=("--offline",)).stderr.count("wheelfs: request failed") == 1
    said = runs.wheelfs(*python(GET), f"{index.url}/no-such-thing/", options=("--offline",)).succeeded().stdout.split()
    assert (said[0], said[-1]) == ("504", "None")


def test_a_name_spelled_another_way_is_led_to_its_page(runs: Runs, index: FakeIndex) -> None:
    assert runs.wheelfs(*python(GET), f"{index.url}/Part_29").succeeded().stdout.startswith("200")
    assert len(index.requests_for("/part-29/")) == 1, "answered here, after one request for the page"
    assert runs.wheelfs(*python(GET), f"{index.url}/no-such-thing/").succeeded().stdout.startswith("404")


# --- the command ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 42])
def test_the_exit_code_is_the_commands(runs: Runs, code: int) -> None:
    assert runs.wheelfs(*python(f"raise SystemExit({code})"), options=("--offline",)).returncode == code


def test_a_command_that_is_missing_or_may_not_be_run_is_named(runs: Runs, tmp_path: Path) -> None:
    missing = runs.wheelfs("no-such-command", options=("--offline",))
    assert (missing.returncode, "no-such-command" in missing.stderr) == (127, True)
    (tmp_path / "plain").write_text("text")
    assert runs.wheelfs(str(tmp_path / "plain"), options=("--offline",)).returncode == 126


def test_only_errors_of_starting_the_command_are_the_commands(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "no-program").write_bytes(b"\x7fELF")
    (tmp_path / "no-program").chmod(0o755)
    ended = runs.wheelfs(str(tmp_path / "no-program"), options=("--offline",))
    assert (ended.returncode, "Traceback" in ended.stderr) == (126, False)
    unusable = {"XDG_RUNTIME_DIR": "/nonexistent/run", "TMPDIR": "/nonexistent/tmp"}
    runs.wheelfs(*python("print(1)"), options=("--offline",), environment=unusable).succeeded()


def test_a_proxy_that_cannot_be_used_is_told_before_the_command_starts(runs: Runs) -> None:
    ended = runs.wheelfs(*python("print('started')"), environment={"ALL_PROXY": "socks5://127.0.0.1:9"})
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "ALL_PROXY names" in ended.stderr


def test_options_of_the_command_are_the_commands(runs: Runs) -> None:
    shown = runs.wheelfs(*python("import sys; print(sys.argv[1:])"), "--offline", "--json", options=("--offline",)).succeeded()
    assert shown.stdout == "['--offline', '--json']\n"


WAITS = "import os, signal, sys, time\nprint(os.environ['SSL_CERT_FILE'], flush=True)\nwhile True: signal.pause()"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_behind_however_a_run_ends(runs: Runs, number: signal.Signals) -> None:
    with runs.started(*python(WAITS), options=("--offline",)) as process:
        assert process.stdout is not None
        bundle = process.stdout.readline().strip()
        assert bundle.startswith(str(runs.temporary))
        status = ended(process, number)
        assert status == (-number if number != signal.SIGINT else status)
        assert process.stdout.read() == "", "the command has ended, too"
    eventually(lambda: list(runs.temporary.glob("wheelfs-run-*")) == [])


MANY = """
import concurrent.futures, sys, urllib.request
def get(url):
    with urllib.request.urlopen(url) as answer:
        return len(answer.read())
with concurrent.futures.ThreadPoolExecutor(50) as pool:
    print(sum(pool.map(get, sys.argv[1:])))
"""


def test_fifty_at_a_time_fetch_each_file_once(runs: Runs, index: FakeIndex) -> None:
    urls = [index.file_url(wheel_filename(name, "1.0")) for name in NAMES] * 2
    said = runs.wheelfs(*python(MANY), *urls).succeeded().stdout
    sizes = [len(build_wheel(name, "1.0", requires=NAMES[at + 1 : at + 2])) for at, name in enumerate(NAMES)]
    assert int(said) == 2 * sum(sizes)
    assert index.body_bytes(".whl") <= sum(sizes)


def test_two_runs_at_once_share_the_store(runs: Runs, index: FakeIndex) -> None:
    url = index.file_url(wheel_filename("part-0", "1.0"))
    with runs.started(*python(MANY), url) as one, runs.started(*python(MANY), url) as other:
        assert one.wait(60) == other.wait(60) == 0


def test_a_dead_proxy_of_the_callers_is_named_and_hangs_nothing(runs: Runs, index: FakeIndex) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}"
    said = runs.wheelfs(*python(GET), "http://elsewhere.example/", environment={"HTTP_PROXY": dead}).succeeded().stdout
    assert said.startswith("502")
    assert dead.removeprefix("http://") in said


def test_an_sdist_is_served_as_it_is(runs: Runs, index: FakeIndex) -> None:
    filename = sdist_filename("source", "1.0")
    index.add(filename, b"\x1f\x8b" + bytes(1000))
    assert runs.wheelfs(*python(MANY), index.file_url(filename)).succeeded().stdout == "1002\n"


def test_a_lock_that_names_a_mount_is_cleaned_and_keeps_its_versions(tmp_path: Path) -> None:
    with FakeIndex(tls=True) as index:
        index.add_wheel("demo", "1.0")
        runs = Runs(tmp_path / "runs", index)
        folder = tmp_path / "simple" / "demo"
        folder.mkdir(parents=True)
        wheel = wheel_filename("demo", "1.0")
        (folder / wheel).write_bytes(build_wheel("demo", "1.0"))
        (folder / "index.html").write_text(f'<!DOCTYPE html><a href="{wheel}">{wheel}</a>')
        app = project(tmp_path / "app", "demo", index=index)
        described = (app / "pyproject.toml").read_text()
        (app / "pyproject.toml").write_text(described.partition("[[tool")[0])
        runs.straight(*UV_QUIET, "lock", "--default-index", (tmp_path / "simple").as_uri(), cwd=app).succeeded()
        assert str(tmp_path / "simple") in (app / "uv.lock").read_text() or "../simple" in (app / "uv.lock").read_text()
        index.add_wheel("demo", "2.0")
        (app / "pyproject.toml").write_text(described)
        runs.wheelfs(*UV_QUIET, "lock", cwd=app).succeeded()
        lock = (app / "uv.lock").read_text()
        assert index.file_url(wheel) in lock
        assert "simple/demo" not in lock
