"""A gateway hides what a mount hides: the same views and policies, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx2

from tests.fakes.wheels import build_wheel, wheel_filename
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.clients import Clients
    from tests.fakes.index import FakeIndex


def test_times_and_min_age_hold_over_http(tmp_path: Path, fake_index: FakeIndex, clients: Clients) -> None:
    ages = {"1.0": 30, "2.0": 20, "3.0": 1}
    uploaded = {version: datetime.now(UTC) - timedelta(days=days) for version, days in ages.items()}
    for version, moment in uploaded.items():
        name = wheel_filename("demo", version)
        fake_index.add(name, build_wheel("demo", version), upload_time=moment.isoformat())
    past = f"asof/{(uploaded['2.0'] - timedelta(hours=1)).strftime('%Y-%m-%dT%H:%M:%SZ')}"
    with Serving(tmp_path / "gateway", "--index", f"main={fake_index.url}", "--min-age", "7d") as gateway:
        for view, expected in ((past, "1.0"), ("", "2.0")):
            uv = clients.uv()
            uv.run("pip", "install", "--default-index", f"{gateway.url}/{view}/simple/".replace("//s", "/s"), "demo").succeeded()
            assert uv.installed() == {"demo": expected}
        young = wheel_filename("demo", "3.0")
        assert httpx2.get(f"{gateway.url}/simple/demo/{young}").status_code == 404
        assert httpx2.get(f"{gateway.url}/asof/yesterday/simple/demo/").status_code == 404
        for accept in ("text/html", "application/vnd.pypi.simple.v1+json"):
            page = httpx2.get(f"{gateway.url}/simple/demo/", headers={"Accept": accept}).text
            assert young not in page
            assert wheel_filename("demo", "2.0") in page
