"""More than a hundred real wheels: every file of their environment is what uv installs, and their programs run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uv

from tests.fakes.commands import objects
from tests.fakes.processes import isolated_environment, run
from tests.fakes.real_index import machine_settings
from tests.fakes.trees_on_disk import digests_below

if TYPE_CHECKING:
    from tests.conftest import MountWheelfs, RunWheelfs

PROJECTS = [
    *("requests", "rich", "flask", "django", "fastapi", "uvicorn", "aiohttp", "httpx", "sqlalchemy", "alembic", "pydantic"),
    *("numpy", "pandas", "matplotlib", "ipython", "ipykernel", "pytest", "hypothesis", "black", "ruff", "mypy", "pylint"),
    *("sphinx", "cryptography", "paramiko", "redis", "typer", "lxml", "beautifulsoup4", "networkx", "tqdm", "psutil"),
    *("pyyaml", "grpcio", "zope.interface", "google-api-core", "azure-identity", "setuptools", "virtualenv", "cython", "twine"),
]

DRAWS = """
import matplotlib
matplotlib.use("Agg")
import cryptography.fernet, grpc, lxml.etree, matplotlib.pyplot, numpy, pandas, psutil, sqlalchemy, yaml, zope.interface
from google.api_core import retry
matplotlib.pyplot.plot(pandas.DataFrame({"a": numpy.arange(9)}))
matplotlib.pyplot.savefig("drawn.png")
key = cryptography.fernet.Fernet(cryptography.fernet.Fernet.generate_key())
with sqlalchemy.create_engine("sqlite://").connect() as connected:
    print(key.decrypt(key.encrypt(b"kept")).decode(), connected.execute(sqlalchemy.text("select 7")).scalar())
"""


@pytest.mark.soak
@pytest.mark.real_index
def test_every_file_is_what_uv_installs_and_programs_run(
    run_wheelfs: RunWheelfs, mounted: MountWheelfs, real_index_url: str, store_dir: Path, tmp_path: Path
) -> None:
    settings = machine_settings()
    create = [
        "--store",
        str(store_dir),
        "--json",
        "env",
        "create",
        "real",
        "--complete",
        *PROJECTS,
        "--index",
        f"main={real_index_url}",
    ]
    run_wheelfs(*create, env=settings, timeout_s=1_800).succeeded()
    [shown] = objects(run_wheelfs("--store", str(store_dir), "--json", "env", "show", "real").succeeded())
    assert len(shown["wheels"]) >= 100
    environment = {**isolated_environment(tmp_path / "home"), **settings, "VIRTUAL_ENV": str(tmp_path / "venv")}
    command = [uv.find_uv_bin(), "venv", "-q", "--python", sys.executable, str(tmp_path / "venv")]
    run(command, environment=environment, cwd=tmp_path).succeeded()
    before = set(digests_below(tmp_path / "venv"))
    pins = tmp_path / "pins.txt"
    pins.write_text("".join(f"{wheel['project']}=={wheel['version']}\n" for wheel in shown["wheels"]))
    install = [uv.find_uv_bin(), "pip", "install", "-q", "--no-deps", "--index-url", real_index_url, "-r", str(pins)]
    run(install, environment=environment, cwd=tmp_path, timeout_s=1_800).succeeded()
    ours = mounted("--no-index").path / "env" / "real"
    notes = (
        *(".lock", "/INSTALLER", "/RECORD", "/REQUESTED", "/uv_cache.json", "/env.json", "pyvenv.cfg"),
        *("/_wheelfs_environment.py", "/_wheelfs_environment.pth"),
    )
    found = {path: file for path, file in digests_below(ours).items() if not path.endswith(notes)}
    theirs = {path: file for path, file in digests_below(tmp_path / "venv").items() if path not in before}
    theirs = {path: file for path, file in theirs.items() if not path.endswith(notes)}
    assert set(found) == set(theirs)
    differ = {path for path in found if found[path] != theirs[path]}
    assert {path for path in differ if not path.startswith("bin/")} == set()
    for path in differ:
        assert Path(ours, path).read_bytes().splitlines()[3:] != []
        assert os.access(ours / path, os.X_OK)
    alone = isolated_environment(tmp_path / "alone")
    drawn = run([str(ours / "bin" / "python"), "-c", DRAWS], environment=alone, cwd=tmp_path, timeout_s=600).succeeded()
    assert drawn.stdout.split() == ["kept", "7"]
    assert (tmp_path / "drawn.png").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    for words, said in (
        (["pytest", "-q", "test_it.py"], "1 passed"),
        (["ipython", "-c", "print(6 * 7)"], "42"),
        (["black", "--version"], "compiled: yes"),
        (["mypy", "-c", "x: int = 1"], "Success"),
        (["ruff", "--version"], "ruff"),
        (["django-admin", "--version"], "."),
        (["jupyter-kernelspec", "list"], "python3"),
        (["python", "-m", "cython", "--version"], "Cython"),
    ):
        done = run([str(ours / "bin" / words[0]), *words[1:]], environment=alone, cwd=tmp_path, timeout_s=600).succeeded()
        assert said in done.stdout + done.stderr, words
