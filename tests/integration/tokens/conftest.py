"""A yard of simulated chargers on a database of its own."""

from collections.abc import Callable

import pytest
from token_yard import VERSIONS, Play, on_yard

from tests.conftest import Databases, fresh_database


@pytest.fixture(params=VERSIONS)
def yard(request: pytest.FixtureRequest, databases: Databases) -> Callable[..., None]:
    """``yard(play, …)``: play a scene, once with a charger of each version."""
    return _runner(databases, request.param)


@pytest.fixture
def one_yard(databases: Databases) -> Callable[..., None]:
    """For what no version has to do with."""
    return _runner(databases, VERSIONS[1])


def _runner(databases: Databases, protocol: str) -> Callable[..., None]:
    def run(play: Play, **options: object) -> None:
        with fresh_database(databases) as url:
            on_yard(url, protocol, play, **options)  # type: ignore[arg-type]

    return run
