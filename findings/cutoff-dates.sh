#!/usr/bin/env bash
# Guess:     "only files uploaded before DATE" is the same set of files to pip (--uploaded-prior-to) and to uv (--exclude-newer),
#            and a time without an offset is that time where the machine is.
# Versions:  pip 26.3, uv 0.13.8; files of 2025-01-14 12:00, 2025-01-15 00:00, 2025-01-15 12:00, 2025-01-16 00:00, all in UTC
# Behaviour: a date is its beginning to pip and its end to uv, so the same date gives sets that differ by that day. uv goes
#            further: of a time without an offset it takes the date alone, without a warning, so that midnight means the next one,
#            and 06:00 and 18:00 the same. And it counts in milliseconds: a file of the very second is out where the limit is a
#            microsecond later.
# Seen:      TZ=UTC 2025-01-15: pip 14th 12:00, uv 15th 12:00
#            TZ=UTC 2025-01-15T00:00:00: pip 14th 12:00, uv 15th 12:00
#            TZ=UTC 2025-01-15T00:00:00Z: pip 14th 12:00, uv 14th 12:00
#            TZ=UTC 2025-01-15T06:00:00: pip 15th 00:00, uv 15th 12:00
#            TZ=UTC 2025-01-15T18:00:00: pip 15th 12:00, uv 15th 12:00
#            TZ=UTC 2025-01-15T00:00:00.000001Z: pip 15th 00:00, uv 14th 12:00
#            TZ=America/New_York 2025-01-15: pip 15th 00:00, uv 16th 00:00
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    pip==26.3 uv==0.13.8 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 120 "$work/venv/bin/python" - <<'PYTHON'
import http.server, io, json, os, pathlib, subprocess, sys, tempfile, threading, zipfile

UPLOADED = {
    "1.0": "2025-01-14T12:00:00Z",
    "2.0": "2025-01-15T00:00:00Z",
    "3.0": "2025-01-15T12:00:00Z",
    "4.0": "2025-01-16T00:00:00Z",
}


def wheel(version: str) -> bytes:
    info = f"demo-{version}.dist-info/"
    with zipfile.ZipFile(packed := io.BytesIO(), "w") as file:
        file.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n")
        file.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(info + "RECORD", "".join(f"{info}{name},,\n" for name in ("METADATA", "WHEEL", "RECORD")))
    return packed.getvalue()


names = {version: f"demo-{version}-py3-none-any.whl" for version in UPLOADED}
files = {f"/files/{name}": wheel(version) for version, name in names.items()}
entries = [
    {"filename": name, "url": url, "hashes": {}, "size": len(content), "upload-time": UPLOADED[version]}
    for (version, name), (url, content) in zip(names.items(), files.items(), strict=True)
]
data = {"meta": {"api-version": "1.1"}, "name": "demo", "versions": list(names), "files": entries}


class Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        answer = files.get(self.path)
        media_type = "application/vnd.pypi.simple.v1+json" if answer is None else "application/octet-stream"
        answer = json.dumps(data).encode() if answer is None else answer
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(answer)

    do_HEAD = do_GET

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
threading.Thread(target=server.serve_forever, daemon=True).start()
index = f"http://127.0.0.1:{server.server_port}/simple"


def newest(zone: str, *command: str) -> str:
    """When the file was uploaded that is installed."""
    with tempfile.TemporaryDirectory() as target:
        options = ["--quiet", "--no-cache-dir", "--index-url", index, "--target", target, "demo"]
        subprocess.run([*command, *options], check=True, timeout=50, env={**os.environ, "TZ": zone})
        [info] = pathlib.Path(target).glob("*.dist-info")
    time = UPLOADED[info.stem.partition("-")[2]]
    return f"{time[8:10]}th {time[11:16]}"


for zone, limit in (
    ("UTC", "2025-01-15"),
    ("UTC", "2025-01-15T00:00:00"),
    ("UTC", "2025-01-15T00:00:00Z"),
    ("UTC", "2025-01-15T06:00:00"),
    ("UTC", "2025-01-15T18:00:00"),
    ("UTC", "2025-01-15T00:00:00.000001Z"),
    ("America/New_York", "2025-01-15"),
):
    pip = newest(zone, sys.executable, "-m", "pip", "install", "--uploaded-prior-to", limit)
    uv = newest(zone, f"{sys.prefix}/bin/uv", "pip", "install", "--exclude-newer", limit)
    print(f"TZ={zone} {limit}: pip {pip}, uv {uv}")
PYTHON
)
expected='TZ=UTC 2025-01-15: pip 14th 12:00, uv 15th 12:00
TZ=UTC 2025-01-15T00:00:00: pip 14th 12:00, uv 15th 12:00
TZ=UTC 2025-01-15T00:00:00Z: pip 14th 12:00, uv 14th 12:00
TZ=UTC 2025-01-15T06:00:00: pip 15th 00:00, uv 15th 12:00
TZ=UTC 2025-01-15T18:00:00: pip 15th 12:00, uv 15th 12:00
TZ=UTC 2025-01-15T00:00:00.000001Z: pip 15th 00:00, uv 14th 12:00
TZ=America/New_York 2025-01-15: pip 15th 00:00, uv 16th 00:00'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
