"""Rows of requirements files and words: what pip and uv make of them, and what wheelfs takes."""

from __future__ import annotations

from typing import Any, Final

from tests.world_files.case import REFUSED, Case

NOUGHTS: Final = "0" * 64

_PIP_IS_RIGHT: Final = "as pip"
_EITHER_READS: Final = "what only one of the two reads is read"
_UNPINNED: Final = "uv passes hashes over where no single version is asked for, and installs what it takes; as pip"
_NAMED: Final = "it cannot be had ahead, and is named"

_BACKEND: Final = """
import os
def prepare_metadata_for_build_wheel(directory, config_settings=None):
    os.makedirs(directory + "/proj-1.dist-info")
    with open(directory + "/proj-1.dist-info/METADATA", "w") as file:
        file.write("Metadata-Version: 2.1\\nName: proj\\nVersion: 1\\nRequires-Dist: libd\\n")
    return "proj-1.dist-info"
prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel
def build_editable(*arguments, **settings):
    raise NotImplementedError
"""
PROJ: Final = {
    "proj/pyproject.toml": (
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
        "[project]\nname = 'proj'\nversion = '1'\ndependencies = ['libd']\n"
    ),
    "proj/backend.py": _BACKEND,
}
X: Final = {"x-1.5-py3-none-any.whl": "«wheel»"}


def req(name: str, text: str | bytes, takes: str, **more: Any) -> Case:
    """Return a row of one requirements file, ``req.txt``, and other ``files``."""
    return Case(name=name, files={"req.txt": text, **more.pop("files", {})}, takes=takes, **more)


ONE_REQUIREMENT: Final = [
    req("names and pins", "liba\nlibd==1.0\n", "liba-3.0 libd-1.0", quick=True),
    req("two lines of one project", "liba<2.1\nliba!=2.0\n", "liba-1.5", quick=True),
    req("through -r", "liba<2.1\n-r other.txt\n", "liba-1.5", files={"other.txt": "liba!=2.0\n"}, quick=True),
    req("a line and a word", "liba<2.1\n", "liba-1.5", words=("-r", "req.txt", "liba!=2.0")),
    req("constraints in the file", "-c c.txt\nliba\n", "liba-1.5", files={"c.txt": "liba<2\nlibd==1.0\n"}, quick=True),
    req("constraints of the command", "liba\n", "liba-1.5", files={"c.txt": "liba<2\n"}, words=("-r", "req.txt", "-c", "c.txt")),
    req("lines that exclude each other", "liba==1.0\nliba==2.0\n", REFUSED, says=("req.txt, line 2",)),
    req("a marker splits", "liba<2 ; sys_platform == 'win32'\nliba>=2 ; sys_platform != 'win32'\n", "liba-3.0"),
    req("extras of two lines", "app[fancy]\napp\n", "app-1.0 fancy-1.0 liba-3.0", deps=True),
    req("what one needs narrows another", "narrow\napp\n", "app-1.0 liba-1.5 narrow-1.0", deps=True),
    req("names that are normalized", "Zope.Interface\ndocs_tool\n", "zope_interface-7.0 docs_tool-1.0"),
    Case(name="words alone", words=("liba<2", "libd"), takes="liba-1.5 libd-2.0"),
    req(
        "one that no index has",
        "liba\nnothere\n",
        "liba-3.0",
        pip=REFUSED,
        uv=REFUSED,
        why="the rest is brought",
        names=("nothere",),
    ),
]

VERSIONS: Final = [
    req("a pre-release by its version", "pre>=2.0b1\n", "pre-2.0b1"),
    req("a pre-release by one of two lines", "pre>=2.0b1\npre<3\n", "pre-2.0b1"),
    req("a pre-release by a constraint", "-c c.txt\npre\n", "pre-2.0b1", files={"c.txt": "pre>=2.0b1\n"}),
    req("pre-releases alone", "alpha\n", "alpha-1.0a1"),
    req("--pre in the file", "--pre\npre\n", "pre-2.0b1", uv="pre-1.0", why="uv takes --pre on its command line alone"),
    req("--pre as an option", "pre\n", "pre-2.0b1", words=("-r", "req.txt", "--pre"), quick=True),
    req("--all-releases", "--all-releases pre\npre\n", "pre-2.0b1", uv=REFUSED, why="uv does not know the option"),
    req("--only-final", "--only-final :all:\nalpha\n", REFUSED, says=("pre-release",)),
    req("an epoch", "epoch\n", "epoch-1!1.0"),
    req("a local version", "local\n", "local-1.0+cpu"),
    req("a post release", "post==1.0\n", "post-1.0"),
    req("yanked, passed over", "yank\n", "yank-1.0"),
    req("yanked, pinned", "yank==2.0\n", "yank-2.0"),
    req("yanked, all of it", "allyank\n", REFUSED, says=("yanked",)),
    req("Requires-Python", "py\n", "py-1.0"),
    req("the build number", "built\n", "built-1.0-2"),
    req("the newest has no wheel for here", "plat\n", "plat-1.0"),
    req("arbitrary equality", "liba===1.5\n", "liba-1.5"),
    req("compatible release", "liba~=1.0\n", "liba-1.5"),
]

