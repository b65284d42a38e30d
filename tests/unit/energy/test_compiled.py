"""What is kept of compiled functions belongs to the sources it was compiled from."""

from pathlib import Path

from voltyard.energy.compiled import USED_BY, kept_in


def test_an_upgrade_finds_nothing_of_the_version_before(tmp_path: Path) -> None:
    sources, beside = tmp_path / "src", tmp_path / "cache"
    sources.mkdir()
    (sources / "flow.py").write_bytes(USED_BY + b" compiled\n")
    (sources / "words.py").write_bytes(b"a = 1\n")
    before = kept_in(sources, beside)
    before.mkdir(parents=True)
    (before / "flow.nbi").write_bytes(b"kept")
    (sources / "words.py").write_bytes(b"a = 2\n")
    assert kept_in(sources, beside) == before
    assert (before / "flow.nbi").exists()
    (sources / "flow.py").write_bytes(USED_BY + b" compiled, inlined\n")
    after = kept_in(sources, beside)
    assert after != before
    assert not before.exists()
