"""Pictures of the gateway's pages, taken in a real browser; the projects are made up, and the same each time."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from tests.fakes.browser import Browser
from tests.fakes.proxy import FakeProxy
from tests.fakes.wheels import build_wheel, wheel_filename
from tests.gateway.serving import Serving

HEAD = "head:8080"
"""What the gateway is called on the pictures, whatever port it has."""
INDEX = "main=http://index.example/simple"
PHONE = 390
"""As wide as a common telephone is held."""
TAGS = ("cp311-cp311-manylinux_2_28_x86_64", "cp312-cp312-manylinux_2_28_x86_64", "cp312-cp312-macosx_14_0_arm64")
RELEASES = {
    "numpy": {"2.3.4": "2025-10-15", "2.3.5": "2025-11-16", "2.4.0": "2025-12-20", "2.4.1": "2026-01-10"},
    "pandas": {"2.3.3": "2025-09-29", "3.0.0": "2026-01-21"},
    "scipy": {"1.17.0": "2026-01-10"},
    "scikit-learn": {"1.8.0": "2025-12-10"},
    "matplotlib": {"3.10.8": "2025-12-10"},
    "lab-tools": {"1.0": "2026-02-02"},
}
SAYS = {
    "numpy": "Fundamental package for array computing",
    "pandas": "Data structures for data analysis, time series, and statistics",
    "scipy": "Fundamental algorithms for scientific computing",
    "lab-tools": "What everybody in the lab needs",
}
NEEDS = {"pandas": ["numpy>=1.26"], "scipy": ["numpy>=1.26"], "lab-tools": ["pandas", "scipy"]}
STORED = {"numpy": "2.4.1", "pandas": "3.0.0", "scipy": "1.17.0", "lab-tools": "1.0"}
PICTURES = {
    "gateway.png": ("/", 960, 1060),
    "gateway-version.png": ("/project/pandas/3.0.0/", 960, 660),
    "gateway-phone.png": ("/project/pandas/3.0.0/", PHONE, 1110),
}
"""Their paths, and how wide and high the window is."""


def main(directory: Path) -> None:
    """Write the pictures into ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made, FakeProxy() as proxy:
        work = Path(made)
        for project, releases in RELEASES.items():
            for version, day in releases.items():
                for number, tag in enumerate(TAGS):
                    content = build_wheel(
                        project,
                        version,
                        tag=tag,
                        big_bytes=3_100_000 + 517_000 * number + len(project) * 231_000,
                        metadata_extra=f"Summary: {SAYS.get(project, '')}\nLicense-Expression: BSD-3-Clause\n",
                        requires=NEEDS.get(project, ()),
                    )
                    name = wheel_filename(project, version, tag=tag)
                    moment = f"{day}T09:00:00Z"
                    proxy.add(name, content, project=project, requires_python=">=3.11", upload_time=moment)
        with Serving(work / "gateway", "--index", INDEX, environment={"http_proxy": proxy.origin}) as gateway:
            with httpx2.Client(base_url=gateway.url, trust_env=False, timeout=60) as client:
                for project in RELEASES:
                    client.get(f"/simple/{project}/").raise_for_status()
                for project, version in STORED.items():
                    for tag in TAGS[:2]:
                        client.get(f"/simple/{project}/{wheel_filename(project, version, tag=tag)}").raise_for_status()
            with Browser(work, f"--host-resolver-rules=MAP {HEAD} {urlsplit(gateway.url).netloc}") as browser:
                for name, (path, width, height) in PICTURES.items():
                    browser.look(width=width, height=height, phone=width == PHONE)
                    browser.open(f"http://{HEAD}{path}")
                    (directory / name).write_bytes(browser.screenshot())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
