#!/usr/bin/env bash
# Guess:     in JSON a file is called what "filename" says, wherever "url" leads (PEP 691 asks nothing of the address, as PEP 503
#            does of a link), so an index may keep files as /blobs/DIGEST or behind a query. In pylock.toml, too: "name" is there
#            for wheels whose address does not tell it (PEP 751).
# Versions:  pip 26.3, uv 0.13.8, unearth 0.19.0 (with which PDM finds files), pypi-simple 1.8.0
# Behaviour: uv and pypi-simple do so. pip and unearth go by the last part of the address's path and pass over "filename": to them
#            the project has no file, and pip says "No matching distribution found", as if it did not exist. Of the same address
#            in pylock.toml pip says "not a file", although "name" is beside it; uv installs it.
# Seen:      /files/demo-1.0-py3-none-any.whl: pip demo-1.0, uv demo-1.0, unearth demo-1.0, pypi-simple demo-1.0
#            /blobs/9f86d081: pip No matching distribution found for demo, uv demo-1.0, unearth nothing, pypi-simple demo-1.0
#            /get?file=demo-1.0-py3-none-any.whl: pip No matching distribution found for demo, uv demo-1.0, unearth nothing,
#            pypi-simple demo-1.0
#            pylock.toml, /files/demo-1.0-py3-none-any.whl: pip demo-1.0, uv demo-1.0
#            pylock.toml, /blobs/9f86d081: pip not a file, uv demo-1.0
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    pip==26.3 uv==0.13.8 unearth==0.19.0 pypi-simple==1.8.0 packaging==26.4 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import hashlib, http.server, io, json, os, pathlib, re, subprocess, sys, tempfile, threading, zipfile
import pypi_simple, unearth

os.chdir(sys.argv[1])
NAME, INFO = "demo-1.0-py3-none-any.whl", "demo-1.0.dist-info/"
archive = io.BytesIO()
with zipfile.ZipFile(archive, "w") as wheel:
    wheel.writestr(INFO + "METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    wheel.writestr(INFO + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(INFO + "RECORD", "".join(f"{INFO}{member},,\n" for member in ("METADATA", "WHEEL", "RECORD")))
digest = hashlib.sha256(archive.getvalue()).hexdigest()


class Index(http.server.BaseHTTPRequestHandler):
    address = ""

    def do_GET(self):
        body, media_type = archive.getvalue(), "application/octet-stream"
        if self.path == "/simple/demo/":
            file = {"filename": NAME, "url": self.address, "hashes": {"sha256": digest}}
            page = {"meta": {"api-version": "1.1"}, "name": "demo", "versions": ["1.0"], "files": [file | {"size": len(body)}]}
            body, media_type = json.dumps(page).encode(), "application/vnd.pypi.simple.v1+json"
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
threading.Thread(target=server.serve_forever, daemon=True).start()
root = f"http://127.0.0.1:{server.server_port}"
COMMANDS = {
    "pip": [sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-deps"],
    "uv": [f"{sys.prefix}/bin/uv", "pip", "install", "--quiet", "--no-cache", "--no-deps", "--python", sys.executable],
}


def installed(tool: str, *asked: str) -> str:
    with tempfile.TemporaryDirectory(dir=".") as target:
        command = [*COMMANDS[tool], "--target", target, *asked]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50)
        found = [path.name.removesuffix(".dist-info") for path in pathlib.Path(target).glob("*.dist-info")]
    errors = re.findall(r"^(?:ERROR|error): (?:.*: )?(.*)$", done.stderr, re.MULTILINE)
    return found[0] if found else errors[-1]


for address in (f"/files/{NAME}", "/blobs/9f86d081", f"/get?file={NAME}"):
    Index.address = address
    answers = [f"{tool} {installed(tool, '--index-url', root + '/simple', 'demo')}" for tool in COMMANDS]
    best = unearth.PackageFinder(index_urls=[root + "/simple"]).find_best_match("demo").best
    answers.append(f"unearth {f'{best.name}-{best.version}' if best else 'nothing'}")
    with pypi_simple.PyPISimple(root + "/simple") as client:
        answers += [f"pypi-simple {file.project}-{file.version}" for file in client.get_project_page("demo").packages]
    print(f"{address}: {', '.join(answers)}")
for address in (f"/files/{NAME}", "/blobs/9f86d081"):
    pathlib.Path("pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "hand"\n\n[[packages]]\nname = "demo"\nversion = "1.0"\n\n[[packages.wheels]]\n'
        f'name = "{NAME}"\nurl = "{root}{address}"\nhashes = {{ sha256 = "{digest}" }}\n'
    )
    answers = [f"{tool} {installed(tool, '--requirement', 'pylock.toml')}" for tool in COMMANDS]
    print(f"pylock.toml, {address}: {', '.join(answers)}")
PYTHON
)
missing='pip No matching distribution found for demo, uv demo-1.0, unearth nothing, pypi-simple demo-1.0'
expected="/files/demo-1.0-py3-none-any.whl: pip demo-1.0, uv demo-1.0, unearth demo-1.0, pypi-simple demo-1.0
/blobs/9f86d081: $missing
/get?file=demo-1.0-py3-none-any.whl: $missing
pylock.toml, /files/demo-1.0-py3-none-any.whl: pip demo-1.0, uv demo-1.0
pylock.toml, /blobs/9f86d081: pip not a file, uv demo-1.0"

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
