#!/usr/bin/env bash
# Guess:     of the authors in [project], each one is in the metadata of a wheel, whichever back-end builds it: those with an
#            address in Author-email, written as in a mail header ("Doe, Jane" <jane@...>), as the specification says.
# Versions:  hatchling 1.33.0, flit_core 4.2.0, setuptools 83.0.0, pdm-backend 2.5.0, poetry-core 2.5.0, uv_build 0.13.6
# Behaviour: poetry-core writes the first author and the first maintainer, and drops all others without a warning. uv_build does
#            not quote a name with a comma, so what reads the field as the mail header that it is finds an author "Doe" without an
#            address, and Jane beside it.
# Seen:      hatchling: Doe, Jane <jane@index.example>; Bob <bob@index.example>; maintained by ann tim
#            flit_core: Doe, Jane <jane@index.example>; Bob <bob@index.example>; maintained by ann tim
#            setuptools: Doe, Jane <jane@index.example>; Bob <bob@index.example>; maintained by ann tim
#            pdm-backend: Doe, Jane <jane@index.example>; Bob <bob@index.example>; maintained by ann tim
#            poetry-core: <jane@index.example>; maintained by ann
#            uv_build: <Doe>; Jane <jane@index.example>; Bob <bob@index.example>; maintained by ann tim
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    hatchling==1.33.0 flit_core==4.2.0 setuptools==83.0.0 pdm-backend==2.5.0 poetry-core==2.5.0 uv_build==0.13.6 || exit 2

seen=$(env -i "PATH=$work/venv/bin:$PATH" "HOME=$work" timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import email, email.utils, os, pathlib, subprocess, sys, tempfile, zipfile

BACKENDS = {
    "hatchling": "hatchling.build",
    "flit_core": "flit_core.buildapi",
    "setuptools": "setuptools.build_meta",
    "pdm-backend": "pdm.backend",
    "poetry-core": "poetry.core.masonry.api",
    "uv_build": "uv_build",
}
BUILD = "import importlib, sys; importlib.import_module(sys.argv[1]).build_wheel('dist')"
PROJECT = """[project]
name = "demo"
version = "1.0"
description = "a demo"
requires-python = ">=3.11"
authors = [{name = "Doe, Jane", email = "jane@index.example"}, {name = "Bob", email = "bob@index.example"}]
maintainers = [{name = "Ann", email = "ann@index.example"}, {name = "Tim", email = "tim@index.example"}]

[build-system]
"""
for name, module in BACKENDS.items():
    with tempfile.TemporaryDirectory(dir=sys.argv[1]) as place:
        package = pathlib.Path(place, "src/demo")
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        pathlib.Path(place, "dist").mkdir()
        text = f'{PROJECT}requires = ["{name}"]\nbuild-backend = "{module}"\n'
        pathlib.Path(place, "pyproject.toml").write_text(text)
        command = [sys.executable, "-c", BUILD, module]
        subprocess.run(command, cwd=place, capture_output=True, check=True, timeout=50)
        [built] = pathlib.Path(place, "dist").glob("*.whl")
        with zipfile.ZipFile(built) as wheel:
            metadata = email.message_from_bytes(wheel.read("demo-1.0.dist-info/METADATA"))
    authors, maintainers = (email.utils.getaddresses([metadata[f"{role}-email"]]) for role in ("Author", "Maintainer"))
    written = "; ".join(f"{person} <{address}>".strip() for person, address in authors)
    print(f"{name}: {written}; maintained by {' '.join(address.split('@')[0] for _, address in maintainers)}")
PYTHON
)
expected='hatchling: Doe, Jane <jane@index.example>; Bob <bob@index.example>; maintained by ann tim
flit_core: Doe, Jane <jane@index.example>; Bob <bob@index.example>; maintained by ann tim
setuptools: Doe, Jane <jane@index.example>; Bob <bob@index.example>; maintained by ann tim
pdm-backend: Doe, Jane <jane@index.example>; Bob <bob@index.example>; maintained by ann tim
poetry-core: <jane@index.example>; maintained by ann
uv_build: <Doe>; Jane <jane@index.example>; Bob <bob@index.example>; maintained by ann tim'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
