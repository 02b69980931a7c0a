"""The stages of a demo lesson: what a teacher puts into a video, a text, a question, an activity.

The words come from the topic; the templates, in English and Arabic, only join them. Which stages a
lesson has depends on its number in the topic, so that all types occur in every topic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from exporter.core.model import Json
from exporter.demo.curriculum import Subject, Topic

__all__ = ["Lesson", "Stage", "description", "stages"]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson to be: `number` counts the topic's lessons from 0."""

    subject: Subject
    topic: Topic
    name: str
    number: int

    @property
    def title(self) -> str:
        """Return the topic's own title for the lesson, or a numbered practice."""
        titles = self.topic.lessons
        if self.number < len(titles):
            return titles[self.number]
        practice = "تدريب" if self.subject.language == "ar" else "Practice"
        return f"{practice} {self.number - len(titles) + 1}: {self.topic.title}"


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage to be; `target_time` in seconds."""

    title: str
    type: str
    config: Mapping[str, Json]
    weight: float
    target_time: int
    is_skippable: bool = False


_ORDERS = (
    ("Video", "Text"),
    ("Video", "Question", "Text"),
    ("Text", "Interactive", "Question"),
    ("Video", "Text", "Interactive", "Question"),
)


def stages(lesson: Lesson, *, of_each_type: bool = False) -> Iterator[Stage]:
    """Yield two to four stages, or one of each type."""
    for type_ in _ORDERS[-1 if of_each_type else lesson.number % len(_ORDERS)]:
        yield _MAKERS[type_](lesson)


def description(lesson: Lesson) -> str:
    """Return a short description, with the line ends of the browser that it was typed in."""
    if lesson.subject.language == "ar":
        return f"في هذا الدرس: {lesson.title}.\r\nالموضوع: {lesson.topic.title}."
    return f"In this lesson: {lesson.title}.\r\nTopic: {lesson.topic.title}."


def _video(lesson: Lesson) -> Stage:
    folder = f"{lesson.subject.code.lower()}/{lesson.name.lower()}"
    seconds = 240 + lesson.number * 37 % 300
    config: dict[str, Json] = {
        "video_url": f"https://media.example.org/videos/{folder}.mp4",
        "duration": seconds,
        "poster": f"/files/posters/{folder}.jpg",
        "subtitles": [
            {"language": language, "url": f"/files/subtitles/{folder}.{language}.vtt"}
            for language in ("ar", "en")
        ],
    }
    return Stage(_say(lesson, "Watch", "شاهد"), "Video", config, 1.0, seconds)


def _text(lesson: Lesson) -> Stage:
    template = (_TEXTS_AR if lesson.subject.language == "ar" else _TEXTS_EN)[lesson.number % 3]
    topic = lesson.topic
    written = template.format(title=lesson.title, idea=topic.idea, ask=topic.ask, topic=topic.title)
    config: dict[str, Json] = {"text": written, "format": "markdown"}
    return Stage(_say(lesson, "Read", "اقرأ"), "Text", config, 0.5, 180, is_skippable=True)


def _question(lesson: Lesson) -> Stage:
    topic = lesson.topic
    choices: list[Json] = [topic.answer, *topic.wrong]
    turn = lesson.number % len(choices)
    config: dict[str, Json] = {
        "question": topic.ask,
        "options": choices[turn:] + choices[:turn],
        "correct_answer": topic.answer,
        "explanation": topic.idea,
        "attempts": 2,
    }
    return Stage(_say(lesson, "Check yourself", "اختبر نفسك"), "Question", config, 1.5, 90)


def _interactive(lesson: Lesson) -> Stage:
    topic = lesson.topic
    config: dict[str, Json] = {
        "activity": "sort",
        "prompt": topic.ask,
        "cards": [
            {"text": text, "box": "right" if text == topic.answer else "wrong"}
            for text in (*topic.wrong, topic.answer)
        ],
        "settings": {"shuffle": True, "pass_ratio": 0.75, "attempts": 3, "time_limit": None},
    }
    return Stage(_say(lesson, "Try it", "جرّب"), "Interactive", config, 2.0, 240, is_skippable=True)


_MAKERS = {
    "Video": _video,
    "Text": _text,
    "Question": _question,
    "Interactive": _interactive,
}


def _say(lesson: Lesson, english: str, arabic: str) -> str:
    return arabic if lesson.subject.language == "ar" else english


_TEXTS_EN = (
    """\
## {title}

{idea}

Read that sentence twice, close the book and say it in your own words.
Then answer on paper: {ask}
""",
    """\
## {title}

Remember from last time:

> {idea}

- Write down one example of your own.
- Compare it with your neighbour's.
- Where you disagree, ask; that is what the lesson is for.
""",
    """\
## {title}

Before you move on from “{topic}”:

1. Explain the main idea in one sentence.
2. Solve this without notes: {ask}
3. Check your answer against this: {idea}
""",
)
_TEXTS_AR = (
    """\
## {title}

{idea}

اقرأ الجملة مرتين، ثم أغلق الكتاب وعبّر عنها بكلماتك.
بعد ذلك أجب على الورق: {ask}
""",
    """\
## {title}

تذكّر من الدرس السابق:

> {idea}

- اكتب مثالًا من عندك.
- قارنه بمثال زميلك.
- إذا اختلفتما فاسألا، فلهذا وُجد الدرس.
""",
    """\
## {title}

قبل أن تنتقل من «{topic}»:

1. لخّص الفكرة الرئيسة في جملة واحدة.
2. أجب دون الرجوع إلى ملاحظاتك: {ask}
3. راجع إجابتك: {idea}
""",
)
