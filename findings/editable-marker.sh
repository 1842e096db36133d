#!/usr/bin/env bash
# Guess:     a marker that is false keeps any line of a requirements file from being installed, an editable one, too.
# Versions:  pip 26.3, uv 0.13.8
# Behaviour: pip passes over `./proj ; sys_platform == ...` but takes `-e ./proj ; sys_platform == ...` as if the marker were not
#            there, without a warning. uv obeys it on both.
# Seen:      ./project: pip proj, uv proj
#            ./project ; sys_platform == "nothing": pip nothing, uv nothing
#            -e ./project: pip proj, uv proj
#            -e ./project ; sys_platform == "nothing": pip proj, uv nothing
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    pip==26.3 uv==0.13.8 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import json, os, pathlib, subprocess, sys

project = pathlib.Path(sys.argv[1]) / "project"
project.mkdir()
os.chdir(project.parent)
(project / "pyproject.toml").write_text(
    '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    '[project]\nname = "proj"\nversion = "1"\n'
)
(project / "backend.py").write_text("""
import pathlib

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    info = pathlib.Path(directory, "proj-1.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: proj\\nVersion: 1\\n")
    return info.name

prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel

def build_editable(*arguments, **settings):
    raise NotImplementedError("a dry run builds nothing")
""")


false = '; sys_platform == "nothing"'
for line in ("./project", f"./project {false}", "-e ./project", f"-e ./project {false}"):
    pathlib.Path("requirements.txt").write_text(line + "\n")
    options = ["install", "--dry-run", "--no-index", "--no-deps", "-r", "requirements.txt"]
    command = [sys.executable, "-m", "pip", *options, "--quiet", "--report", "-"]
    report = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50).stdout
    pip = " ".join(one["metadata"]["name"] for one in json.loads(report)["install"]) or "nothing"
    command = [f"{sys.prefix}/bin/uv", "pip", *options, "--python", sys.executable]
    plan = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50).stderr
    uv = " ".join(words.split()[1] for words in plan.splitlines() if words.startswith(" + ")) or "nothing"
    print(f"{line}: pip {pip}, uv {uv}")
PYTHON
)
expected='./project: pip proj, uv proj
./project ; sys_platform == "nothing": pip nothing, uv nothing
-e ./project: pip proj, uv proj
-e ./project ; sys_platform == "nothing": pip proj, uv nothing'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
