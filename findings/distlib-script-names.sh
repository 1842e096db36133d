#!/usr/bin/env bash
# Guess:     distlib, which writes the scripts of entry points for pip, names those of a wheel that it installs itself as pip
#            does: names are case-sensitive, may hold a colon, and each gives one file.
# Versions:  distlib 0.4.4, pip 26.3; on CPython whose version is X.Y below
# Behaviour: pip does. distlib's Wheel.install() makes names small, ends them at a colon, and writes each a second time with the
#            version of Python behind. Where two names become one that way, it installs no script of the wheel at all, says so in
#            a log line at level warning, and returns as if all were well.
# Seen:      Serve: pip Serve, distlib serve serve-X.Y
#            db:up: pip db:up, distlib db db-X.Y
#            Serve, serve, other: pip Serve other serve, distlib nothing
#            db:up, db:down, other: pip db:down db:up other, distlib nothing
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    distlib==0.4.4 pip==26.3 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import os, pathlib, subprocess, sys, sysconfig, tempfile, venv, zipfile

os.chdir(sys.argv[1])
BY_DISTLIB = """
import sys, sysconfig
from distlib.scripts import ScriptMaker
from distlib.wheel import Wheel

paths = sysconfig.get_paths()
places = {kind: paths[kind] for kind in ("purelib", "platlib", "scripts", "data")}
Wheel(sys.argv[1]).install({**places, "prefix": sys.prefix, "headers": sys.prefix}, ScriptMaker(None, paths["scripts"]))
"""
info, name = "demo-1.0.dist-info", "demo-1.0-py3-none-any.whl"
ours, packages = sys.executable, sysconfig.get_path("purelib")
installs = {
    "pip": lambda python: [ours, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", name],
    "distlib": lambda python: [python, "-c", BY_DISTLIB, name],
}
for scripts_asked in (("Serve",), ("db:up",), ("Serve", "serve", "other"), ("db:up", "db:down", "other")):
    lines = [f"{script} = demo:main" for script in scripts_asked]
    members = {
        "demo.py": "def main(): pass\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "\n".join(["[console_scripts]", *lines, ""]),
    }
    members[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*members, f"{info}/RECORD"))
    with zipfile.ZipFile(name, "w") as wheel:
        for path, content in members.items():
            wheel.writestr(path, content)
    outcomes = []
    for tool, command in installs.items():
        with tempfile.TemporaryDirectory(dir=".") as root:
            venv.create(root, symlinks=True)
            scripts = pathlib.Path(root, "bin").absolute()
            before = set(os.listdir(scripts))
            path = {"PYTHONPATH": packages} if tool == "distlib" else {}
            subprocess.run(command(str(scripts / "python")), check=True, timeout=50, env={**os.environ, **path})
            made = " ".join(sorted(set(os.listdir(scripts)) - before))
            outcomes.append(f"{tool} {(made or 'nothing').replace(f'{sys.version_info.major}.{sys.version_info.minor}', 'X.Y')}")
    print(f"{', '.join(scripts_asked)}: {', '.join(outcomes)}")
PYTHON
)
expected='Serve: pip Serve, distlib serve serve-X.Y
db:up: pip db:up, distlib db db-X.Y
Serve, serve, other: pip Serve other serve, distlib nothing
db:up, db:down, other: pip db:down db:up other, distlib nothing'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
