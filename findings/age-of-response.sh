#!/usr/bin/env bash
# Guess:     caches that follow RFC 9111 count in the Age header (section 4.2.3): a page with max-age=60 that has been 100 seconds
#            in a cache on its way is stale on arrival, and is asked for again. What comes through a content delivery network has
#            such a header, often beside a new Date.
# Versions:  CacheControl 0.14.4, hishel 2.0.0 (with rfc=True), requests-cache 1.3.3 (with cache_control=True), uv 0.13.8
# Behaviour: only uv does. CacheControl and hishel go by Date alone, and keep the page for the whole 60 seconds once more, so that
#            it is shown for up to twice as long as its server said; requests-cache overlooks an old Date as well. By default,
#            without rfc=True, hishel 2 regards none of these headers, and keeps even what says no-store.
# Seen:      max-age=60: CacheControl kept, hishel kept, requests-cache kept, uv kept, hishel without rfc kept
#            max-age=60, Age 100: CacheControl kept, hishel kept, requests-cache kept, uv again, hishel without rfc kept
#            max-age=60, Date 100 s ago: CacheControl again, hishel again, requests-cache kept, uv again, hishel without rfc kept
#            no-store: CacheControl again, hishel again, requests-cache again, uv again, hishel without rfc kept
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    cachecontrol==0.14.4 hishel==2.0.0 requests-cache==1.3.3 requests==2.34.2 urllib3==2.8.0 uv==0.13.8 || exit 2

seen=$(env -i "PATH=$PATH" "HOME=$work" UV_NO_CONFIG=1 timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import email.utils, http.server, io, os, pathlib, subprocess, sys, tempfile, threading, time, zipfile
import cachecontrol, hishel, hishel.requests, requests, requests_cache

os.chdir(sys.argv[1])
NAME, INFO = "demo-1.0-py3-none-any.whl", "demo-1.0.dist-info/"
archive = io.BytesIO()
with zipfile.ZipFile(archive, "w") as wheel:
    wheel.writestr(INFO + "METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    wheel.writestr(INFO + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(INFO + "RECORD", "".join(f"{INFO}{member},,\n" for member in ("METADATA", "WHEEL", "RECORD")))


class Index(http.server.BaseHTTPRequestHandler):
    headers_sent, age_of_date, asked = {}, 0, 0

    def do_GET(self):
        is_page = self.path == "/simple/demo/"
        page = f'<!DOCTYPE html><html><body><a href="/{NAME}">{NAME}</a></body></html>'
        body = page.encode() if is_page else archive.getvalue()
        Index.asked += is_page
        self.send_response_only(200)
        self.send_header("Date", email.utils.formatdate(time.time() - self.age_of_date, usegmt=True))
        self.send_header("Content-Type", "text/html" if is_page else "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        for name, value in self.headers_sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self):
        self.send_response_only(405)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
threading.Thread(target=server.serve_forever, daemon=True).start()
root = f"http://127.0.0.1:{server.server_port}/simple"


def by_session(session: requests.Session) -> None:
    for _ in range(2):
        session.get(root + "/demo/", timeout=20).raise_for_status()


def by_hishel(**options) -> None:
    with tempfile.TemporaryDirectory(dir=".") as place, requests.Session() as session:
        storage = hishel.SqliteStorage(database_path=f"{place}/cache.db")
        session.mount("http://", hishel.requests.CacheAdapter(storage=storage, **options))
        by_session(session)


def by_uv() -> None:
    with tempfile.TemporaryDirectory(dir=".") as place:
        uv = [f"{sys.prefix}/bin/uv", "pip", "install", "--quiet", "--python", sys.executable, "--cache-dir", f"{place}/cache"]
        for target in ("first", "second"):
            command = [*uv, "--index-url", root, "--target", f"{place}/{target}", "demo"]
            subprocess.run(command, check=True, timeout=50)


CACHES = {
    "CacheControl": lambda: by_session(cachecontrol.CacheControl(requests.Session())),
    "hishel": lambda: by_hishel(rfc=True),
    "requests-cache": lambda: by_session(requests_cache.CachedSession(backend="memory", cache_control=True)),
    "uv": by_uv,
    "hishel without rfc": by_hishel,
}
for title, headers, age_of_date in (
    ("max-age=60", {"Cache-Control": "max-age=60"}, 0),
    ("max-age=60, Age 100", {"Cache-Control": "max-age=60", "Age": "100"}, 0),
    ("max-age=60, Date 100 s ago", {"Cache-Control": "max-age=60"}, 100),
    ("no-store", {"Cache-Control": "no-store"}, 0),
):
    Index.headers_sent, Index.age_of_date = headers, age_of_date
    times = []
    for name, ask_twice in CACHES.items():
        Index.asked = 0
        ask_twice()
        times.append(f"{name} {'again' if Index.asked == 2 else 'kept'}")
    print(f"{title}: {', '.join(times)}")
PYTHON
)
expected='max-age=60: CacheControl kept, hishel kept, requests-cache kept, uv kept, hishel without rfc kept
max-age=60, Age 100: CacheControl kept, hishel kept, requests-cache kept, uv again, hishel without rfc kept
max-age=60, Date 100 s ago: CacheControl again, hishel again, requests-cache kept, uv again, hishel without rfc kept
no-store: CacheControl again, hishel again, requests-cache again, uv again, hishel without rfc kept'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
