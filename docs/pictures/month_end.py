"""Draws a run of the month-end as a score: a line for each component, a tone for as long as it sounds.

    partitur run examples/erp/flow.yaml --json > events.jsonl
    python3 docs/pictures/month_end.py events.jsonl > docs/pictures/month-end.svg

Everything that is drawn comes from the event stream and from `needs` in the document; only the sections are known here.
"""

import json
import re
import sys
from html import escape
from pathlib import Path

FLOW = Path(__file__).parents[2] / "examples" / "erp" / "flow.yaml"
SECTIONS = [
    ("Performance", "#2b6c8a", ["load", "revenue", "positions"]),
    ("Monitoring", "#4f8256", ["health", "kpis", "trace"]),
    ("Security", "#b4533a", ["throttle", "export", "audit"]),
    ("Workflow", "#7d5191", ["decide", "dunning", "notify"]),
]
PAPER, INK, FAINT, STAFF = "#fbf8f1", "#2c2a33", "#8d8798", "#cfc8bb"
WIDTH, LEFT, RIGHT, TOP, LINE, GAP = 960, 172, 40, 92, 27, 25
FONT = "font-family=\"Georgia, 'Times New Roman', 'DejaVu Serif', serif\""


def needs():
    """The `needs` of each task, read as lines."""
    found, task, key = {}, None, None
    for line in FLOW.read_text("utf-8").splitlines():
        if match := re.fullmatch(r"  (\w+):", line):
            task, key = match[1], None
        elif match := re.fullmatch(r"    (\w+):.*", line):
            key = match[1]
        elif key == "needs" and (match := re.fullmatch(r"      - (?:\{ task: )?(\w+).*", line)):
            found.setdefault(task, []).append(match[1])
    return found


def spans(path):
    """When each task was ready, started, ended: seconds since the first event."""
    events = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines() if line.startswith("{\"v\"")]
    first, found = events[0]["at"], {}
    for event in events:
        kind = event["event"].removeprefix("task-")
        if kind in ("ready", "started", "ended") and "task" in event:
            found.setdefault(event["task"], {})[kind] = (event["at"] - first) / 1000
    for span in found.values():
        span.setdefault("started", span["ended"])
        span.setdefault("ready", span["started"])
    return found


