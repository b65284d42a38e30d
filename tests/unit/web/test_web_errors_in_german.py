"""What rooms refuse is said in the language of whoever asked."""

import ast
from pathlib import Path

import pytest

import voltyard
from tests.unit.web.catalogue import german

ROOMS = ("bookings", "notifications", "alerts", "access", "reservations")
ERRORS = {"NotFound", "Invalid", "Conflict", "Forbidden", "TooMany", "Undeliverable"}
SETTINGS = {"this is no address of a mail server"}
"""Told where voltyard starts, not on a page."""


@pytest.mark.parametrize("room", ROOMS)
def test_errors_of_a_room_are_in_the_german_catalogue(room: str) -> None:
    known = {str(message.id) for message in german() if message.string}
    folder = Path(voltyard.__file__).parent / room
    said = {
        str(node.args[0].value)
        for file in folder.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ERRORS
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    assert said - known - SETTINGS == set(), "add them to web/console/error_words.py"
