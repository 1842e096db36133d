#!/usr/bin/env bash
# Guess:     a server that does ranges at all gives the whole file for "bytes=-65536", the last 64 KiB, when the file is shorter:
#            RFC 9110, section 14.1.2, says so, and what reads a ZIP file from its end asks so without knowing the size.
# Versions:  aiohttp 3.14.5, bottle 0.13.4, tornado 6.6.1, werkzeug 3.1.9 (with flask 3.1.3), WebOb 1.8.11, Twisted 26.10.0,
#            sanic 25.12.1, quart 0.22.0; a file of 1000 bytes; remotezip 0.12.6 on a ZIP file as short
# Behaviour: aiohttp and bottle do. werkzeug and WebOb refuse it as not satisfiable (416); Twisted and sanic fail with 500, quart
#            does so for a short suffix and answers the long one with 416. tornado sends the whole file with 200, which is right
#            as well, but remotezip, which begins by asking for 64 KiB, takes that for a server without ranges. From all but the
#            first two it cannot read a small archive.
# Seen:      aiohttp: last 100 206 with 100, last 65536 206 with 1000, remotezip member
#            bottle: last 100 206 with 100, last 65536 206 with 1000, remotezip member
#            tornado: last 100 206 with 100, last 65536 200 with 1000, remotezip RangeNotSupported
#            flask: last 100 206 with 100, last 65536 416, remotezip RemoteIOError
#            WebOb: last 100 206 with 100, last 65536 416, remotezip RemoteIOError
#            Twisted: last 100 206 with 100, last 65536 500, remotezip RemoteIOError
#            sanic: last 100 206 with 100, last 65536 500, remotezip RemoteIOError
#            quart: last 100 500, last 65536 416, remotezip RemoteIOError
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 400 "$work/venv/bin/pip" install --quiet \
    aiohttp==3.14.5 bottle==0.13.4 tornado==6.6.1 werkzeug==3.1.9 flask==3.1.3 webob==1.8.11 twisted==26.10.0 sanic==25.12.1 \
    quart==0.22.0 remotezip==0.12.6 requests==2.34.2 setuptools==81.0.0 || exit 2

seen=$(env -i "PATH=$PATH" "HOME=$work" timeout 180 "$work/venv/bin/python" - "$work" <<'PYTHON'
import http.client, os, pathlib, socket, subprocess, sys, time, zipfile
import remotezip

os.chdir(sys.argv[1])
directory = pathlib.Path("files").absolute()
directory.mkdir()
with zipfile.ZipFile(directory / "small.zip", "w") as archive:
    archive.writestr("member", b"." * 890)
assert (directory / "small.zip").stat().st_size == 1000

WSGI = """
import wsgiref.simple_server
class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *arguments): pass
wsgiref.simple_server.make_server("127.0.0.1", port, app, handler_class=Quiet).serve_forever()
"""
SERVERS = {
    "aiohttp": """
from aiohttp import web
app = web.Application()
app.router.add_static("/", directory)
web.run_app(app, host="127.0.0.1", port=port, print=None)
""",
    "bottle": """
import bottle
app = bottle.Bottle()
app.route("/<path:path>", callback=lambda path: bottle.static_file(path, root=directory))
""" + WSGI,
    "tornado": """
import tornado.ioloop, tornado.web
tornado.web.Application([("/(.*)", tornado.web.StaticFileHandler, {"path": directory})]).listen(port, "127.0.0.1")
tornado.ioloop.IOLoop.current().start()
""",
    "flask": """
import flask
app = flask.Flask("files", static_folder=directory, static_url_path="")
""" + WSGI,
    "WebOb": """
import webob.static
app = webob.static.DirectoryApp(directory)
""" + WSGI,
    "Twisted": """
from twisted.internet import reactor
from twisted.web import server, static
reactor.listenTCP(port, server.Site(static.File(directory)), interface="127.0.0.1")
reactor.run()
""",
    "sanic": """
import sanic
app = sanic.Sanic("files")
app.static("/", directory, use_content_range=True)
app.run(host="127.0.0.1", port=port, single_process=True, access_log=False, motd=False)
""",
    "quart": """
import quart
app = quart.Quart("files", static_folder=directory, static_url_path="")
app.run(host="127.0.0.1", port=port)
""",
}


def last(port: int, count: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/small.zip", headers={"Range": f"bytes=-{count}"})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return f"last {count} {response.status}" + (f" with {len(body)}" if response.status < 400 else "")


def members(port: int) -> str:
    try:
        with remotezip.RemoteZip(f"http://127.0.0.1:{port}/small.zip", timeout=20) as archive:
            return " ".join(archive.namelist())
    except remotezip.RemoteZipError as error:
        return type(error).__name__


def serving(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


for name, source in SERVERS.items():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = f"port, directory = {port}, {str(directory)!r}\n{source}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen([sys.executable, "-c", program], **quiet)
    try:
        until = time.monotonic() + 30
        while not serving(port) and time.monotonic() < until:
            time.sleep(0.1)
        print(f"{name}: {last(port, 100)}, {last(port, 65536)}, remotezip {members(port)}", flush=True)
    finally:
        server.kill()
        server.wait()
PYTHON
)
expected='aiohttp: last 100 206 with 100, last 65536 206 with 1000, remotezip member
bottle: last 100 206 with 100, last 65536 206 with 1000, remotezip member
tornado: last 100 206 with 100, last 65536 200 with 1000, remotezip RangeNotSupported
flask: last 100 206 with 100, last 65536 416, remotezip RemoteIOError
WebOb: last 100 206 with 100, last 65536 416, remotezip RemoteIOError
Twisted: last 100 206 with 100, last 65536 500, remotezip RemoteIOError
sanic: last 100 206 with 100, last 65536 500, remotezip RemoteIOError
quart: last 100 500, last 65536 416, remotezip RemoteIOError'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
