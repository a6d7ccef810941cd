"""A disk that fails on demand, for programs under test: build the shim once, start the program with ``environment``.

disk = FaultyDisk.build(tmp_path, pattern="*/smsgw.db*")
subprocess.Popen([...], env=os.environ | disk.environment)
disk.fail("full")       # or "fsync", or "full 3": three more writes succeed
disk.heal()
"""

import subprocess
from pathlib import Path
from typing import Final, Self

import msgspec

_SOURCE: Final = Path(__file__).with_name("disk.c")


class FaultyDisk(msgspec.Struct, frozen=True, kw_only=True):
    """The shim, and the file that tells it what to do."""

    library: Path
    control: Path
    pattern: str  # shell pattern of the paths that are hit; "*" also matches "/"

    @classmethod
    def build(cls, folder: Path, *, pattern: str) -> Self:
        """Compile the shim into a folder; the disk works until it is told to fail."""
        library, control = folder / "disk.so", folder / "fault"
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, _SOURCE, "-ldl"],
            check=True,
            timeout=60,
        )
        disk = cls(library=library, control=control, pattern=pattern)
        disk.heal()
        return disk

    @property
    def environment(self) -> dict[str, str]:
        """What the environment of the program needs."""
        return {
            "LD_PRELOAD": str(self.library),
            "SMSGW_FAULT_CONTROL": str(self.control),
            "SMSGW_FAULT_PATTERN": self.pattern,
        }

    def fail(self, how: str) -> None:
        """Begin to fail: "full", "full N" or "fsync"; the next system call knows."""
        # in one step, as the program may be reading it
        fresh = self.control.with_suffix(".new")
        fresh.write_text(how)
        fresh.rename(self.control)

    def heal(self) -> None:
        """Work again."""
        self.fail("")
