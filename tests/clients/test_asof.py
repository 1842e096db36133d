"""``asof/TIME`` gives uv what ``uv --exclude-newer TIME`` takes from the index itself: the same versions with the same files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.real_index import machine_settings
from tests.fakes.wheels import build_sdist, build_wheel, sdist_filename, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import MountWheelfs
    from tests.fakes.clients import Clients, Uv
    from tests.fakes.index import FakeIndex


def compiled(uv: Uv, index: str, wanted: Sequence[str], *options: str) -> str:
    """Return what uv resolves, each version with the hashes of all its files that were there; or that there is no solution."""
    requirements = uv.directory / "requirements.in"
    requirements.write_text("\n".join(wanted))
    quiet = ["--quiet", "--no-header", "--no-annotate", "--generate-hashes", "--only-binary", ":all:"]
    # uv takes a date for one of the local time zone, the mount for one of UTC.
    done = uv.run(
        "pip", "compile", *quiet, "--default-index", index, *options, str(requirements), environment={"TZ": "UTC"}, timeout_s=600
    )
    if done.returncode:
        assert "No solution found" in done.stderr, done.stderr
        return "no solution"
    return done.stdout


def fill(index: FakeIndex) -> None:
    """An application and its library: releases, requirements that move, a late wheel of an old version, odd moments."""

    def host(project: str, version: str, uploaded: str | None, *, tag: str = "py3-none-any", **build: object) -> None:
        content = build_wheel(project, version, tag=tag, **build)  # type: ignore[arg-type]
        index.add(wheel_filename(project, version, tag=tag), content, project=project, upload_time=uploaded)

    host("app", "1.0", "2025-01-10T10:00:00Z", requires=["library"])
    host("app", "1.1", "2025-06-01T00:00:00Z", requires=["library>=2"])
    host("app", "2.0", "2026-01-31T23:59:59.999999Z", requires=["library<3", "late"])
    host("app", "3.0", "2026-02-01T00:00:00.000000Z", requires=["library>=3"])
    host("app", "4.0", None)
    host("library", "1.0", "2024-12-31T23:59:59Z")
    host("library", "2.0", "2025-05-31T12:34:56.789012Z")
    host("library", "2.0", "2025-12-24T12:00:00Z", tag="cp38-abi3-win_amd64")
    host("library", "2.5b1", "2025-07-01T00:00:00Z")
    host("library", "3.0", "2026-01-31T12:00:00.000300Z")
    host("late", "0.1", "2026-01-31T12:00:00.0001Z")
    index.add(sdist_filename("late", "0.1"), build_sdist("late", "0.1"), project="late", upload_time="2026-02-02T00:00:00Z")
    index.add(
        wheel_filename("late", "0.2"), build_wheel("late", "0.2"), upload_time="2026-01-31T13:00:00Z", yanked="it was broken"
    )


TIMES = [
    "2024-12-31",
    "2025-01-10",
    "2025-06-01",
    "2025-12-24",
    "2026-01-31",
    "2026-02-01",
    "2030-01-01",
    "2025-01-10T10:00:00Z",
    "2025-01-10T10:00:00.001Z",
    "2025-06-01T02:00:01+02:00",
    "2025-05-31T20:00:00-04:00",
    "2026-01-31T12:00:00.0004Z",
    "2026-01-31T23:59:60Z",
    "2026-02-01T00:00:00Z",
]


def test_every_time_resolves_to_what_uv_takes_from_the_index_for_it(
    fake_index: FakeIndex, mounted: MountWheelfs, clients: Clients
) -> None:
    fill(fake_index)
    mount, uv = mounted(index=fake_index.url), clients.uv()
    seen = set()
    for time in TIMES:
        expected = compiled(uv, fake_index.url, ["app"], "--exclude-newer", time)
        assert compiled(uv, (mount.path / "asof" / time / "simple").as_uri(), ["app"]) == expected, time
        assert compiled(uv, (mount.path / "simple").as_uri(), ["app"], "--exclude-newer", time) == expected, "its own option"
        seen.add(expected)
    assert len(seen) >= 6, "the times do not tell one view from another"


REAL_PROJECTS = [
    "attrs",
    "black",
    "boto3",
    "click",
    "cryptography",
    "django",
    "fastapi",
    "flask",
    "httpx",
    "jinja2",
    "matplotlib",
    "mypy",
    "numpy",
    "pandas",
    "pydantic",
    "pytest",
    "requests",
    "rich",
    "scipy",
    "sqlalchemy",
]
REAL_DATES = ["2023-06-30", "2024-02-29", "2024-11-05", "2025-05-17", "2025-12-31"]


@pytest.mark.real_index
def test_twenty_real_projects_on_five_dates_resolve_as_uv_does_from_the_real_index(
    real_index_url: str, mounted: MountWheelfs, clients: Clients
) -> None:
    mount = mounted(index=real_index_url, env=machine_settings())
    seen = set()
    for date in REAL_DATES:
        direct, through = clients.uv(), clients.uv()
        direct.environment.update(machine_settings())
        expected = compiled(direct, real_index_url, REAL_PROJECTS, "--exclude-newer", date)
        assert expected.count("==") >= len(REAL_PROJECTS), expected
        assert compiled(through, (mount.path / "asof" / date / "simple").as_uri(), REAL_PROJECTS) == expected, date
        seen.add(expected)
    assert len(seen) == len(REAL_DATES)
