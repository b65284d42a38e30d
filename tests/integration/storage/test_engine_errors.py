"""What an error of the database says when it is logged."""

import pytest
from sqlalchemy.exc import DBAPIError

from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy import scope


async def test_the_values_of_a_statement_are_not_told(database: PostgresDatabase) -> None:
    with pytest.raises(DBAPIError) as caught:
        async with scope.transaction(database, scope.SYSTEM) as tx:
            await tx.one(
                "SELECT 1 / length(CAST(:empty AS text)) AS x WHERE CAST(:word AS text) <> ''",
                {"empty": "", "word": "argon2-hash"},
            )
    assert "division by zero" in str(caught.value)
    assert "argon2-hash" not in str(caught.value)
