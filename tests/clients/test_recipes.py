"""The recipes of the guide: the commands of each page are run as they stand there, in order, by one user on one machine.

Only places and addresses are others. Where a page says ``<!-- the line goes -->``, the index stops answering.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from uv import find_uv_bin

from tests.fakes.mounts import mount_points, unmount_lazily
from tests.fakes.processes import ROOT, isolated_environment, run, wheelfs_command
from tests.fakes.s3 import S3Server
from tests.fakes.wheels import build_wheel, wheel_filename
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.index import FakeIndex
    from tests.fakes.processes import Finished

RECIPES = ROOT / "docs" / "guide" / "recipes"
CUT = "<!-- the line goes -->"
RECORDED = "first-hour.md"
"""The page that shows what commands print, too."""
CUT_LINES = "…"
PROJECT = '[project]\nname = "mine"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["app"]\n'
OWN = wheel_filename("labtool", "1.0")
GATEWAY = "http://gateway.example:8080"


def parts(page: str) -> list[str]:
    """Return the commands of a page as scripts, one up to where the line goes, and one from there on."""
    scripts = []
    for text in (RECIPES / page).read_text().split(CUT):
        blocks = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        lines = [line for block in blocks for line in block.splitlines()]
        assert page == RECORDED or all(line.startswith("$ ") for line in lines), "what commands print is told in words"
        scripts.append("\n".join(line.removeprefix("$ ") for line in lines if line.startswith("$ ")))
    return scripts


def recording() -> list[tuple[str, list[str]]]:
    """Return the commands of the recorded page in order, each with the lines that the page shows of what it prints."""
    blocks = re.findall(r"^```console\n(.*?)^```$", (RECIPES / RECORDED).read_text(), re.MULTILINE | re.DOTALL)
    commands = [piece for block in blocks for piece in re.split(r"^\$ ", block, flags=re.MULTILINE) if piece]
    return [(lines[0], [line for line in lines[1:] if line != CUT_LINES]) for lines in map(str.splitlines, commands)]


def without_figures(line: str) -> str:
    """Return a line with what differs from run to run and from machine to machine left out: addresses, figures, columns."""
    for pattern, instead in {r"https?://\S+": "URL", r"\d[\d.,:TZ-]*": "0", r"0 ([KMGT]i)?B\b": "0 B", r"\s+": " "}.items():
        line = re.sub(pattern, instead, line)
    return line.strip()


class User:
    """A user with a home, programs, a project and the index of the test; ``places`` are those of the pages, and ours."""

    def __init__(self, where: Path, index: FakeIndex) -> None:
        self.where = where
        self.work = where / "work"
        self.environment = isolated_environment(where / "home")
        for name in ("UV_NO_CONFIG", "PIP_CONFIG_FILE"):
            del self.environment[name]
        self.places = {
            f"/{place}": str(where / place)
            for place in ("mnt", "node", "shared", "local", "media/stick", "srv/backup", "srv/packages", "srv/mirrored")
        }
        # Root's would be the machine's own.
        self.environment |= {"WHEELFS_STORE": str(where / "store"), "WHEELFS_LOG_FILE": str(where / "mount.log")}
        self.places["/var/lib/wheelfs"] = str(where / "store")
        self.places[GATEWAY.removeprefix("http://")] = "unknown.invalid:1"
        config = Path(self.environment["XDG_CONFIG_HOME"]) / "wheelfs" / "config.toml"
        self.places["/etc/wheelfs.toml"] = str(config)
        config.parent.mkdir(parents=True)
        config.write_text(f'[[index]]\nname = "main"\nurl = "{index.url}"\n')
        self._fill(index)

    def _fill(self, index: FakeIndex) -> None:
        for place in (
            "mnt/wheels",
            "node/wheels",
            "media/stick/wheels",
            "srv/backup",
            "srv/packages",
            "srv/mirrored",
            "work/dist",
            "bin",
        ):
            (self.where / place).mkdir(parents=True)
        (self.where / "srv/mirrored" / wheel_filename("numbers", "1.0")).write_bytes(
            index.add_wheel("numbers", "1.0", big_bytes=300_000)[1]
        )
        for place in ("srv/packages", "work/dist"):
            (self.where / place / OWN).write_bytes(build_wheel("labtool", "1.0"))
        (self.work / "requirements.txt").write_text("app\n")
        (self.work / "pyproject.toml").write_text(PROJECT)
        for name, command in {
            "wheelfs": shlex.join(wheelfs_command()),
            "pip": f'{shlex.quote(sys.executable)} -m pip --python "$VIRTUAL_ENV"',
            "uv": shlex.quote(find_uv_bin()),
            "ci-wheelfs": shlex.quote(str(ROOT / "scripts" / "ci-wheelfs")),
        }.items():
            program = self.where / "bin" / name
            program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            program.chmod(0o755)
        environment = self.where / "venv"
        self.environment |= {"PATH": f"{self.where / 'bin'}:{environment / 'bin'}:{self.environment['PATH']}"}
        self.environment |= {"VIRTUAL_ENV": str(environment), "PYTHONPATH": str(ROOT), "UV_PROJECT_ENVIRONMENT": str(environment)}
        self.run(f"uv venv --quiet --python {shlex.quote(sys.executable)} {shlex.quote(str(environment))}")
        self.run(f"uv lock --quiet --default-index {index.url}")

    def fill_pip_cache(self, index: FakeIndex) -> None:
        """Have pip download something; what came without TLS it keeps only of a host that it trusts."""
        where = shlex.quote(str(self.where / "downloads"))
        self.run(f"pip download --quiet --dest {where} --trusted-host {urlsplit(index.url).netloc} --index-url {index.url} app")

    def run(self, script: str) -> None:
        """Run what a page shows, every command of which has to succeed."""
        self.try_to_run(script).succeeded()

    def try_to_run(self, script: str, **more: str) -> Finished:
        """Run a script, with the places of pages replaced and with ``more`` in the environment, and return how it ended."""
        for place, ours in sorted(self.places.items(), reverse=True):
            script = script.replace(place, ours)
        return run(["bash", "-euc", script], environment={**self.environment, **more}, cwd=self.work)


@pytest.fixture
def user(fake_index: FakeIndex, tmp_path: Path) -> Iterator[User]:
    fake_index.add_wheel("app", "1.0", requires=["numbers<3"])
    fake_index.add_wheel("numbers", "2.0", big_bytes=300_000)
    for tag in ("cp312-cp312-win_amd64", "cp312-cp312-macosx_11_0_arm64"):
        fake_index.add_wheel("fast", "1.0", tag=tag)
    yield User(tmp_path, fake_index)
    for left in mount_points(tmp_path):
        unmount_lazily(left)


def follow(user: User, page: str, index: FakeIndex) -> None:
    for number, script in enumerate(parts(page)):
        if number:
            index.stop()
        user.run(script)


def test_the_first_hour_prints_what_its_recording_shows(user: User) -> None:
    for command, shown in recording():
        printed = user.try_to_run(f"{{ {command}; }} 2>&1").succeeded().stdout
        for place, ours in user.places.items():
            printed = printed.replace(ours, place)
        lines = iter(map(without_figures, printed.splitlines()))
        missing = [line for line in shown if without_figures(line) not in lines]  # in this order: `in` goes on where it was
        assert missing == [], f"{command}\n{printed}"


@pytest.mark.parametrize("page", ["laptop.md", "ci.md", "air-gap.md", "backups.md", "cluster.md"])
def test_a_recipe_works_as_it_stands(user: User, fake_index: FakeIndex, page: str) -> None:
    follow(user, page, fake_index)


SYNC = "ci-wheelfs cache uv sync --frozen --reinstall --no-cache"


def job(user: User, script: str, **more: str) -> tuple[Finished, dict[str, str]]:
    """Run a job on a machine that has nothing but the archive of the one before, and return its end and its outputs."""
    user.try_to_run("if [ -e saved.tar ]; then rm -rf cache && mkdir cache && tar -xf saved.tar -C cache; fi").succeeded()
    outputs = user.work / "outputs"
    outputs.unlink(missing_ok=True)
    done = user.try_to_run(script, GITHUB_OUTPUT=str(outputs), **more)
    user.try_to_run("tar -cf saved.tar -C cache .").succeeded()
    return done, dict(line.split("=") for line in outputs.read_text().splitlines())


def files_asked_for(index: FakeIndex) -> list[str]:
    return [request.path for request in index.requests if request.path.endswith(".whl")]


def test_jobs_in_turn_fetch_what_is_new_and_save_nothing_else(user: User, fake_index: FakeIndex) -> None:
    first, outputs = job(user, SYNC)
    first.succeeded()
    assert outputs["changed"] == "true"
    fetched = len(files_asked_for(fake_index))
    assert fetched >= 2
    again, same = job(user, SYNC)
    again.succeeded()
    assert (same["key"], same["changed"], len(files_asked_for(fake_index))) == (outputs["key"], "false", fetched)
    fake_index.add_wheel("numbers", "2.1", big_bytes=300_000)
    user.run(f"uv lock --quiet --upgrade --default-index {fake_index.url}")
    newer, other = job(user, SYNC)
    newer.succeeded()
    assert other["changed"] == "true"
    assert {path.rsplit("/", 1)[-1] for path in files_asked_for(fake_index)[fetched:]} == {wheel_filename("numbers", "2.1")}
    fake_index.stop()
    job(user, SYNC, WHEELFS_OFFLINE="true")[0].succeeded()


def test_a_job_ends_as_its_command_does_and_loses_what_no_job_uses(user: User) -> None:
    job(user, SYNC)[0].succeeded()
    done, outputs = job(user, "ci-wheelfs cache sh -c 'exit 7'", CI_WHEELFS_UNUSED="0")
    assert (done.returncode, outputs["changed"]) == (7, "true")
    assert f"removed {wheel_filename('numbers', '2.0')}" in done.stderr
    assert user.try_to_run("wheelfs --store cache/store --json ls").stdout == ""


def test_a_job_goes_on_with_a_new_store_where_the_archive_holds_none_that_works(user: User) -> None:
    first, saved = job(user, SYNC)
    first.succeeded()
    user.try_to_run("echo 'no store' > cache/store/format && tar -cf saved.tar -C cache .").succeeded()
    done, outputs = job(user, SYNC)
    done.succeeded()
    assert "cannot be used; a new one is made, and this one kept as cache/store.unusable" in done.stderr
    assert (user.work / "cache" / "store.unusable" / "format").read_text() == "no store\n"
    assert outputs["changed"] == "true", "or the archive that holds none would be kept"
    assert outputs["key"] != saved["key"], "a service keeps one archive of a key, and never another one"
    assert job(user, SYNC)[1] == {**outputs, "changed": "false"}
    assert user.try_to_run("wheelfs --store cache/store ls").succeeded().stdout


def test_no_store_is_replaced_for_another_reason(user: User) -> None:
    job(user, SYNC)[0].succeeded()
    missing = user.try_to_run(
        "mkdir none && ln -s $(command -v sh mkdir cat rm) none && PATH=$PWD/none $(command -v ci-wheelfs) cache true"
    )
    assert missing.returncode != 0
    assert user.try_to_run("ulimit -v 8000000; ci-wheelfs cache true").returncode == 40, "too little for the store's map"
    assert len(user.try_to_run("wheelfs --store cache/store --json ls").stdout.splitlines()) == 2


def test_what_is_not_its_own_stays_as_it_is(user: User) -> None:
    mine, key = user.work / "store" / "mine.py", user.work / "key"
    mine.parent.mkdir()
    mine.write_text("1\n")
    assert user.try_to_run("ci-wheelfs . true").returncode == 44
    assert mine.read_text() == "1\n"
    key.write_text("my secret\n")
    assert user.try_to_run("ci-wheelfs . true").returncode == 2
    assert key.read_text() == "my secret\n"


def test_the_gateways_unit_has_the_store_that_the_commands_beside_it_fill(user: User) -> None:
    [line] = [line for line in parts("other-systems.md")[0].splitlines() if "service install gateway" in line]
    printed = user.try_to_run(f"env -u WHEELFS_STORE {line}").succeeded().stdout
    assert f"--store {user.places['/var/lib/wheelfs']} serve" in printed, "root's own, where no command names another"


@pytest.mark.parametrize("page", ["moving.md", "other-systems.md"])
def test_a_recipe_with_a_gateway_works_as_it_stands(user: User, fake_index: FakeIndex, page: str) -> None:
    with Serving(user.where / "gateway", "--index", f"main={fake_index.url}") as gateway:
        user.places[GATEWAY.removeprefix("http://")] = urlsplit(gateway.url).netloc
        # The gateway's own machine has the same store as its administrator.
        user.environment["WHEELFS_STORE"] = user.places["/var/lib/wheelfs"] = str(gateway.store)
        user.fill_pip_cache(fake_index)
        follow(user, page, fake_index)


@pytest.mark.real_index
def test_the_recipe_of_a_bucket_works_as_it_stands(user: User, fake_index: FakeIndex) -> None:
    with S3Server(user.where) as server:
        user.environment |= server.environment
        follow(user, "s3.md", fake_index)


def test_every_recipe_is_run_and_listed() -> None:
    pages = {path.name for path in RECIPES.glob("*.md")} - {"README.md"}
    source = Path(__file__).read_text()
    assert {page for page in pages if f'"{page}"' in source} == pages
    assert pages <= set(re.findall(r"\((\S+\.md)\)", (RECIPES / "README.md").read_text()))
    assert os.sep not in "".join(pages)
