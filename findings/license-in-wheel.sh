#!/usr/bin/env bash
# Guess:     what PEP 639 says of licenses is the same to all back-ends: the LICENSE beside pyproject.toml gets into the wheel,
#            where license-files is not given, too; a pattern of license-files that matches nothing is an error; and license =
#            "mit or apache-2.0" becomes MIT OR Apache-2.0.
# Versions:  hatchling 1.33.0, flit_core 4.2.0, setuptools 83.0.0, pdm-backend 2.5.0, poetry-core 2.5.0, uv_build 0.13.6
# Behaviour: only poetry-core does all three. Where license-files is not given, uv_build's wheel has no license, which most
#            licenses want beside the code, and pdm-backend's has the file but no License-File. hatchling and setuptools pass over
#            a pattern without a match, so a mistyped one loses its files. uv_build and flit_core refuse "or" in small letters,
#            and pdm-backend writes the expression as it stands.
# Seen:      hatchling: not given: the file and its field; NOTICE*: passed over; mit or apache-2.0: MIT OR Apache-2.0
#            flit_core: not given: the file and its field; NOTICE*: error; mit or apache-2.0: error
#            setuptools: not given: the file and its field; NOTICE*: passed over; mit or apache-2.0: MIT OR Apache-2.0
#            pdm-backend: not given: the file; NOTICE*: error; mit or apache-2.0: mit or apache-2.0
#            poetry-core: not given: the file and its field; NOTICE*: error; mit or apache-2.0: MIT OR Apache-2.0
#            uv_build: not given: nothing; NOTICE*: error; mit or apache-2.0: error
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    hatchling==1.33.0 flit_core==4.2.0 setuptools==83.0.0 pdm-backend==2.5.0 poetry-core==2.5.0 uv_build==0.13.6 || exit 2

seen=$(env -i "PATH=$work/venv/bin:$PATH" "HOME=$work" timeout 150 "$work/venv/bin/python" - "$work" <<'PYTHON'
import email, pathlib, subprocess, sys, tempfile, zipfile

BACKENDS = {
    "hatchling": "hatchling.build",
    "flit_core": "flit_core.buildapi",
    "setuptools": "setuptools.build_meta",
    "pdm-backend": "pdm.backend",
    "poetry-core": "poetry.core.masonry.api",
    "uv_build": "uv_build",
}
BUILD = "import importlib, sys; importlib.import_module(sys.argv[1]).build_wheel('dist')"
PROJECT = '[project]\nname = "demo"\nversion = "1.0"\ndescription = "a demo"\nrequires-python = ">=3.11"\n'


def built(name: str, line: str) -> tuple[str, str] | None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1]) as place:
        root = pathlib.Path(place)
        (root / "src/demo").mkdir(parents=True)
        (root / "dist").mkdir()
        (root / "src/demo/__init__.py").touch()
        (root / "LICENSE").write_text("You may.\n")
        system = f'[build-system]\nrequires = ["{name}"]\nbuild-backend = "{BACKENDS[name]}"\n'
        (root / "pyproject.toml").write_text(f"{PROJECT}{line}\n{system}")
        command = [sys.executable, "-c", BUILD, BACKENDS[name]]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=50)
        wheels = list((root / "dist").glob("*.whl"))
        if done.returncode or not wheels:
            return None
        with zipfile.ZipFile(wheels[0]) as wheel:
            licenses = [path for path in wheel.namelist() if path.endswith("/LICENSE")]
            metadata = email.message_from_bytes(wheel.read("demo-1.0.dist-info/METADATA"))
        parts = ["the file"] * bool(licenses) + ["its field"] * ("License-File" in metadata)
        return " and ".join(parts), metadata["License-Expression"]


for name in BACKENDS:
    plain = built(name, "")
    patterns = built(name, 'license-files = ["LICENSE*", "NOTICE*"]')
    small = built(name, 'license = "mit or apache-2.0"')
    assert plain
    answers = [plain[0] or "nothing", "passed over" if patterns else "error", small[1] if small else "error"]
    print(f"{name}: not given: {answers[0]}; NOTICE*: {answers[1]}; mit or apache-2.0: {answers[2]}")
PYTHON
)
expected='hatchling: not given: the file and its field; NOTICE*: passed over; mit or apache-2.0: MIT OR Apache-2.0
flit_core: not given: the file and its field; NOTICE*: error; mit or apache-2.0: error
setuptools: not given: the file and its field; NOTICE*: passed over; mit or apache-2.0: MIT OR Apache-2.0
pdm-backend: not given: the file; NOTICE*: error; mit or apache-2.0: mit or apache-2.0
poetry-core: not given: the file and its field; NOTICE*: error; mit or apache-2.0: MIT OR Apache-2.0
uv_build: not given: nothing; NOTICE*: error; mit or apache-2.0: error'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
