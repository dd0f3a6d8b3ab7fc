"""The first module of the zipapp: protobuf without its C extension, optional drivers from a folder beside."""

import os
import sys

# A C extension cannot be loaded from inside a zip.
os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"

# pip install --target /usr/local/lib/minewatch-edge pymodbus: libraries of optional drivers, behind our own.
_drivers = os.environ.get("MINEWATCH_EDGE_DRIVERS", "/usr/local/lib/minewatch-edge")
if os.path.isdir(_drivers):  # noqa: PTH112 (pathlib is slow to import, and this is the start)
    sys.path.append(_drivers)

from minewatch_edge.cli import main  # noqa: E402 (after the two settings above)

sys.exit(main())
