"""Parsing and rendering a project's page of 5,000 files, beside what reading its bytes as HTML or JSON costs at the least.

In processor time of the one thread that does it.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from html.parser import HTMLParser

import msgspec

from scripts.bench.programs.measuring import Case, interleaved, section, show_times
from wheelfs.core.simple import api, html_render, json_render
from wheelfs.core.simple.html_render import RenderedFile
from wheelfs.model.names import ProjectName

PROJECT = ProjectName("demo")
PAGE_URL = "https://index.example/simple/demo/"


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=5_000, help="files on the page (5000)")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each case (15)")
    asked = parser.parse_args()
    legacy = legacy_html(asked.files)
    relative = legacy.replace(b"https://files.index.example/", b"../../")
    page = api.parse_page(legacy, "text/html", PAGE_URL, PROJECT)
    entries = [RenderedFile(link) for link in page.files]
    modern = json_render.render_project_page(PROJECT, entries)
    with section(f"{asked.files} files: {len(legacy) / 1e6:.2f} MB of HTML, {len(modern) / 1e6:.2f} MB of JSON"):
        cases = [
            Case("html.parser alone, the HTML as events", lambda _: HTMLParser().feed(legacy.decode())),
            Case("parse the HTML", lambda _: api.parse_page(legacy, "text/html", PAGE_URL, PROJECT)),
            Case("parse the HTML, relative addresses", lambda _: api.parse_page(relative, "text/html", PAGE_URL, PROJECT)),
            Case("msgspec alone, the JSON without a schema", lambda _: msgspec.json.decode(modern)),
            Case("parse the JSON", lambda _: api.parse_page(modern, "application/json", PAGE_URL, PROJECT)),
            Case("render HTML", lambda _: html_render.render_project_page(PROJECT, entries)),
            Case("render JSON", lambda _: json_render.render_project_page(PROJECT, entries)),
        ]
        peers = {case.name: cases[0].name for case in cases[1:3]} | {"parse the JSON": cases[3].name}
        show_times(interleaved(cases, asked.rounds, clock_s=time.thread_time), peers)


def legacy_html(count: int) -> bytes:
    """Return a page as the public index writes it, with long addresses and a hash each: 1.6 MB for 5,000."""
    lines = []
    for number in range(count):
        name = f"demo-{number // 50}.{number % 50}.0-cp311-cp311-manylinux_2_17_x86_64.whl"
        digest = hashlib.sha256(name.encode()).hexdigest()
        url = f"https://files.index.example/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{name}#sha256={digest}"
        lines.append(f'    <a href="{url}" data-requires-python="&gt;=3.8">{name}</a><br />')
    head = '<!DOCTYPE html>\n<html>\n  <head>\n    <meta name="pypi:repository-version" content="1.3">\n'
    title = "    <title>Links for demo</title>\n  </head>\n  <body>\n    <h1>Links for demo</h1>\n"
    return (head + title + "\n".join(lines) + "\n</body>\n</html>\n").encode()


if __name__ == "__main__":
    main()
