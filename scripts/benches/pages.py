"""Renews what docs/performance.md says from a results.json: each table stands between two comments."""

import json, re

from . import growth, measure


def renew(results, page, plots):
    """Writes the tables of the subjects in these results, and draws their growth. Others stay as they are."""
    found = json.loads(results.read_text())
    text = page.read_text()
    for subject in dict.fromkeys(row["bench"] for row in found["rows"]):
        mark = re.compile(rf"(<!-- scripts/bench {subject} -->\n).*?(<!-- end -->)", re.S)
        if mark.search(text):
            text = mark.sub(lambda at: at[1] + table(found, subject) + at[2], text)
        else:
            print(f"{page} has no place for {subject}")
    page.write_text(text)
    plots.mkdir(parents=True, exist_ok=True)
    for picture in found["growth"]:
        growth.draw(plots, growth.Picture(**picture))


def table(found, subject):
    """The table of a subject, and what has to be said of it; of growth only the slopes."""
    rows = [measure.Row.read(row).line() for row in found["rows"] if row["bench"] == subject]
    lines = [] if subject.startswith("growth") else ["", measure.Row.HEAD, *rows]
    notes = [note for note in found["notes"][subject] if not note.startswith("SKIPPED")]
    said = [f"\n{note}" if "|" in note else f"\n{note.rstrip('.')}." for note in notes]
    return "\n".join([*lines, *said, "", f"{measure.introduction(found)}.", ""])
