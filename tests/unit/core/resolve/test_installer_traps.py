"""Settings of pip and uv that defeat a mount or a gateway."""

from __future__ import annotations

import pytest

from wheelfs.core.resolve.installer_traps import traps


def places(pip: str = "", uv: str = "", **environ: str) -> list[str]:
    return [trap.place for trap in traps([("pip.conf", pip)], [("uv.toml", uv)], environ)]


@pytest.mark.parametrize(
    ("pip", "place"),
    [
        ("[global]\nno-index = true\n", "pip.conf [global] no-index"),
        ("[install]\nno_index = 1\n", "pip.conf [install] no-index"),
        ("[install]\n--no-index = 1\n", "pip.conf [install] no-index"),
        ("[global]\nno-index = false\n", None),
        ("no section\n", None),
    ],
)
def test_pips_files(pip: str, place: str | None) -> None:
    assert places(pip=pip) == ([] if place is None else [place])


@pytest.mark.parametrize(
    ("uv", "place"),
    [
        ("no-index = true\n", "uv.toml no-index"),
        ("[pip]\nno-index = true\n", "uv.toml [pip] no-index"),
        ('exclude-newer = "2026-01-01"\n', "uv.toml exclude-newer"),
        ("no-index = false\n", None),
        ("= =\n", None),
    ],
)
def test_uvs_files(uv: str, place: str | None) -> None:
    assert places(uv=uv) == ([] if place is None else [place])


def test_the_environment() -> None:
    assert places(PIP_NO_INDEX="1") == ["PIP_NO_INDEX in the environment"]
    assert places(UV_NO_INDEX="true", UV_EXCLUDE_NEWER="2026-01-01") == [
        "UV_NO_INDEX in the environment",
        "UV_EXCLUDE_NEWER in the environment",
    ]
    assert places(PIP_NO_INDEX="0", UV_NO_INDEX="", http_proxy="") == []


def test_a_proxy_that_takes_what_is_for_this_machine() -> None:
    assert places(HTTP_PROXY="http://proxy:3128", no_proxy="lab.example") == ["HTTP_PROXY in the environment"]
    assert places(HTTP_PROXY="http://proxy:3128", no_proxy="lab.example, localhost") == []
    assert places(HTTPS_PROXY="http://proxy:3128") == [], "a gateway of this machine speaks plain HTTP"
