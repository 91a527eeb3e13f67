"""Plots as small SVG files: the same values give the same bytes."""

from collections.abc import Mapping, Sequence
from html import escape
from math import log10

WIDTH, ROW, LEFT, RIGHT, TOP = 760, 26, 250, 90, 44
PLOT_HEIGHT, BOTTOM = 240, 64
COLOURS = ("#2f6f9f", "#c4682b", "#4b8b3b", "#7a5195", "#8a8a8a")
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#333}.t{font-weight:600}.n{fill:#777}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.n{fill:#999}}"
)


def bars(title: str, values: Mapping[str, float], unit: str, *, waterfall: bool = False) -> str:
    """Return horizontal bars; in a waterfall each bar begins where the one before ended."""
    whole = sum(values.values()) if waterfall else max(values.values(), default=0.0)
    scale, height = (WIDTH - LEFT - RIGHT) / (whole or 1.0), TOP + ROW * len(values) + 12
    parts, begins = [_text(12, 24, title, "t")], 0.0
    for number, (name, value) in enumerate(values.items()):
        y, x = TOP + ROW * number, LEFT + (begins * scale if waterfall else 0.0)
        parts.append(_text(LEFT - 10, y + 15, name, anchor="end"))
        parts.append(_box(x, y, max(1.0, value * scale), ROW - 8, COLOURS[0]))
        parts.append(_text(x + value * scale + 6, y + 15, f"{short(value)} {unit}", "n"))
        begins += value
    return _document(height, parts)


def lines(
    title: str, places: Sequence[str], series: Mapping[str, Sequence[float]], unit: str, *, log: bool = False
) -> str:
    """Return one line for each series over the places, which have the same distances; with `log`, of the values' logarithms."""
    largest = max((value for values in series.values() for value in values), default=1.0) or 1.0
    smallest = min((value for values in series.values() for value in values if value > 0), default=0.1)

    def height_of(value: float) -> float:
        if not log:
            return PLOT_HEIGHT * value / largest
        return PLOT_HEIGHT * (0.05 + 0.95 * log10(max(value, smallest) / smallest) / (log10(largest / smallest) or 1.0))

    step, base = (WIDTH - 160) / max(1, len(places) - 1), TOP + PLOT_HEIGHT
    parts = [_text(12, 24, f"{title} ({unit}{', logarithmic' if log else ''})", "t")]
    parts.append(f'<line x1="70" y1="{base}" x2="{WIDTH - 60}" y2="{base}" stroke="#999"/>')
    parts += [_text(80 + step * number, base + 20, place, "n", "middle") for number, place in enumerate(places)]
    for number, (name, values) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = [(80 + step * place, base - height_of(value)) for place, value in enumerate(values)]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        above = -8 if number == 0 else 16
        parts += [
            _text(x, y + above, short(value), "n", "middle") for (x, y), value in zip(points, values, strict=True)
        ]
        parts += [_box(80 + 220 * number, base + 38, 12, 12, colour), _text(98 + 220 * number, base + 49, name)]
    return _document(base + BOTTOM, parts)


def short(value: float) -> str:
    """Return a value with three significant digits at least, and no more decimals than these need."""
    if value >= 100:  # noqa: PLR2004  (three digits before the point)
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"  # noqa: PLR2004


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def _box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def _document(height: float, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">'
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, "</svg>"]) + "\n"
