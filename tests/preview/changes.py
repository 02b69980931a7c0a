"""What a day of editing does to the demo school: one change of every kind that a reviewer meets."""

from __future__ import annotations

from pathlib import Path

__all__ = ["ADDED", "CHANGED", "GONE", "OPENED", "PLAN", "TOPIC", "edit_school", "replace_in"]

PLAN = "GRADE-12-SCI-2026"
TOPIC = ("SUBJECT-MATH", "TRACK-MATH-1", "UNIT-MATH-1-1", "TOPIC-MATH-1")
GONE, CHANGED, ADDED = "LESSON-MATH-002", "LESSON-MATH-003", "LESSON-MATH-900"
OPENED = "TRACK-PHYS-1"


def edit_school(root: Path) -> None:
    """Edit the work tree: words, a new lesson, one that is gone, a free track, two like bits."""
    topic = root / "content-snapshot" / "subjects" / "/".join(TOPIC)
    changed = topic / f"{CHANGED}.yaml"
    replace_in(changed, "Explain the main idea in one sentence", "Write the main idea down briefly")
    replace_in(changed, "pass_ratio: 0.75", "pass_ratio: 0.5")
    first = (topic / "LESSON-MATH-001.yaml").read_text(encoding="utf-8")
    added = first.replace("name: LESSON-MATH-001", f"name: {ADDED}")
    added = added.replace("The shape of a parabola", "Parabolas in the street")
    (topic / f"{ADDED}.yaml").write_text(
        added.replace("bit_index: 0", "bit_index: 900"), encoding="utf-8"
    )
    (topic / f"{GONE}.yaml").unlink()
    physics = root / "content-snapshot" / "subjects" / "SUBJECT-PHYS" / OPENED / "_track.yaml"
    replace_in(physics, "is_free_preview: false", "is_free_preview: true")


def replace_in(file: Path, old: str, new: str) -> None:
    """Edit a file by hand."""
    text = file.read_text(encoding="utf-8")
    assert old in text, f"{old!r} is not in {file}"
    file.write_text(text.replace(old, new), encoding="utf-8")
