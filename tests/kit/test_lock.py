"""One process at a time on a database file; the lock goes with its process."""

import subprocess
import sys
from pathlib import Path

import pytest

from smsgw.errors import StartError
from smsgw.kit.lock import only_one

HOLD = (
    "import sys; from pathlib import Path; from smsgw.kit.lock import only_one\n"
    "with only_one(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
)


def test_a_second_process_is_refused_and_the_lock_dies_with_its_holder(tmp_path: Path) -> None:
    file = tmp_path / "x.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StartError, match="another smsgw runs on this database") as caught, only_one(file):
            pass
        assert caught.value.exit_status == 69
        holder.kill()
    with only_one(file):
        pass


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot be made") as caught, only_one(tmp_path / "no" / "x.lock"):
        pass
    assert caught.value.exit_status == 73
