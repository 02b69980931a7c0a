"""A target in trouble, as `status --json` and `releases --json` would tell of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["NOW", "PAGES", "calm", "troubled"]

Report = dict[str, Any]

NOW = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)
PAGES = "https://github.com/school/content/commit/"
_FILES = (4120, 3, 12, 1, 48, 2, 9, 260, 4, 4, 31, 0, 7, 3, 88, 5, 2, 1, 19, 6, 640, 3, 2, 14, 5, 1)
_TITLES = (
    "content: 3 lessons changed (Mathematics, Physics)",
    "content: 1 lesson added (Chemistry)",
    "content: 12 lessons changed, 1 topic added (اللغة العربية)",
    'Revert "content: 1 lesson changed (Physics)"',
    "content: 1 lesson changed (Physics)",
)


def troubled() -> tuple[Report, Report]:
    """Return both reports of a target on which everything happens at once."""
    released = [_release(place, files) for place, files in enumerate(_FILES)][::-1]
    live = released[0]
    live["plans"]["GRADE-11-BRIDGE-2026"] |= {
        "state": "held back",
        "attempts": 3,
        "error": "E108 content-snapshot/plans/GRADE-11-BRIDGE-2026.yaml:14: override 2 has the "
        "unknown action 'Mis-Hide'",
    }
    live["plans"]["GRADE-12-LIT-2026"] |= {
        "state": "failed",
        "attempts": 1,
        "error": "the store answered 503 to 40 of 96 uploads",
    }
    subjects = {one["commit"]: _TITLES[place % 5] for place, one in enumerate(released)}
    return _status(live), {
        "target": "production",
        "releases": released,
        "commit_subjects": subjects,
    }


def calm() -> tuple[Report, Report]:
    """Return both reports of a target on which nothing waits, and one release was made."""
    status, releases = troubled()
    live = _release(len(_FILES) - 1, 212)
    commit = live["commit"]
    status |= {"live": live, "head_commit": commit, "commit_pages": None, "plan_titles": {}}
    status |= {"uncommitted_files": [], "unpublished_commits": [], "unpublished_plans": []}
    status |= {"plans_waiting": {}, "holds": [], "purges_pending": 0, "purges_owed": {}}
    status |= {"unfinished": False}
    status["signed_urls"] = {"lessons": 0, "due": 0, "expiring": _expiring(), "next": []}
    status["freshness"] |= {"oldest_unpublished_at": None, "behind_s": 0}
    return status, {**releases, "releases": [live], "commit_subjects": {commit: _TITLES[0]}}


def _status(live: Report) -> Report:
    waiting = {
        name: {
            **{key: plan[key] for key in ("state", "attempts", "error")},
            "dead_letter": plan["attempts"] >= 3,
        }
        for name, plan in live["plans"].items()
        if plan["error"]
    }
    return {
        "target": "production",
        "store": "s3://memora-cdn",
        "made_at": _instant(NOW),
        "commit_pages": PAGES,
        "live": live,
        "head_commit": _sha(90),
        "uncommitted_files": [],
        "unpublished_commits": [_commit(place) for place in range(2)],
        "off_history": False,
        "unpublished_plans": ["GRADE-11-BRIDGE-2026", "GRADE-12-SCI-2026"],
        "plan_titles": {
            "GRADE-11-BRIDGE-2026": "Grade 11 Bridge 2026",
            "GRADE-12-SCI-2026": "Grade 12 Scientific 2026/2027",
            "GRADE-12-LIT-2026": "الصف الثاني عشر الأدبي",
        },
        "freshness": {
            "live_commit_at": _instant(NOW - timedelta(hours=3, minutes=4)),
            "published_at": live["finished_at"],
            "oldest_unpublished_at": _instant(NOW - timedelta(minutes=44)),
            "behind_s": 44 * 60,
            "last_snapshot_at": _instant(NOW - timedelta(minutes=4)),
            "last_snapshot_age_s": 240,
        },
        "plans_waiting": waiting,
        "holds": [
            _hold("LESSON-PHYS-007", "Newton's third law", "Revert: wrong answer marked as right"),
            _hold("4cfib9e5pu", "أنواع الخبر", "Rollback to 20261118T090000Z-0a1b2c3d"),
        ],
        "purges_pending": 3,
        "purges_owed": {live["id"]: 3},
        "unfinished": True,
        "lease": None,
        "signed_urls": {
            "lessons": 412,
            "due": 31,
            "expiring": _expiring(expired=2, one_hour=29, six_hours=381),
            "next": [
                {"key": f"lessons/LESSON-BIO-00{n}.json", "expires": _instant(NOW + _expires(n))}
                for n in range(1, 6)
            ],
        },
    }


def _release(place: int, files: int) -> Report:
    ended = NOW - timedelta(hours=3) - timedelta(hours=7.3) * (len(_FILES) - 1 - place)
    plans = ("GRADE-11-BRIDGE-2026", "GRADE-12-LIT-2026", "GRADE-12-SCI-2026")
    return {
        "id": f"{ended:%Y%m%dT%H%M%SZ}-{place:08x}",
        "kind": {7: "rollback", 11: "gc", 14: "repair", 18: "refresh"}.get(place, "publish"),
        "commit": _sha(place),
        "parents": {"release": "", "commit": ""},
        "trigger": "github: layla push 9012345",
        "exporter": "0.1.0",
        "fingerprint": "f" * 64,
        "precedent": "",
        "started_at": _instant(ended - timedelta(seconds=2 + files // 40 + place % 4)),
        "finished_at": _instant(ended),
        "plans": {name: _outcome(place) for name in plans},
        "lessons": "c" * 64,
        "kept": "",
        "files_put": files,
        "bytes_put": files * (2600 + 130 * (place % 7)),
        "files_deleted": place % 3,
        "urls_to_purge": files,
        "store": "s3://memora-cdn",
    }


def _outcome(place: int) -> Report:
    return {
        "state": "published",
        "index": "a" * 64,
        "attempts": 0,
        "error": "",
        "commit": _sha(place),
        "lessons": "c" * 64,
        "files": 40,
    }


def _commit(place: int) -> Report:
    return {
        "commit": _sha(90 - place),
        "subject": _TITLES[2 - place],
        "author": "Content Snapshot",
        "date": (NOW - timedelta(minutes=4 + 40 * place)).isoformat(),
    }


def _hold(name: str, title: str, reason: str) -> Report:
    return {
        "doctype": "Memora Lesson",
        "name": name,
        "title": title,
        "commit": _sha(70),
        "author": "Layla Haddad",
        "date": "2026-11-20T11:05:00+03:00",
        "reason": reason,
    }


def _expiring(expired: int = 0, one_hour: int = 0, six_hours: int = 0) -> Report:
    found = {"expired": expired, "one_hour": one_hour, "six_hours": six_hours}
    return {**found, "one_day": 0, "later": 0}


def _expires(number: int) -> timedelta:
    return timedelta(minutes=-30 + 12 * number)


def _sha(number: int) -> str:
    return f"{0x3F2A1B0C + number * 0x01F3D7A9:08x}"[-8:] * 5


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
