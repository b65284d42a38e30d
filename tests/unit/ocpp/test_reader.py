"""Sound payloads cost one decoding; odd ones are read with notes; senseless ones are refused."""

from typing import Annotated, ClassVar, Literal

import msgspec
import pytest

from voltyard.errors import Invalid
from voltyard.ocpp.framing import WORDS_16, WORDS_201, CallRejected
from voltyard.ocpp.reader import FLAGS_MAX, Reader, check
from voltyard.ocpp.strict import strict
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import Instant, Items, OneOf, Some, Standard, Str20, Wire, Word


class Part(Wire):
    expected: ClassVar[tuple[str, ...]] = ("at",)

    name: Str20
    at: Instant | None = None


class Sample(Wire):
    kind: Annotated[Word, OneOf("a", "b", flag="kind_unknown")]
    mode: Literal["x", "y"]
    parts: Some[Part]
    value: Annotated[str | float, Standard(str)] = ""
    quiet: Annotated[Word, OneOf("q", flag="")] | None = None
    pair: Annotated[list[int], Items(1, 2)] | None = None
    limit_l2: float | None = msgspec.field(default=None, name="limit_L2")


SOUND = b'{"kind":"a","mode":"x","parts":[{"name":"n","at":"t"}],"limit_L2":1.5}'


def read(payload: bytes) -> tuple[Sample, list[tuple[str, str]]]:
    notes: list[tuple[str, str]] = []
    message = Reader(Sample).read(
        msgspec.Raw(payload), WORDS_201, lambda name, detail: notes.append((name, detail))
    )
    assert isinstance(message, Sample)
    return message, notes


def test_a_sound_message_is_read_without_a_note() -> None:
    message, notes = read(SOUND)
    assert (message.kind, message.parts[0].at, message.limit_l2) == ("a", "t", 1.5)
    assert notes == []


@pytest.mark.parametrize(
    ("old", "new", "note"),
    [
        (b'"kind":"a"', b'"kind":"c"', ("kind_unknown", "kind: c")),
        (b',"at":"t"', b"", ("missing_field", "parts.at")),
        (b'"n"', b'"' + b"n" * 21 + b'"', ("too_long", "parts.name: 21 characters, 20 allowed")),
        (b'[{"name":"n","at":"t"}]', b"[]", ("item_count", "parts: 0 elements")),
        (b'"mode"', b'"pair":[1,2,3],"mode"', ("item_count", "pair: 3 elements")),
        (b'"mode"', b'"more":1,"mode"', ("unknown_field", "more")),
        (b'"at":"t"', b'"at":"t","x":1', ("unknown_field", "parts.x")),
        (b"1.5", b'"1.5"', ("loose_types", "Expected `float | null`, got `str` - at `$.limit_L2`")),
        (b"1.5", b"null", ("not_standard", "Expected `float`, got `null` - at `$.limit_L2`")),
        (
            b'"mode"',
            b'"value":7,"mode"',
            ("not_standard", "Expected `str`, got `int` - at `$.value`"),
        ),
    ],
)
def test_an_odd_message_is_read_with_a_note(old: bytes, new: bytes, note: tuple[str, str]) -> None:
    assert old in SOUND
    _, notes = read(SOUND.replace(old, new))
    assert notes == [note]


def test_what_the_handler_notes_itself_is_not_noted_twice() -> None:
    message, notes = read(SOUND.replace(b'"mode"', b'"quiet":"loud","mode"'))
    assert (message.quiet, notes) == ("loud", [])


def test_notes_of_one_message_are_bounded() -> None:
    parts = b",".join([b'{"name":"n"}'] * 500)
    message, notes = read(b'{"kind":"a","mode":"x","parts":[%b]}' % parts)
    assert len(message.parts) == 500
    assert len(notes) == FLAGS_MAX


@pytest.mark.parametrize(
    ("payload", "word", "word_16"),
    [
        (b"[]", "ProtocolError", "FormationViolation"),
        (b'{"kind":"a"}', "OccurrenceConstraintViolation", "OccurenceConstraintViolation"),
        (SOUND.replace(b'"a"', b"{}"), "TypeConstraintViolation", "TypeConstraintViolation"),
        (SOUND.replace(b'"x"', b'"z"'), "PropertyConstraintViolation",
         "PropertyConstraintViolation"),
        (SOUND.replace(b'"a"', b'"%b"' % (b"w" * 300)), "PropertyConstraintViolation",
         "PropertyConstraintViolation"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_the_versions_word(
    payload: bytes, word: str, word_16: str
) -> None:
    for words, expected in ((WORDS_201, word), (WORDS_16, word_16)):
        with pytest.raises(CallRejected) as caught:
            Reader(Sample).read(msgspec.Raw(payload), words, lambda name, detail: None)
        assert caught.value.word == expected


@pytest.mark.parametrize("payload", [SOUND.replace(b'"t"', b'"\xca1"'), SOUND[:-1]])
def test_broken_text_behind_an_odd_beginning_is_refused_too(payload: bytes) -> None:
    for broken in (payload, payload.replace(b'"a"', b'"c"')):
        with pytest.raises(CallRejected) as caught:
            read(broken)
        assert caught.value.word == "FormatViolation"


def test_a_message_of_ours_must_be_of_the_standard() -> None:
    check(Sample(kind="a", mode="y", parts=[Part(name="n", at="t")]))
    with pytest.raises(Invalid, match="Sample"):
        check(Sample(kind="c", mode="y", parts=[Part(name="n", at="t")]))
    with pytest.raises(Invalid) as caught:
        check(Sample(kind="a", mode="y", parts=[Part(name="n" * 21, at="t")]))
    assert "length <= 20" in (caught.value.detail or "")
    with pytest.raises(Invalid):
        check(Sample(kind="a", mode="y", parts=[Part(name="n")]))


def test_the_standards_reading_is_the_same_type_to_handlers() -> None:
    assert issubclass(strict(Sample), Sample)
    assert strict(Sample) is strict(Sample)


def test_vendors_may_add_to_any_object_of_201() -> None:
    class Thing(Wire201):
        id: int

    reader = Reader(Thing)
    notes: list[str] = []
    for payload, expected in (
        (b'{"id":1,"customData":{"vendorId":"v","more":[1]}}', []),
        (b'{"id":1,"customData":{"more":1}}', ["not_standard"]),
    ):
        notes.clear()
        reader.read(msgspec.Raw(payload), WORDS_201, lambda name, detail: notes.append(name))
        assert notes == expected
