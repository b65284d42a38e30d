"""A yard of simulated chargers on a database of its own."""

from collections.abc import Callable

import pytest
from token_yard import VERSIONS, Play, on_yard

from tests.scenario.conftest import _database
from voltyard.storage.embedded import EmbeddedPostgres


@pytest.fixture(params=VERSIONS)
def yard(request: pytest.FixtureRequest, postgres: EmbeddedPostgres) -> Callable[..., None]:
    """``yard(play, …)``: play a scene, once with a charger of each version."""
    return _runner(postgres, request.param)


@pytest.fixture
def one_yard(postgres: EmbeddedPostgres) -> Callable[..., None]:
    """For what no version has to do with."""
    return _runner(postgres, VERSIONS[1])


def _runner(postgres: EmbeddedPostgres, protocol: str) -> Callable[..., None]:
    def run(play: Play, **options: object) -> None:
        with _database(postgres) as url:
            on_yard(url, protocol, play, **options)  # type: ignore[arg-type]

    return run