KINDS: Final = [
    req(
        "an sdist since no wheel fits",
        "mixed\n",
        "mixed-2.0.tar.gz",
        says=("no wheel of version 2.0 is for this Python",),
        quick=True,
    ),
    req("an sdist since the newest has no wheel", "srclast\n", "srclast-2.0.tar.gz", says=("version 2.0 has no wheel",)),
    req("--only-binary :all:", "--only-binary :all:\nsrclast\n", "srclast-1.0", quick=True),
    req("--only-binary NAME", "--only-binary srclast\nsrclast\nsource\n", "source-1.0.tar.gz srclast-1.0"),
    req("--only-binary, nothing left", "--only-binary :all:\nsource\n", REFUSED, says=("--only-binary",)),
    req(
        "--only-binary taken back",
        "--only-binary :all:\n--only-binary :none:\nsrclast\n",
        "srclast-2.0.tar.gz",
        uv="srclast-1.0",
        why="to uv :none: is one more word; to pip it takes back",
    ),
    req(
        "--only-binary of a list",
        "--only-binary=liba,srclast\nsrclast\n",
        "srclast-1.0",
        uv=REFUSED,
        why="uv wants the option once for each name",
    ),
    req("later lines win", "--no-binary :all:\n--only-binary both\nboth\n", "both-2.0"),
    req("--no-binary NAME", "--no-binary both\nboth\nliba\n", "both-2.0.tar.gz liba-3.0"),
    req("--no-binary :all:", "--no-binary :all:\nboth\n", "both-2.0.tar.gz"),
    req(
        "--prefer-binary",
        "--prefer-binary\nsrclast\n",
        "srclast-1.0",
        uv="srclast-2.0.tar.gz",
        why="uv knows no such preference, and passes the line over",
    ),
    req("--only-binary as an option", "srclast\n", "srclast-1.0", words=("-r", "req.txt", "--only-binary", ":all:"), quick=True),
    req("--no-binary as an option", "both\n", "both-2.0.tar.gz", words=("-r", "req.txt", "--no-binary", "both")),
    req(
        "--prefer-binary as an option",
        "srclast\n",
        "srclast-1.0",
        words=("-r", "req.txt", "--prefer-binary"),
        uv=None,
        why="uv has no such option",
    ),
    req("with dependencies", "--only-binary :all:\napp\n", "app-1.0 liba-3.0", deps=True),
]