class Score:
    def __init__(self, times):
        self.times, self.out = times, []
        self.end = max(span["ended"] for span in times.values())
        self.scale = (WIDTH - LEFT - RIGHT) / self.end
        self.rows, y = {}, TOP
        self.sections = []
        for name, colour, tasks in SECTIONS:
            for place, task in enumerate(tasks):
                self.rows[task] = (y + place * LINE, colour)
            self.sections.append((name, colour, y, y + (len(tasks) - 1) * LINE))
            y += (len(tasks) - 1) * LINE + LINE + GAP
        self.bottom = y - GAP - LINE
        self.strip = self.bottom + 88
        self.height = self.strip + 46

    def x(self, seconds):
        return LEFT + seconds * self.scale

    def add(self, text):
        self.out.append(text)

    def text(self, x, y, words, size=13, fill=INK, anchor="start", more=""):
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}" {more}>'
                 f"{escape(words)}</text>")

    def line(self, x1, y1, x2, y2, stroke, width, more=""):
        self.add(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" '
                 f'stroke-width="{width}" {more}/>')

    def staves(self):
        for name, colour, top, bottom in self.sections:
            for y in range(int(top), int(bottom) + 1, LINE):
                self.line(LEFT - 12, y, WIDTH - RIGHT + 12, y, STAFF, 1)
            middle = (top + bottom) / 2
            self.add(f'<path d="M 42 {top - 9:.1f} q -9 0 -9 9 V {bottom:.1f} q 0 9 9 9" fill="none" '
                     f'stroke="{colour}" stroke-width="2.6" stroke-linecap="round"/>')
            self.text(0, 0, name, 12, colour, "middle",
                      f'font-style="italic" letter-spacing="0.6" transform="translate(24 {middle:.1f}) rotate(-90)"')
        for second in range(int(self.end) + 1):
            x = self.x(second)
            self.line(x, TOP - 16, x, self.strip, STAFF, 1, 'stroke-dasharray="1 4"')
            self.text(x, self.strip + 18, f"{second} s", 11, FAINT, "middle")
        x = self.x(self.end)
        self.line(x + 7, TOP - 9, x + 7, self.bottom + 9, INK, 1)
        self.line(x + 11.5, TOP - 9, x + 11.5, self.bottom + 9, INK, 3.4)
        for task, (y, _) in self.rows.items():
            self.text(LEFT - 24, y + 4.5, task, 14.5, INK, "end")

    def slurs(self):
        for task, sources in needs().items():
            for source in sources:
                (y1, colour), (y2, _) = self.rows[source], self.rows[task]
                x1, x2 = self.x(self.times[source]["ended"]), self.x(self.times[task]["ready"])
                bend = max(16, (x2 - x1) / 2)
                self.add(f'<path d="M {x1:.1f} {y1:.1f} C {x1 + bend:.1f} {y1:.1f}, {x2 - bend:.1f} {y2:.1f}, '
                         f'{x2:.1f} {y2:.1f}" fill="none" stroke="{colour}" stroke-width="1.3" opacity="0.5"/>')

    def tones(self):
        for task, (y, colour) in self.rows.items():
            span = self.times[task]
            x0, x1, x2 = (self.x(span[key]) for key in ("ready", "started", "ended"))
            if x1 - x0 > 3:
                self.line(x0, y, x1 - 7, y, colour, 2.4, 'stroke-dasharray="0.1 5.2" stroke-linecap="round"')
            if x2 - x1 > 3:
                self.add(f'<rect x="{x1:.1f}" y="{y - 6:.1f}" width="{x2 - x1:.1f}" height="12" rx="6" fill="{colour}" '
                         f'opacity="0.34"/>')
            self.add(f'<ellipse cx="{x1 + 5:.1f}" cy="{y:.1f}" rx="8.4" ry="6.3" fill="{colour}" '
                     f'transform="rotate(-20 {x1 + 5:.1f} {y:.1f})"/>')

    def dynamics(self):
        """How many sounded at once."""
        changes = []
        for span in self.times.values():
            if span["ended"] - span["started"] > 0.003:
                changes += [(span["started"], 1), (span["ended"], -1)]
        height, count, most = 15, 0, 0
        path = f"M {self.x(0):.1f} {self.strip:.1f}"
        for at, change in sorted(changes):
            path += f" L {self.x(at):.1f} {self.strip - count * height:.1f}"
            count += change
            most = max(most, count)
            path += f" L {self.x(at):.1f} {self.strip - count * height:.1f}"
        self.add(f'<path d="{path} Z" fill="{INK}" opacity="0.13"/>')
        self.line(LEFT - 12, self.strip, WIDTH - RIGHT + 12, self.strip, STAFF, 1)
        self.text(LEFT - 24, self.strip - height * most / 2 + 4, "at once", 12.5, FAINT, "end", 'font-style="italic"')
        for level in range(1, most + 1):
            self.text(LEFT - 15, self.strip - level * height + 4, str(level), 10, FAINT, "middle")

    def heading(self):
        total = sum(span["ended"] - span["started"] for span in self.times.values())
        self.add(f'<text x="33" y="40" font-size="23" fill="{INK}">month-end <tspan dx="8" font-size="14" '
                 f'font-style="italic" fill="{FAINT}">twelve components, as they sounded together</tspan></text>')
        self.text(WIDTH - RIGHT + 12, 40, f"{total:.1f} s of work in {self.end:.1f} s", 14, INK, "end")
        x, y = WIDTH - RIGHT - 282, 62
        self.line(x, y, x + 30, y, FAINT, 2.4, 'stroke-dasharray="0.1 5.2" stroke-linecap="round"')
        self.text(x + 36, y + 4, "waits for a lock", 11.5, FAINT)
        self.add(f'<path d="M {x + 144} {y + 4} q 15 -12 30 -4" fill="none" stroke="{FAINT}" stroke-width="1.3"/>')
        self.text(x + 180, y + 4, "is needed by", 11.5, FAINT)

    def draw(self):
        self.heading()
        self.staves()
        self.dynamics()
        self.slurs()
        self.tones()
        about = "Gantt chart of the example: each component over time, who needed whom, and what waited for a lock."
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height:.0f}" role="img" {FONT}>',
            f"<title>The month-end as a score</title>\n<desc>{about}</desc>",
            f'<rect width="{WIDTH}" height="{self.height:.0f}" rx="14" fill="{PAPER}"/>',
            *self.out,
            "</svg>",
        ])


if __name__ == "__main__":
    print(Score(spans(sys.argv[1])).draw())
