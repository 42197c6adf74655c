"""Growth as pictures: both axes logarithmic, light or dark as the reader's system is. The same points give the same bytes."""

import math
from html import escape

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 40, 52
# Told apart by colour, marker and the name at the side: blue, orange, green, purple, red, grey.
LIGHT = ["#0066b3", "#b85c00", "#2f7d32", "#7b3fa0", "#b3261e", "#5f6368"]
DARK = ["#6cb6ff", "#ffa657", "#7ee787", "#d2a8ff", "#ff9b93", "#a8b1ba"]
STYLE = ("text{font:13px system-ui,sans-serif;fill:#1f2328}.t{font-size:15px;font-weight:600}.g{stroke:#d0d7de}.a{stroke:#57606a}"
         ".p{fill:none;stroke-width:2}.b{fill:#fff}%s"
         "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.g{stroke:#30363d}.a{stroke:#8b949e}.b{fill:#0d1117}%s}")
SYMBOLS = ["M-4-4h8v8h-8z", "M0-5l5 9h-10z", "M0-5l5 5-5 5-5-5z", "M-5-1.5h3.5v-3.5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5z", "M0 5l5-9h-10z", "M-5-2h10v4h-10z"]


def slope(points):
    """The exponent of the growth: least squares of the logarithms."""
    logs = [(math.log(x), math.log(y)) for x, y in points]
    middle = [sum(part) / len(logs) for part in zip(*logs)]
    spread = sum((x - middle[0]) ** 2 for x, _ in logs)
    return sum((x - middle[0]) * (y - middle[1]) for x, y in logs) / spread if spread else 0.0


def short(value):
    """A number as an axis shows it: 30k, 5M, 0.01."""
    for size, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{name}"
    return f"{value:.3g}"


class Axis:
    """A logarithmic axis from the number below the least to the one above the most."""

    def __init__(self, values, begin, end):
        low, high = math.log10(min(values)), math.log10(max(values))
        margin = max(0.05 * (high - low), 0.05)
        self.low, self.high, self.begin, self.end = low - margin, high + margin, begin, end

    def at(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self):
        """Powers of ten; with less than two of them, also 2 and 5 times these."""
        every = [1] if self.high - self.low >= 2 else [1, 2, 5]
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        return [k * 10.0**n for n in powers for k in every if self.low <= math.log10(k * 10.0**n) <= self.high]


def drawn(title, x_label, y_label, curves):
    """An SVG of curves, each a name and points. A dashed line grows as its x does."""
    names = [f"{name} (slope {slope(points):.2f})" for name, points in curves]
    points = [point for _, some in curves for point in some]
    x = Axis([at for at, _ in points], LEFT, WIDTH - RIGHT)
    y = Axis([at for _, at in points], HEIGHT - BOTTOM - 18 * len(curves), TOP)
    floor = y.begin
    own = lambda colours: "".join(f".c{n}{{stroke:{colour}}}.f{n}{{fill:{colour}}}" for n, colour in enumerate(colours[: len(curves)]))
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
           f"<title>{escape(title)}: {escape(y_label)} by {escape(x_label)}</title><style>{STYLE % (own(LIGHT), own(DARK))}</style>",
           f'<rect class="b" width="{WIDTH}" height="{HEIGHT}"/><text class="t" x="{LEFT}" y="16">{escape(title)}</text>',
           f'<text x="{LEFT}" y="{TOP - 6}">{escape(y_label)}</text>',
           f'<text x="{WIDTH - RIGHT}" y="{floor + 34:.0f}" text-anchor="end">{escape(x_label)}</text>']
    out.append(f'<text x="{LEFT}" y="{floor + 34:.0f}">dashed: slope 1</text>')
    for tick in sorted({at for at, _ in points}):
        out.append(f'<path class="g" d="M{x.at(tick):.1f} {TOP}V{floor:.1f}"/><text x="{x.at(tick):.1f}" y="{floor + 17:.1f}" text-anchor="middle">{short(tick)}</text>')
    for tick in y.ticks():
        out.append(f'<path class="g" d="M{LEFT} {y.at(tick):.1f}H{WIDTH - RIGHT}"/><text x="{LEFT - 6}" y="{y.at(tick) + 4:.1f}" text-anchor="end">{short(tick)}</text>')
    out += [f'<path class="a p" d="M{LEFT} {TOP}V{floor:.1f}H{WIDTH - RIGHT}"/>', _linear(x, y)]
    for n, (_, some) in enumerate(curves):
        path = "L".join(f"{x.at(at):.1f} {y.at(value):.1f}" for at, value in some)
        out.append(f'<path class="p c{n}" d="M{path}"/>')
        out += [f'<path class="f{n}" transform="translate({x.at(at):.1f} {y.at(value):.1f})" d="{SYMBOLS[n % len(SYMBOLS)]}"/>' for at, value in some]
        row = HEIGHT - 18 * (len(curves) - n) + 8
        out.append(f'<path class="f{n}" transform="translate({LEFT + 6} {row - 4})" d="{SYMBOLS[n % len(SYMBOLS)]}"/><text x="{LEFT + 18}" y="{row}">{escape(names[n])}</text>')
    return "\n".join([*out, "</svg>\n"])


def _linear(x, y):
    """A dashed line of slope 1 through the middle, as far as it stays inside."""
    middle_x, middle_y = (x.low + x.high) / 2, (y.low + y.high) / 2
    reach = min(x.high - x.low, y.high - y.low) / 2
    ends = [(10 ** (middle_x + side * reach), 10 ** (middle_y + side * reach)) for side in (-1, 1)]
    path = "L".join(f"{x.at(at):.1f} {y.at(value):.1f}" for at, value in ends)
    return f'<path class="a" stroke-dasharray="4 4" fill="none" d="M{path}"/>'
