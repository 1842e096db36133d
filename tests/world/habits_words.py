"""What wheelfs says of what it cannot pass on, and what its commands do: more than an install shows."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fakes.processes import run, wheelfs_command, wheelfs_environment
from tests.world.habits import Place, habit
from tests.world.shop import FILES, a, entry
from tests.world.site import fixed

if TYPE_CHECKING:
    from tests.world.faces import Faces
    from tests.world.shop import Shop


def _says_what_was_left_out(faces: Faces) -> str | None:
    lines = [line for line in faces.log.splitlines() if "links left out" in line and faces.project in line]
    if len(lines) != 1:
        return f"the log has {len(lines)} lines of links that were left out, not 1"
    return None if "3 links left out" in faces.page() else "the page has no comment that 3 links were left out"


@habit("three links that are no files of the project", "flat listings, side files, typing errors", also=_says_what_was_left_out)
def words_links_left_out(shop: Shop) -> None:
    others = ('<a href="/files/README.txt">README.txt</a>', '<a href="ftp://index.example/x-1.0.tar.gz">x-1.0.tar.gz</a>')
    shop.html(a(shop.wheel()), *others, f'<a href="/files/{shop.package}-3.0.whl">{shop.package}-3.0.whl</a>')


def _passes_variants_on(faces: Faces) -> str | None:
    page, package = faces.page(), faces.project.replace("-", "_")
    missing = [name for name in (f"{package}-2.0-variants.json", f"{package}-2.0-py3-none-any-cu130.whl") if name not in page]
    if missing:
        return f"not on the page: {', '.join(missing)}"
    return None if json.loads(faces.file(f"{package}-2.0-variants.json")) == {"variants": {}} else "the JSON is another one"


@habit("variant wheels and the JSON that must accompany them", "PEP 825's draft, NVIDIA's index", also=_passes_variants_on)
def words_variants(shop: Shop) -> None:
    variant = shop.wheel(build="variant", filename=f"{shop.package}-2.0-py3-none-any-cu130.whl")
    described = f"{shop.package}-2.0-variants.json"
    shop.put(FILES + described, b'{"variants": {}}', content_type="application/json")
    shop.html(a(shop.wheel()), a(variant), f'<a href="{FILES}{described}">{described}</a>')


def _keeps_the_hash(kind: str, faces: Faces) -> str | None:
    status, body = faces.gateway(f"simple/{faces.project}/")
    [file] = json.loads(body)["files"] if status == 200 else [{"hashes": {}}]
    kinds = set(file["hashes"])
    return None if {kind, "sha256"} <= kinds else f"the page has {sorted(kinds)} once it is stored, not {kind} and sha256"


@habit(
    "vouches by sha512, which stays beside our sha256",
    "Nexus and devpi set to it",
    also=lambda faces: _keeps_the_hash("sha512", faces),
)
def words_sha512_kept(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.json(entry(wheel, hashes={"sha512": wheel.digest("sha512")}))


@habit("vouches by md5, which stays beside our sha256", "Nexus", also=lambda faces: _keeps_the_hash("md5", faces))
def words_md5_kept(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.json(entry(wheel, hashes={"md5": wheel.digest("md5")}))


def _blames_the_right_index(faces: Faces) -> str | None:
    faces.ask(1)
    states = json.loads((faces.node.mount.path / ".wheelfs" / "status.json").read_text())["origins"]
    errors = {state["name"]: state["last_error"] for state in states if state["name"].startswith(faces.index)}
    other = f"{faces.index}.1"
    return None if errors[faces.index] is None and errors[other] is not None else f"the errors are {errors}"


@habit(
    "the second of two indexes on one host refuses: the first is not blamed",
    "devpi, Nexus, Artifactory: rights by index",
    places=(Place(path="/one/simple"), Place(path="/two/simple")),
    also=_blames_the_right_index,
)
def words_two_on_one_host(shop: Shop) -> None:
    shop.html(a(shop.wheel()))
    shop.route(shop.page_path(index=1), fixed(403))


def _fetch_compares(faces: Faces) -> str | None:
    with tempfile.TemporaryDirectory() as directory:
        where = Path(directory)
        (where / "requirements.txt").write_text(f"{faces.project}==2.0 --hash=sha512:{'0' * 128}\n")
        line = wheelfs_command(
            "--store", str(where / "store"), "fetch", "-r", "requirements.txt", "--index", f"one={faces.urls[0]}"
        )
        done = run(line, environment=wheelfs_environment(where / "home"), cwd=where, timeout_s=60)
    return "wheelfs fetch -r compares no sha512: exit code 0" if done.returncode == 0 else None


@habit(
    "no hashes, and a lock with a wrong sha512: wheelfs fetch -r refuses it, too", "pip's --require-hashes", also=_fetch_compares
)
def words_fetch_sha512(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0"), ""), a(shop.wheel(), ""))
