"""A few thousand frames of the fuzz; a million by ``python -m tests.protocol.fuzz``."""

import pytest

from tests.protocol.fuzz import GROWTH_MAX, fuzz


@pytest.mark.parametrize("seed", [1, 2])
def test_no_spoilt_frame_gets_anything_but_a_protocol_answer(seed: int) -> None:
    story = fuzz(3_000, seed)
    assert story.findings == []
    assert story.counts["understood"] > 500
    assert story.counts["refused"] > 500
    assert len(story.corpus) > 20, "new lines are found and followed"


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_a_million_frames_leave_memory_flat() -> None:
    story = fuzz(1_000_000, 1)
    assert story.findings == []
    assert story.grown < GROWTH_MAX
