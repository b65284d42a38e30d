"""Structs of the wire: the kinds of field that OCPP messages are made of.

A struct says two things at once. Its types say what we take from a charger: what is unsafe or
meaningless is refused. The marks on them (standard length, OneOf, Items, Standard) say what the
standard allows; strict.py makes of them the type that takes exactly that. See reader.py for how
the two work together, and docs/extend/ocpp-message.md.
"""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, TypeVar

from msgspec import Meta, Struct

HARD_TEXT = 255
HARD_INFO = 10_000


class OneOf:
    """On a text: the words of the standard. ``flag`` names the note about any other word.

    An empty ``flag`` leaves the note to the handler.
    """

    __slots__ = ("flag", "words")

    def __init__(self, *words: str, flag: str = "word_unknown") -> None:
        self.words = words
        self.flag = flag


class Items:
    """On a list: how many elements the standard allows."""

    __slots__ = ("flag", "least", "most")

    def __init__(self, least: int, most: int | None = None, flag: str = "item_count") -> None:
        self.least = least
        self.most = most
        self.flag = flag


class Standard:
    """On a field that we read more widely: the type it has in the standard."""

    __slots__ = ("kind",)

    def __init__(self, kind: Any) -> None:
        self.kind = kind


# Text with the standard's length as soft limit ("soft") and ours as hard limit.
Str3 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 3})]
Str6 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 6})]
Str8 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 8})]
Str16 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 16})]
Str20 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 20})]
Str25 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 25})]
Str32 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 32})]
Str36 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 36})]
Str40 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 40})]
Str48 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 48})]
Str50 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 50})]
Info50 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 50})]
Str60 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 60})]
Str64 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 64})]
Str80 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 80})]
Str88 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 88})]
Str100 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 100})]
Str128 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 128})]
Str160 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 160})]
Str200 = Annotated[str, Meta(max_length=HARD_TEXT, extra={"soft": 200})]
Str255 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 255})]
Str256 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 256})]
Str500 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 500})]
Str512 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 512})]
Str800 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 800})]
Str1000 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 1000})]
Str1024 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 1024})]
Str2000 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 2000})]
Str2500 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 2500})]
Str5500 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 5500})]
Str5600 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 5600})]
Str7500 = Annotated[str, Meta(max_length=HARD_INFO, extra={"soft": 7500})]
Str10000 = Annotated[str, Meta(max_length=2 * HARD_INFO, extra={"soft": 10000})]
Str11000 = Annotated[str, Meta(max_length=2 * HARD_INFO, extra={"soft": 11000})]
Str17000 = Annotated[str, Meta(max_length=2 * HARD_INFO, extra={"soft": 17000})]
Str18000 = Annotated[str, Meta(max_length=2 * HARD_INFO, extra={"soft": 18000})]
Str32768 = Annotated[str, Meta(max_length=4 * HARD_INFO, extra={"soft": 32768})]
Text = Annotated[str, Meta(max_length=HARD_INFO)]
Word = Annotated[str, Meta(max_length=HARD_TEXT)]
Instant = Annotated[str, Meta(max_length=64)]
# OCPP integers are 32 bits wide, and so are the columns they end in.
Integer = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Natural = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Percent = Annotated[int, Meta(ge=0, le=100)]
NotNegative = Annotated[float, Meta(ge=0)]
NotPositive = Annotated[float, Meta(le=0)]
Register = Annotated[float, Meta(ge=-1e15, le=1e15)]

LISTS = (list, Sequence)
Element = TypeVar("Element")
Some = Annotated[Sequence[Element], Items(1)]
Samples = Annotated[Sequence[Element], Items(1, flag="no_samples")]


class Wire(Struct, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """``expected`` names fields (as on the wire) the standard requires and we can do without."""

    expected: ClassVar[tuple[str, ...]] = ()


class CustomData(Struct, rename="camel"):
    """What a vendor adds to any object of 2.0.1 and 2.1."""

    vendor_id: Str255