PLACES: Final = [
    req(
        "a URL with a false marker", "color @ «origin»/x/color-1.0.zip ; sys_platform == 'win32'\nliba\n", "liba-3.0", quick=True
    ),
    req(
        "a bare URL with a false marker",
        "«origin»/files/color-1.0-py3-none-any.whl ; sys_platform == 'win32'\nliba\n",
        "liba-3.0",
    ),
    req(
        "a URL",
        "color @ «origin»/files/color-1.0-py3-none-any.whl\nliba\n",
        "liba-3.0",
        pip="liba-3.0 url:color-1.0",
        uv="liba-3.0 url:color-1.0",
        why=_NAMED,
        names=("color @ «origin»/files/color-1.0-py3-none-any.whl",),
        says=("req.txt, line 1",),
    ),
    req(
        "a URL and a name",
        "«origin»/files/color-1.0-py3-none-any.whl\ncolor>=1\nliba\n",
        "liba-3.0",
        pip="liba-3.0 url:color-1.0",
        uv="liba-3.0 url:color-1.0",
        why=_NAMED,
        names=("«origin»/files/color-1.0-py3-none-any.whl",),
    ),
    req(
        "a wheel by a relative path",
        "pkgs/x-1.5-py3-none-any.whl\nliba\n",
        "liba-3.0 local:x-1.5",
        files={"pkgs/x-1.5-py3-none-any.whl": "«wheel»"},
        quick=True,
    ),
    req("a wheel by its name", "x-1.5-py3-none-any.whl\n", "local:x-1.5", files=X),
    req("a wheel with a false marker", "./x-1.5-py3-none-any.whl ; sys_platform == 'win32'\nliba\n", "liba-3.0", files=X),
    req("a wheel with extras", "./x-1.5-py3-none-any.whl[more]\n", "local:x-1.5", files=X),
    req("a wheel and a name", "./x-1.5-py3-none-any.whl\nx>=1\n", "local:x-1.5", files=X),
    req(
        "a wheel that is not there",
        "./y-1.5-py3-none-any.whl\nliba\n",
        "liba-3.0",
        pip=REFUSED,
        uv=REFUSED,
        why="the rest is brought",
        names=("./y-1.5-py3-none-any.whl",),
        says=("there is no such file", "req.txt, line 1"),
    ),
    req("an sdist by its path", "./x-1.5.tar.gz\nliba\n", "liba-3.0 local:x-1.5.tar.gz", files={"x-1.5.tar.gz": "«sdist»"}),
    req("a file: URL", "file://«dir»/x-1.5-py3-none-any.whl\n", "local:x-1.5", files=X),
    req("a relative file: URL", "file:./x-1.5-py3-none-any.whl\n", "local:x-1.5", files=X),
    req("NAME @ file:", "x @ file://«dir»/x-1.5-py3-none-any.whl\n", "local:x-1.5", files=X),
    req("NAME @ path", "x @ ./x-1.5-py3-none-any.whl\n", "local:x-1.5", files=X, pip=REFUSED, why=_EITHER_READS),
    req(
        "paths count from the working directory",
        "-r sub/r.txt\n",
        "local:x-1.5",
        files={"sub/r.txt": "./x-1.5-py3-none-any.whl\n", **X},
    ),
    req(
        "a wheel that others depend beside", "./x-1.5-py3-none-any.whl\napp\n", "app-1.0 liba-3.0 local:x-1.5", files=X, deps=True
    ),
    req(
        "a directory",
        "./proj\nliba\n",
        "liba-3.0 libd-2.0",
        files=PROJ,
        deps=True,
        pip="liba-3.0 libd-2.0 local:proj",
        uv="liba-3.0 libd-2.0 local:proj",
        why="it is built where it lies; what it needs is brought",
        names=("./proj",),
        says=("req.txt, line 1",),
    ),
    req(
        "an editable directory",
        "-e ./proj\nliba\n",
        "liba-3.0 libd-2.0",
        files=PROJ,
        deps=True,
        pip="liba-3.0 libd-2.0 local:proj",
        uv="liba-3.0 libd-2.0 local:proj",
        why="it is installed from where it lies; what it needs is brought",
        names=("./proj",),
    ),
    req(
        "an editable with a false marker",
        "-e ./proj ; sys_platform == 'win32'\nliba\n",
        "liba-3.0",
        files=PROJ,
        pip="liba-3.0 local:proj",
        why="pip does not read the marker after -e; nothing is to be fetched of it either way",
    ),
    req(
        "--find-links",
        "--find-links pkgs\nliba\n",
        "liba-3.0",
        files={"pkgs/x-1.5-py3-none-any.whl": "«wheel»"},
        says=("--find-links in a requirements file has no effect", "req.txt, line 1"),
    ),
    req(
        "--index-url",
        "--index-url «origin»/simple\nliba\n",
        "liba-3.0",
        says=("--index-url in a requirements file has no effect",),
    ),
    req("--extra-index-url", "--extra-index-url «origin»/simple\nliba\n", "liba-3.0", says=("--extra-index-url",)),
    req(
        "--no-index and --find-links",
        "--no-index\n--find-links pkgs\nx\n",
        REFUSED,
        files={"pkgs/x-1.5-py3-none-any.whl": "«wheel»"},
        pip="x-1.5",
        uv="x-1.5",
        why="where files come from is configured; wheelfs add takes a directory",
        names=("x",),
        says=("--no-index",),
    ),
    req("--trusted-host", "--trusted-host localhost\nliba\n", "liba-3.0", uv="liba-3.0"),
]

