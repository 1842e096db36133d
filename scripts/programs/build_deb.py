"""A Debian package: an environment of its own in /usr/lib/wheelfs, with all that a package of the system has.

Most libraries that wheelfs needs are not in Debian, or too old there, so the package brings them, at the versions that the tests
ran with. It is for the release and the architecture that it was built on: it depends on that Python and that libfuse. It has no
scripts that run at installation, and leaves nothing there but what wheelfs has written: stores, logs, configuration.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import wheelfs
from wheelfs.cli.commands.completion import SHELLS
from wheelfs.cli.units import MARK, gateway_units, timer_units

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT: Final = Path(__file__).parents[2]
PYTHON: Final = "/usr/bin/python3"
HOME: Final = Path("/usr/lib/wheelfs")
COMPLETIONS: Final = {
    "bash": "usr/share/bash-completion/completions/wheelfs",
    "zsh": "usr/share/zsh/vendor-completions/_wheelfs",
    "fish": "usr/share/fish/vendor_completions.d/wheelfs.fish",
}


def main() -> None:
    """Build the package, and print its path."""
    parser = argparse.ArgumentParser(description="Build a Debian package of this checkout.")
    parser.add_argument("--into", type=Path, default=Path.cwd(), metavar="DIR", help="where the package is written; here")
    parser.add_argument("--revision", default="1", help="the Debian revision; 1")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wheelfs-deb-") as directory:
        root = Path(directory) / "root"
        root.mkdir(mode=0o755)
        make_environment(root, Path(directory))
        add_system_files(root)
        package = arguments.into / f"wheelfs_{wheelfs.__version__}-{arguments.revision}_{architecture()}.deb"
        add_control(root, f"{wheelfs.__version__}-{arguments.revision}")
        run("dpkg-deb", "--root-owner-group", "-Zxz", "-z3", "--build", root, package)
    print(package)


def run(*command: object, **more: str) -> str:
    """Run a program and return what it printed; what it says goes to our stderr."""
    words = list(map(str, command))
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **more}).stdout


def architecture() -> str:
    """Return what Debian calls this machine."""
    return run("dpkg", "--print-architecture").strip()


def make_environment(root: Path, scratch: Path) -> None:
    """Make the environment, as it will be at its final place, with its bytecode."""
    home = root / HOME.relative_to("/")
    uv = Path(sys.executable).parent / "uv"
    run(uv, "build", "--quiet", "--wheel", "--out-dir", scratch, CHECKOUT)
    [wheel] = scratch.glob("*.whl")
    run(PYTHON, "-m", "venv", "--without-pip", "--symlinks", home)
    constraints = CHECKOUT / "constraints.txt"
    run(uv, "pip", "install", "--quiet", "--link-mode", "copy", "--python", home / "bin/python", "-c", constraints, wheel)
    for program in (home / "bin").iterdir():
        if not program.name.startswith("python"):
            program.unlink()
    program = home / "bin/wheelfs"
    program.write_text(f"#!{HOME}/bin/python -P\nimport sys\n\nfrom wheelfs.__main__ import main\n\nsys.exit(main())\n")
    program.chmod(0o755)
    # What names the place where it was made.
    (home / "pyvenv.cfg").write_text(re.sub(r"^command = .*\n", "", (home / "pyvenv.cfg").read_text(), flags=re.MULTILINE))
    for link in home.rglob("direct_url.json"):
        link.unlink()
    (home / ".lock").unlink(missing_ok=True)
    shutil.rmtree(home / "include")
    lib = home / "lib"
    run(home / "bin/python", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", root, "-p", "/", lib)


def add_system_files(root: Path) -> None:
    """Add what the system looks for elsewhere: commands, mount(8)'s helper, units, manual pages, completions, the licence."""
    for link, target in (("usr/bin/wheelfs", "../lib/wheelfs/bin/wheelfs"), ("usr/sbin/mount.fuse.wheelfs", "../bin/wheelfs")):
        (root / link).parent.mkdir(parents=True, exist_ok=True)
        (root / link).symlink_to(target)
    program = ["/usr/bin/wheelfs"]
    units = [*gateway_units(program, [], None, for_user=False), *timer_units(program, for_user=False)]
    for unit in units:
        write(root / "usr/lib/systemd/system" / unit.name, unit.text.removeprefix(f"{MARK}\n"))
    python = root / HOME.relative_to("/") / "bin/python"
    manual = root / "usr/share/man/man1"
    run(python, "-P", "-m", "wheelfs", "man", manual)
    for page in list(manual.iterdir()):
        (manual / f"{page.name}.gz").write_bytes(gzip.compress(page.read_bytes(), mtime=0))
        page.unlink()
    for shell in SHELLS:
        write(root / COMPLETIONS[shell], run(python, "-P", "-m", "wheelfs", "completion", shell))
    shutil.copy(CHECKOUT / "LICENSE", write(root / "usr/share/doc/wheelfs/copyright", ""))


def write(path: Path, text: str) -> Path:
    """Write a file, in directories that need not be there yet, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def add_control(root: Path, version: str) -> None:
    """Add what dpkg reads of the package itself."""
    size_kib = sum(path.lstat().st_size for path in root.rglob("*") if not path.is_dir()) // 1024
    major, minor = run(PYTHON, "-c", "import sys; print(*sys.version_info[:2])").split()
    fields = {
        "Package": "wheelfs",
        "Version": version,
        "Architecture": architecture(),
        "Maintainer": f"{os.environ.get('DEBFULLNAME', 'the wheelfs authors')} <{os.environ.get('DEBEMAIL', 'root@localhost')}>",
        "Installed-Size": str(size_kib),
        "Depends": ", ".join(
            [
                f"python3 (>= {major}.{minor})",
                f"python3 (<< {major}.{int(minor) + 1})",
                "ca-certificates",
                "fuse3",
                *libraries(root),
            ]
        ),
        "Section": "admin",
        "Priority": "optional",
        "Description": "read-only mount of Python wheels, fetched lazily from any index\n"
        " Wheels are stored once, deduplicated, and stay installable offline by pip and uv.",
    }
    write(root / "DEBIAN/control", "".join(f"{name}: {value}\n" for name, value in fields.items()))
    set_modes(root)


def set_modes(root: Path) -> None:
    """Let every user read what is below ``root``, and run its programs: with this builder's umask, only root might."""
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def libraries(root: Path) -> Iterator[str]:
    """Yield the packages of the libraries that what was compiled here is linked with, beside libc."""
    found: set[str] = set()
    for module in root.rglob("pyfuse3/*.so"):
        found.update(re.findall(r"=> (/\S+libfuse3\S+)", run("ldd", module)))
    for library in sorted(found):
        # With a merged /usr, dpkg knows one of the two paths.
        place = Path(library).resolve()
        for candidate in (place, Path("/", place.relative_to("/usr")) if place.is_relative_to("/usr") else place):
            owner = subprocess.run(["dpkg", "-S", candidate], capture_output=True, text=True, check=False).stdout
            if owner:
                yield owner.partition(":")[0]
                break


if __name__ == "__main__":
    main()
