"""Who holds a data folder, and the name its leases go by."""

import subprocess
import sys
from pathlib import Path

import pytest

from voltyard.config import Settings
from voltyard.errors import Conflict, VoltyardError
from voltyard.serving.instance import folder_held, lease_holder

HOLD_AND_DIE = """
import os, signal, sys
from pathlib import Path
from voltyard.serving.instance import folder_held
with folder_held(Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_folder_has_one_process_at_a_time(tmp_path: Path) -> None:
    refused = pytest.raises(Conflict, match="another voltyard")
    with folder_held(tmp_path), refused, folder_held(tmp_path):
        pass
    with folder_held(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VoltyardError, match="file cannot be used"), folder_held(tmp_path / "file"):
        pass


def test_who_was_killed_holds_nothing(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", HOLD_AND_DIE, str(tmp_path)], check=False)
    assert (tmp_path / "instance.lock").read_text().strip().isdigit()
    with folder_held(tmp_path):
        pass


def test_an_embedded_database_is_taken_over_at_once_whatever_the_port(tmp_path: Path) -> None:
    before = lease_holder(Settings(data_dir=tmp_path, ocpp_port=9000))
    assert lease_holder(Settings(data_dir=tmp_path, ocpp_port=9001)) == before


def test_folders_have_names_of_their_own(tmp_path: Path) -> None:
    one, other = Settings(data_dir=tmp_path / "a"), Settings(data_dir=tmp_path / "b")
    assert lease_holder(one) != lease_holder(other)


def test_processes_on_a_shared_database_never_pass_for_each_other(tmp_path: Path) -> None:
    shared = Settings(data_dir=tmp_path, ocpp_port=0, database_url="postgresql://db/x")
    assert lease_holder(shared) != lease_holder(shared)
