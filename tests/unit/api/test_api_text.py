"""Metrics text and problem details without a server."""

from voltyard.api.deps import Metric
from voltyard.api.operations import text
from voltyard.api.problems import FieldError, answer, problem


def test_families_stand_together_with_help_and_type() -> None:
    found = text(
        [
            Metric("b_total", 2.0, {"x": "1"}, "counter", "Of b."),
            Metric("a", 0.5, {}),
            Metric("b_total", 3.0, {"x": 'q"\\\n'}, "counter", "Of b."),
        ]
    )
    assert found == (
        "# HELP b_total Of b.\n"
        "# TYPE b_total counter\n"
        'b_total{x="1"} 2\n'
        'b_total{x="q\\"\\\\\\n"} 3\n'
        "# TYPE a gauge\n"
        "a 0.5\n"
    )


def test_a_problem_leaves_out_what_is_empty() -> None:
    told = answer(problem(404, "not_found", "Nothing here."))
    assert told.status_code == 404
    assert told.content == (
        b'{"type":"/api/problems/not_found","title":"Not Found","status":404,'
        b'"code":"not_found","detail":"Nothing here."}'
    )
    wrong = problem(422, "invalid", "No.", errors=[FieldError(field="a", reason="b")])
    assert b'"errors":[{"field":"a","reason":"b"}]' in answer(wrong).content
