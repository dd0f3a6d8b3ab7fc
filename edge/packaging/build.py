"""Build the agent as one file (zipapp) and as a Debian package: `make edge`.

The zipapp carries the agent with paho and the pure-Python part of protobuf, taken from the installed
wheels, so that it runs on a Python with nothing installed. The package carries the zipapp, the unit and the
sample. Both are the same bytes whenever the sources are (times are those of SOURCE_DATE_EPOCH, or fixed).
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import importlib.util
import io
import marshal
import os
import sys
import tarfile
import time
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import distribution
from pathlib import Path, PurePosixPath

HERE = Path(__file__).resolve().parent
EDGE = HERE.parent
EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", "1767225600"))
MOST_BYTES = 1_000_000
STATE = "/var/lib/minewatch-edge"
EXAMPLES = "/usr/share/doc/minewatch-edge/examples"

# The agent needs none of these: test code, code generators, other formats.
LEFT_OUT = (
    "paho/mqtt/publish.py", "paho/mqtt/subscribe.py", "google/_upb/", "google/protobuf/compiler/",
    "google/protobuf/testdata/", "google/protobuf/util/", "google/protobuf/json_format.py",
    "google/protobuf/proto", "google/protobuf/service", "google/protobuf/internal/json_format",
    "google/protobuf/internal/message_benchmark", "google/protobuf/internal/testing_",
    *(f"google/protobuf/{name}" for name in (
        "any", "api_pb2", "duration", "empty_pb2", "field_mask_pb2", "source_context_pb2", "struct_pb2",
        "timestamp", "type_pb2", "wrappers_pb2", "cpp_features", "java_features",
    )),
)  # fmt: skip
HOST_SIDE = (  # the service's half of the session, and fakes
    *(f"minewatch_edge/sparkplug/{name}" for name in ("host_", "events", "rebirths", "reorder", "speaker")),
    "minewatch_edge/testing.py",
)
LICENCES = {"paho-mqtt": "edl-v10", "protobuf": "LICENSE"}


def version() -> str:
    """Return the version that edge/pyproject.toml says."""
    return str(tomllib.loads((EDGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


# --- the zipapp --------------------------------------------------------------------------------


def contents() -> dict[str, bytes]:
    """Return what goes into the zipapp: path and bytes, sources with their compiled form beside them."""
    found = {
        path.relative_to(EDGE / "src").as_posix(): path.read_bytes()
        for path in sorted((EDGE / "src/minewatch_edge").rglob("*.py"))
        if not path.relative_to(EDGE / "src").as_posix().startswith(HOST_SIDE)
    }
    for name in LICENCES:
        found.update(_library(name))
    # A package, not a namespace: else a foreign google/__init__.py further down sys.path would win.
    found["google/__init__.py"] = b""
    found["__main__.py"] = (HERE / "zip_main.py").read_bytes()
    found["LICENSE"] = (EDGE / "LICENSE").read_bytes()
    compiled = {f"{name}c": _compiled(name, code) for name, code in found.items() if name.endswith(".py")}
    return dict(sorted({**found, **compiled}.items()))


def _library(name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the pure-Python files of an installed distribution, and its licences."""
    for part in distribution(name).files or ():
        path = part.as_posix()
        if "licenses" in part.parts or part.name in ("LICENSE", "LICENSE.txt"):
            yield f"licences/{name}/{part.name}", Path(str(part.locate())).read_bytes()
        elif part.suffix == ".py" and ".." not in part.parts and not path.startswith(LEFT_OUT):
            code = Path(str(part.locate())).read_bytes()
            yield path, ast.unparse(_without_docstrings(code, of_classes=True)).encode("utf-8")


def _without_docstrings(code: bytes, *, of_classes: bool) -> ast.Module:
    """Return the tree of a module without its docstrings, which are a third of its size.

    Those of our own classes stay: a dataclass without one makes it, at each start.
    """
    documented = (ast.FunctionDef, ast.AsyncFunctionDef, *((ast.ClassDef,) if of_classes else ()))
    tree = ast.parse(code)
    if ast.get_docstring(tree, clean=False) is not None:
        del tree.body[0]
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            node.body[0] = ast.copy_location(ast.Pass(), node.body[0])
    return tree


def _compiled(name: str, code: bytes) -> bytes:
    """Return the bytecode that this Python uses without asking for the source; others use the source.

    It knows lines but no columns (`main` sees to that): columns would be a quarter of the zipapp.
    """
    tree = _without_docstrings(code, of_classes=False)
    made = compile(tree, f"minewatch-edge.pyz/{name}", "exec", dont_inherit=True, optimize=0)
    unchecked = (1).to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + unchecked + importlib.util.source_hash(code) + marshal.dumps(made)


