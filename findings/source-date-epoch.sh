#!/usr/bin/env bash
# Guess:     build backends treat a SOURCE_DATE_EPOCH before 1980 alike: ZIP has no earlier times, so members are dated
#            1980-01-01.
# Versions:  hatchling 1.33.0, flit_core 4.2.0, setuptools 80.9.0, pdm-backend 2.5.0, poetry-core 2.5.0, uv_build 0.13.6 (build
#            1.6.1)
# Behaviour: four do. poetry-core dates members 2016-01-01, a constant of its own, so 0 gives a later date than 315532800 does.
#            uv_build dates them 1980-01-01 whatever the variable says.
# Seen:      hatchling: 0 1980-01-01, 315532800 1980-01-01, 1700000000 2023-11-14
#            flit_core: 0 1980-01-01, 315532800 1980-01-01, 1700000000 2023-11-14
#            setuptools: 0 1980-01-01, 315532800 1980-01-01, 1700000000 2023-11-14
#            pdm-backend: 0 1980-01-01, 315532800 1980-01-01, 1700000000 2023-11-14
#            poetry-core: 0 2016-01-01, 315532800 1980-01-01, 1700000000 2023-11-14
#            uv_build: 0 1980-01-01, 315532800 1980-01-01, 1700000000 1980-01-01
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    hatchling==1.33.0 flit_core==4.2.0 setuptools==80.9.0 pdm-backend==2.5.0 poetry-core==2.5.0 uv_build==0.13.6 \
    build==1.6.1 packaging==26.4 pathspec==1.1.1 pluggy==1.7.0 pyproject_hooks==1.3.3 tomlkit==0.15.2 \
    trove-classifiers==2026.9.21.13 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 250 "$work/venv/bin/python" - "$work" <<'PYTHON'
import os, pathlib, shutil, subprocess, sys, zipfile

BACKENDS = {
    "hatchling": "hatchling.build",
    "flit_core": "flit_core.buildapi",
    "setuptools": "setuptools.build_meta",
    "pdm-backend": "pdm.backend",
    "poetry-core": "poetry.core.masonry.api",
    "uv_build": "uv_build",
}
os.environ["PATH"] = f"{sys.prefix}/bin:{os.environ['PATH']}"
for name, backend in BACKENDS.items():
    project = pathlib.Path(sys.argv[1]) / name
    package = project / ("src/demo" if name == "uv_build" else "demo")
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (project / "pyproject.toml").write_text(
        f'[build-system]\nrequires = []\nbuild-backend = "{backend}"\n'
        '[project]\nname = "demo"\nversion = "1.0"\ndescription = "A demo."\n'
    )
    dates = []
    for epoch in (0, 315_532_800, 1_700_000_000):
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", project / "dist", project]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
        (wheel,) = (project / "dist").glob("*.whl")
        times = {member.date_time for member in zipfile.ZipFile(wheel).infolist()}
        dates.append(" ".join(sorted(f"{year}-{month:02}-{day:02}" for year, month, day, *_ in times)))
        shutil.rmtree(project / "dist")
    print(f"{name}: 0 {dates[0]}, 315532800 {dates[1]}, 1700000000 {dates[2]}")
PYTHON
)
expected='hatchling: 0 1980-01-01, 315532800 1980-01-01, 1700000000 2023-11-14
flit_core: 0 1980-01-01, 315532800 1980-01-01, 1700000000 2023-11-14
setuptools: 0 1980-01-01, 315532800 1980-01-01, 1700000000 2023-11-14
pdm-backend: 0 1980-01-01, 315532800 1980-01-01, 1700000000 2023-11-14
poetry-core: 0 2016-01-01, 315532800 1980-01-01, 1700000000 2023-11-14
uv_build: 0 1980-01-01, 315532800 1980-01-01, 1700000000 1980-01-01'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