TEXT: Final = [
    req(
        "variables",
        "-r ${DIR}/x.txt\nlibd==${V}\n",
        "color-1.0 libd-1.0",
        files={"sub/x.txt": "color\n"},
        environ={"DIR": "sub", "V": "1.0"},
        uv=REFUSED,
        why="uv replaces variables in paths and URLs alone",
        quick=True,
    ),
    req("a variable that is not set", "liba==${NOT_SET}\n", REFUSED, says=("line 1",)),
    req("a variable in small letters", "liba==${v}\n", REFUSED, environ={"v": "1.0"}),
    req(
        "continued lines",
        "liba\\\n==1.0\nlibd \\\n# comment\ncolor\n",
        "color-1.0 liba-1.0 libd-2.0",
        uv=REFUSED,
        why="uv does not join inside of a requirement",
    ),
    req("hashes on continued lines", "liba==1.0 \\\n    --hash=«sha256 liba 1.0» \\\n    --hash=«sha256 liba 1.5»\n", "liba-1.0"),
    req("comments", "# one\nliba==1.0 # two\n  # three\n", "liba-1.0"),
    req(
        "a comment that ends in a backslash",
        "liba==1.0 # why \\\nlibd\ncolor\n",
        "color-1.0 liba-1.0",
        uv="color-1.0 liba-1.0 libd-2.0",
        why="to pip the next line is part of the comment, unlike to uv",
        says=("req.txt, line 2: it is left out as by pip, unlike by uv",),
        quick=True,
    ),
    req("no comment without a blank", "liba==1.0#x\n", REFUSED, says=("line 1",)),
    req("a byte order mark", b"\xef\xbb\xbfliba\n", "liba-3.0"),
    req("UTF-16", "liba\n".encode("utf-16"), "liba-3.0"),
    req(
        "a coding line",
        "# -*- coding: latin-1 -*-\nliba # café\n".encode("latin-1"),
        "liba-3.0",
        uv=REFUSED,
        why="uv reads UTF-8 and UTF-16",
    ),
    req("no UTF-8", "liba # café\n".encode("latin-1"), REFUSED, says=("coding",)),
    req("CRLF", "liba\r\nlibd==1.0\r\n", "liba-3.0 libd-1.0"),
    req(
        "options in one line",
        "--pre --only-binary :all:\npre\n",
        "pre-2.0b1",
        uv="pre-1.0",
        why="uv takes --pre on its command line alone",
    ),
]

HASHES: Final = [
    req("sha256", "liba==1.0 --hash=«sha256 liba 1.0»\n", "liba-1.0", quick=True),
    req("sha384", "liba==1.0 --hash=«sha384 liba 1.0»\n", "liba-1.0"),
    req("sha512", "liba==1.0 --hash=«sha512 liba 1.0»\n", "liba-1.0"),
    req("md5", "liba==1.0 --hash=«md5 liba 1.0»\n", "liba-1.0", pip=REFUSED, why=_EITHER_READS),
    req("sha1", f"liba==1.0 --hash=sha1:{NOUGHTS}\n", REFUSED, says=("sha1",)),
    req(
        "another hash",
        f"liba==1.0 --hash=sha256:{NOUGHTS}\n",
        REFUSED,
        uv="liba-1.0",
        why="a dry run of uv compares nothing; its install does",
        says=("hash",),
    ),
    req("a hash that no file can have", "liba==1.0 --hash=sha256:00\n", REFUSED, says=("line 1", "'00' is no sha256")),
    req(
        "a hash without a pin",
        "liba --hash=«sha256 liba 1.5»\n",
        "liba-1.5",
        uv="liba-3.0",
        why=_UNPINNED,
    ),
    req("a hash with a range", "liba==1.* --hash=«sha256 liba 1.0»\n", "liba-1.0", uv="liba-1.5", why=_UNPINNED),
    req(
        "another hash without a pin",
        f"liba --hash=sha256:{NOUGHTS}\n",
        REFUSED,
        uv="liba-3.0",
        why=_UNPINNED,
        says=("hash",),
    ),
    req(
        "another hash in constraints",
        "-c c.txt\nliba\n",
        REFUSED,
        files={"c.txt": "liba==1.5 --hash=«sha256 liba 1.0»\n"},
        uv="liba-1.5",
        why="uv passes hashes of constraints over, and installs what it takes; as pip",
        says=("hash",),
    ),
    req("a hash in constraints", "-c c.txt\nliba\n", "liba-1.0", files={"c.txt": "liba==1.0 --hash=«sha256 liba 1.0»\n"}),
    req(
        "some have none",
        "liba==1.0 --hash=«sha256 liba 1.0»\nlibd==1.0\n",
        "liba-1.0 libd-1.0",
        pip=REFUSED,
        why="as uv, and it is said that pip will refuse",
        says=("pip, unlike uv",),
    ),
    req("--require-hashes", "--require-hashes\nliba==1.0\n", REFUSED, says=("--require-hashes",)),
    req("--require-hashes, given", "--require-hashes\nliba==1.0 --hash=«sha256 liba 1.0»\n", "liba-1.0"),
    req("an sdist's", "source==1.0 --hash=«s:sha256 source 1.0»\n", "source-1.0.tar.gz"),
]

REQUIREMENTS: Final = [*ONE_REQUIREMENT, *VERSIONS, *KINDS, *PLACES, *TEXT, *HASHES]
