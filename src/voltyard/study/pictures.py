"""What a chart is made of, whatever draws it, and how it is written as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 600.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 10.0, 14.0, 26.0


@dataclass(frozen=True, slots=True)
class Line:
    """``kind`` is what it means (axis, limit, bound, have): its style is the drawer's."""

    kind: str
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Path:
    kind: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Area:
    kind: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Dot:
    kind: str
    x: float
    y: float
    title: str


@dataclass(frozen=True, slots=True)
class Text:
    """``anchor`` is start, middle or end."""

    x: float
    y: float
    text: str
    anchor: str = "start"


Shape = Line | Path | Area | Dot | Text


@dataclass(frozen=True, slots=True)
class Picture:
    """Shapes in a plane of ``WIDTH`` by ``HEIGHT``, from the top left; ``label`` says the same."""

    label: str
    shapes: tuple[Shape, ...]


class Plane:
    """From values to places in the picture."""

    def __init__(self, low_x: float, high_x: float, low_y: float, high_y: float) -> None:
        self.low_x, self.high_x, self.low_y, self.high_y = low_x, high_x, low_y, high_y

    def x(self, value: float) -> float:
        share = (value - self.low_x) / max(1e-9, self.high_x - self.low_x)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.low_y) / max(1e-9, self.high_y - self.low_y)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    def across(self, kind: str, value: float) -> Line:
        """A level line over the whole width."""
        return Line(kind, LEFT, self.y(value), WIDTH - RIGHT, self.y(value))

    def down(self, kind: str, value: float) -> Line:
        """An upright line over the whole height."""
        return Line(kind, self.x(value), TOP, self.x(value), HEIGHT - BOTTOM)


def svg(picture: Picture) -> str:
    """Classes are the shapes' kinds; colours are the page's."""
    body = "".join(_shape(shape) for shape in picture.shapes)
    return (
        f'<svg class="picture" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img"'
        f' aria-label="{escape(picture.label)}">{body}</svg>'
    )


def _shape(shape: Shape) -> str:
    if isinstance(shape, Line):
        return (
            f'<line class="p-{shape.kind}" x1="{shape.x1}" x2="{shape.x2}"'
            f' y1="{shape.y1}" y2="{shape.y2}"/>'
        )
    if isinstance(shape, Path):
        return f'<polyline class="p-{shape.kind}" points="{_points(shape.points)}"/>'
    if isinstance(shape, Area):
        return f'<polygon class="p-{shape.kind}" points="{_points(shape.points)}"/>'
    if isinstance(shape, Dot):
        return (
            f'<circle class="p-{shape.kind}" cx="{shape.x}" cy="{shape.y}" r="5">'
            f"<title>{escape(shape.title)}</title></circle>"
        )
    place = f'x="{shape.x}" y="{shape.y}" text-anchor="{shape.anchor}"'
    return f"<text {place}>{escape(shape.text)}</text>"


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)
