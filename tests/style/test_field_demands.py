"""docs/field-demands.md names tests that exist."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "field-demands.md"
ROW = re.compile(r"^\| (\d+) \|(.*)\|$", re.MULTILINE)


def test_each_row_names_tests_that_exist() -> None:
    files = [*(REPOSITORY / "tests").rglob("*.py")]
    defined = {name for f in files for name in re.findall(r"def (test_\w+)", f.read_text())}
    modules = {file.name for file in files}
    rows = ROW.findall(PAGE.read_text())
    assert len(rows) >= 10
    for number, text in rows:
        held_by = text.rsplit("|", 1)[-1]
        named = re.findall(r"`([^`]+)`", held_by)
        files_named = [Path(name) for name in named if name.endswith(".py")]
        tests = {name for name in named if name.startswith("test_") and not name.endswith(".py")}
        assert files_named or tests, f"row {number} names no test"
        for file in files_named:
            exists = (REPOSITORY / file).exists() if len(file.parts) > 1 else file.name in modules
            assert exists, f"row {number}: {file}"
        assert tests <= defined, f"row {number}: {tests - defined}"


def test_each_row_is_there_once_and_in_order() -> None:
    numbers = [int(number) for number, _ in ROW.findall(PAGE.read_text())]
    assert numbers == sorted(set(numbers))
