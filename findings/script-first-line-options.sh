#!/usr/bin/env bash
# Guess:     a script of a wheel that begins with "#!python -E" keeps its options where the first line is rewritten for the
#            environment: setuptools puts them there on purpose.
# Versions:  pip 26.3, uv 0.13.8, installer 1.1.0, distlib 0.4.4
# Behaviour: only distlib keeps them; pip, uv and installer drop all that follows "#!python", without a warning. To them a line
#            that begins so is any line with these letters, "#!pythonic" included; distlib knows names of interpreters, and
#            rewrites "#!/usr/bin/env python3" as well, which the others leave.
# Seen:      #!python -E: pip PYTHON, uv PYTHON, installer PYTHON, distlib PYTHON -E
#            #!python3 -u: pip PYTHON, uv PYTHON, installer PYTHON, distlib PYTHON -u
#            #!pythonic: pip PYTHON, uv PYTHON, installer PYTHON, distlib as it was
#            #!/usr/bin/env python3: pip as it was, uv as it was, installer as it was, distlib PYTHON
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    pip==26.3 uv==0.13.8 installer==1.1.0 distlib==0.4.4 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import os, pathlib, subprocess, sys, sysconfig, venv, zipfile

os.chdir(sys.argv[1])
FIRST_LINES = ("#!python -E", "#!python3 -u", "#!pythonic", "#!/usr/bin/env python3")
info, name = "demo-1.0.dist-info", "demo-1.0-py3-none-any.whl"
members = {f"demo-1.0.data/scripts/s{at}": f"{line}\npass\n" for at, line in enumerate(FIRST_LINES)}
members[f"{info}/METADATA"] = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
members[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
members[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*members, f"{info}/RECORD"))
with zipfile.ZipFile(name, "w") as wheel:
    for path, text in members.items():
        wheel.writestr(path, text)

BY_DISTLIB = """
import sys, sysconfig
from distlib.scripts import ScriptMaker
from distlib.wheel import Wheel

paths = sysconfig.get_paths()
places = {kind: paths[kind] for kind in ("purelib", "platlib", "scripts", "data")}
Wheel(sys.argv[1]).install({**places, "prefix": sys.prefix, "headers": sys.prefix}, ScriptMaker(None, paths["scripts"]))
"""
ours, packages = sys.executable, sysconfig.get_path("purelib")
installs = {
    "pip": lambda python: [ours, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", name],
    "uv": lambda python: [f"{sys.prefix}/bin/uv", "pip", "install", "--quiet", "--no-index", "--python", python, name],
    "installer": lambda python: [python, "-m", "installer", name],
    "distlib": lambda python: [python, "-c", BY_DISTLIB, name],
}
for tool, command in installs.items():
    venv.create(tool, symlinks=True)
    python = str(pathlib.Path(tool, "bin/python").absolute())
    path = {"PYTHONPATH": packages} if tool in ("installer", "distlib") else {}
    subprocess.run(command(python), check=True, timeout=50, env={**os.environ, **path})
for at, line in enumerate(FIRST_LINES):
    ends = []
    for tool in installs:
        made = pathlib.Path(tool, "bin", f"s{at}").read_text().partition("\n")[0]
        python = str(pathlib.Path(tool, "bin/python").absolute())
        ends.append(f"{tool} {'as it was' if made == line else made.removeprefix('#!').replace(python, 'PYTHON')}")
    print(f"{line}: {', '.join(ends)}")
PYTHON
)
expected='#!python -E: pip PYTHON, uv PYTHON, installer PYTHON, distlib PYTHON -E
#!python3 -u: pip PYTHON, uv PYTHON, installer PYTHON, distlib PYTHON -u
#!pythonic: pip PYTHON, uv PYTHON, installer PYTHON, distlib as it was
#!/usr/bin/env python3: pip as it was, uv as it was, installer as it was, distlib PYTHON'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
