"""What wheelfs says of what it cannot pass on, and what its commands do: more than an install shows."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import uv

from tests.fakes.processes import isolated_environment, run, wheelfs_command, wheelfs_environment
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, wheel_filename
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


def _rebuilt_is_noticed(faces: Faces) -> str | None:
    """With a cache, as users have one: ``--refresh`` has uv look again, and it goes by ctime (plain directories too)."""
    with tempfile.TemporaryDirectory() as directory:
        found = [_add_and_install(faces, Path(directory), build) for build in ("first", "second")]
    return None if found == ["first", "second"] else f"uv with its cache installed {found}"


def _add_and_install(faces: Faces, where: Path, build: str) -> str:
    """Have a build of a private wheel in the store in place of any other, install it by uv, and return what was installed."""
    name = f"{faces.project}-private"
    package, path = name.replace("-", "_"), where / wheel_filename(name, "1.0")
    is_there = path.exists()
    path.write_bytes(build_wheel(name, "1.0", files={f"{package}/__init__.py": build.encode()}))
    for words in (["rm", path.name], ["add", path.name]) if is_there else (["add", path.name],):
        line = wheelfs_command("--store", str(faces.node.mount.store), *words)
        run(line, environment=wheelfs_environment(where / "home"), cwd=where, timeout_s=60).succeeded()
    mounted, wanted = faces.node.mount.path / path.name, path.read_bytes()
    eventually(lambda: mounted.exists() and mounted.read_bytes() == wanted)
    line = [uv.find_uv_bin(), "pip", "install", "--no-deps", "--python", sys.executable, "--target", f"target-{build}"]
    line += ["--refresh", "--no-index", "--find-links", str(mounted.parent), name]
    run(line, environment=isolated_environment(where / "home"), cwd=where, timeout_s=60).succeeded()
    return (where / f"target-{build}" / package / "__init__.py").read_text()


@habit("a private wheel is built again and added under its name", "every lab", also=_rebuilt_is_noticed)
def words_private_rebuilt(shop: Shop) -> None:
    shop.html(a(shop.wheel()))