def zipapp(target: Path) -> Path:
    """Write the zipapp; raises SystemExit when it is larger than a gateway's installer was promised."""
    packed = io.BytesIO()
    packed.write(b"#!/usr/bin/env -S python3 -I\n")
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, body in contents().items():
            entry = zipfile.ZipInfo(name, time.gmtime(EPOCH)[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, body)
    raw = packed.getvalue()
    if len(raw) > MOST_BYTES:
        raise SystemExit(f"{target.name} has {len(raw)} bytes, more than {MOST_BYTES}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(raw)
    target.chmod(0o755)
    return target


# --- the Debian package --------------------------------------------------------------------------------


def sample() -> str:
    """Return the sample configuration with the places of an installed agent."""
    text = (EDGE / "sample/edge.toml").read_text(encoding="utf-8")
    for old, new in (
        ('# path = "edge.spool" ', f'path = "{STATE}/edge.spool" '),
        ('file = "air-return.csv" ', f'file = "{EXAMPLES}/air-return.csv" '),
    ):
        if text.count(f"\n{old}") != 1:
            raise SystemExit(f"edge/sample/edge.toml has not exactly one line that begins with {old!r}")
        text = text.replace(f"\n{old}", f"\n{new}")
    return text


def installed(app: bytes) -> dict[str, tuple[bytes, int]]:
    """Return what the package installs: path, bytes, mode."""
    doc = "usr/share/doc/minewatch-edge"
    launcher = b'#!/bin/sh\nexec /usr/bin/python3 -I /usr/lib/minewatch-edge/minewatch-edge.pyz "$@"\n'
    news = f"minewatch-edge ({version()}) stable; urgency=medium\n\n  * See CHANGELOG.md of the project.\n"
    return {
        "usr/bin/minewatch-edge": (launcher, 0o755),
        "usr/lib/minewatch-edge/minewatch-edge.pyz": (app, 0o644),
        "usr/lib/systemd/system/minewatch-edge.service": (
            (HERE / "minewatch-edge.service").read_bytes(),
            0o644,
        ),
        "etc/minewatch/edge.toml": (sample().encode(), 0o640),
        f"{doc}/examples/edge.toml": (sample().encode(), 0o644),
        f"{doc}/examples/air-return.csv": ((EDGE / "sample/air-return.csv").read_bytes(), 0o644),
        f"{doc}/copyright": (_copyright(), 0o644),
        f"{doc}/changelog.gz": (gzip.compress(news.encode(), 9, mtime=EPOCH), 0o644),
    }


def _copyright() -> bytes:
    parts = [
        "minewatch-edge is licensed under the Apache License 2.0 (/usr/share/common-licenses/Apache-2.0).\n"
    ]
    for name, body in contents().items():
        if name.startswith("licences/"):
            parts.append(f"\n----- {name.removeprefix('licences/')} (carried inside the zipapp) -----\n")
            parts.append(body.decode("utf-8", "replace"))
    return "".join(parts).encode()


def control(files: Mapping[str, tuple[bytes, int]]) -> dict[str, tuple[bytes, int]]:
    """Return the control files of the package."""
    kib = sum(len(body) // 1024 + 1 for body, _ in files.values())
    text = (HERE / "debian/control").read_text(encoding="utf-8")
    text = text.replace("@VERSION@", version()).replace("@SIZE@", str(kib))
    sums = "".join(
        f"{hashlib.md5(body, usedforsecurity=False).hexdigest()}  {name}\n"
        for name, (body, _) in files.items()
        if not name.startswith("etc/")
    )
    made = {
        "control": (text.encode(), 0o644),
        "md5sums": (sums.encode(), 0o644),
        "conffiles": (b"/etc/minewatch/edge.toml\n", 0o644),
    }
    for script in ("postinst", "prerm", "postrm"):
        made[script] = ((HERE / "debian" / script).read_bytes(), 0o755)
    return made


def _tar(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    """Return a gzipped tar of files that belong to root, with every folder above them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
        folders = {str(p) for name in files for p in PurePosixPath(name).parents}
        for folder in sorted(folders):
            entry = tarfile.TarInfo("./" if folder == "." else f"./{folder}/")
            entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, EPOCH
            archive.addfile(entry)
        for name, (body, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(f"./{name}")
            entry.size, entry.mode, entry.mtime = len(body), mode, EPOCH
            entry.uname = entry.gname = "root"
            archive.addfile(entry, io.BytesIO(body))
    return gzip.compress(packed.getvalue(), 9, mtime=EPOCH)


def deb(target: Path, app: bytes) -> Path:
    """Write the package: an ar archive of version, control and data (deb(5))."""
    files = installed(app)
    parts = (
        ("debian-binary", b"2.0\n"),
        ("control.tar.gz", _tar(control(files))),
        ("data.tar.gz", _tar(files)),
    )
    out = [b"!<arch>\n"]
    for name, body in parts:
        out.append(f"{name:<16}{EPOCH:<12}{0:<6}{0:<6}{'100644':<8}{len(body):<10}`\n".encode("ascii"))
        out.append(body + b"\n" * (len(body) % 2))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(b"".join(out))
    return target


def main() -> int:
    """Build both into the folder that is named, build/ by default."""
    if "no_debug_ranges" not in sys._xoptions:  # it counts from the start of a Python only
        os.execv(sys.executable, [sys.executable, "-X", "no_debug_ranges", *sys.argv])  # noqa: S606 (ourselves)
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else EDGE.parent / "build")
    app = zipapp(folder / "minewatch-edge.pyz")
    package = deb(folder / f"minewatch-edge_{version()}_all.deb", app.read_bytes())
    for made in (app, package):
        sys.stdout.write(f"{made}: {made.stat().st_size} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
