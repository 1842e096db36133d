#!/usr/bin/env bash
# Guess:     in JSON, "yanked": "" means that the file is not yanked: PEP 691 says to interpret a truthy value as yanked, and an
#            empty string is falsy.
# Versions:  pip 26.3, uv 0.13.8, pypi-simple 1.8.0
# Behaviour: pip alone reads it so, and installs the file; uv and pypi-simple hold it for yanked without a reason. In HTML, data-
#            yanked="" is yanked to all, so a proxy that turns one form into the other has to translate.
# Seen:      yanked false: pip demo-2.0, uv demo-2.0, pypi-simple demo-2.0
#            yanked "": pip demo-2.0, uv demo-1.0, pypi-simple demo-1.0
#            yanked "broken": pip demo-1.0, uv demo-1.0, pypi-simple demo-1.0
#            yanked true: pip demo-1.0, uv demo-1.0, pypi-simple demo-1.0
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    pip==26.3 uv==0.13.8 pypi-simple==1.8.0 beautifulsoup4==4.15.0 soupsieve==4.1.3 requests==2.34.2 urllib3==2.8.0 \
    mailbits==0.2.3 packaging==26.4 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import http.server, io, json, pathlib, re, subprocess, sys, tempfile, threading, zipfile
from pypi_simple import ProjectPage

WHY = re.compile("error|ERROR")


def wheel(version: str) -> bytes:
    info = f"demo-{version}.dist-info/"
    with zipfile.ZipFile(packed := io.BytesIO(), "w") as file:
        file.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n")
        file.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(info + "RECORD", "".join(f"{info}{name},,\n" for name in ("METADATA", "WHEEL", "RECORD")))
    return packed.getvalue()


class Index(http.server.BaseHTTPRequestHandler):
    page, media_type = b"", "text/html"

    def do_GET(self):
        answer = files.get(self.path, self.page)
        self.send_response(200)
        self.send_header("Content-Type", self.media_type)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
threading.Thread(target=server.serve_forever, daemon=True).start()
origin = f"http://127.0.0.1:{server.server_port}"


def outcome(*command: str) -> str:
    """What was installed, or the line that says why nothing was."""
    with tempfile.TemporaryDirectory() as target:
        options = ["--no-deps", "--no-cache-dir", "--index-url", f"{origin}/simple", "--target", target, "demo"]
        done = subprocess.run([*command, "install", *options], capture_output=True, text=True, timeout=50)
        found = [path.stem for path in pathlib.Path(target).glob("*.dist-info")]
        lines = [line.strip() for line in done.stderr.replace(origin, "…").splitlines()]
        return " ".join(found or [line for line in lines if WHY.search(line)])


names = [f"demo-{version}-py3-none-any.whl" for version in ("1.0", "2.0")]
files = {f"/files/{name}": wheel(name.split("-")[1]) for name in names}
Index.media_type = "application/vnd.pypi.simple.v1+json"
for yanked in (False, "", "broken", True):
    entries = [{"filename": name, "url": f"/files/{name}", "hashes": {}} for name in names]
    entries[1]["yanked"] = yanked
    data = {"meta": {"api-version": "1.0"}, "name": "demo", "files": entries}
    Index.page = json.dumps(data).encode()
    pip, uv = outcome(sys.executable, "-m", "pip"), outcome(f"{sys.prefix}/bin/uv", "pip")
    newest = [f"demo-{one.version}" for one in ProjectPage.from_json_data(data).packages if not one.is_yanked][-1]
    print(f"yanked {json.dumps(yanked)}: pip {pip}, uv {uv}, pypi-simple {newest}")
PYTHON
)
expected='yanked false: pip demo-2.0, uv demo-2.0, pypi-simple demo-2.0
yanked "": pip demo-2.0, uv demo-1.0, pypi-simple demo-1.0
yanked "broken": pip demo-1.0, uv demo-1.0, pypi-simple demo-1.0
yanked true: pip demo-1.0, uv demo-1.0, pypi-simple demo-1.0'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
