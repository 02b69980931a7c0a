"""What is purged, and how refusals of the purge interface are met."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import ConfigError, PurgeError
from exporter.publish.purge import (
    FOLD_ABOVE,
    CachedUrl,
    CloudflarePurger,
    Edge,
    PurgeBatch,
    purge_batch_from,
    purge_batches,
)
from tests.publish.cloudflare_standin import (
    CloudflareStandin,
    Played,
    cloudflare_standin,
    failure,
)

CDN = "https://cdn.example.org"
APP = "https://app.example.org"
BATCH = PurgeBatch(
    urls=(CachedUrl(f"{CDN}/lessons/L.json"), CachedUrl(f"{CDN}/lessons/L.json", APP))
)
BATCH_BODY = {
    "files": [
        f"{CDN}/lessons/L.json",
        {"url": f"{CDN}/lessons/L.json", "headers": {"Origin": APP}},
    ]
}


@dataclass
class Sleeper:
    """Sleeps no time and remembers how long it was asked to."""

    naps_s: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        self.naps_s.append(seconds)


@pytest.fixture
def cloudflare() -> Iterator[CloudflareStandin]:
    with cloudflare_standin() as standin:
        yield standin


@pytest.fixture
def sleeper() -> Sleeper:
    return Sleeper()


@pytest.fixture
def purger(cloudflare: CloudflareStandin, sleeper: Sleeper) -> Iterator[CloudflarePurger]:
    with CloudflarePurger(
        cloudflare.zone, cloudflare.token, sleep=sleeper, endpoint=cloudflare.endpoint
    ) as purger:
        yield purger


def bodies(batches: tuple[PurgeBatch, ...]) -> list[dict[str, object]]:
    return [batch.body() for batch in batches]


def refused(purger: CloudflarePurger, batch: PurgeBatch = BATCH) -> PurgeError:
    with pytest.raises(PurgeError) as raised:
        purger.purge(batch)
    return raised.value


def test_files_are_named_in_every_form_that_an_edge_may_hold() -> None:
    changed = {"lessons/L 1.json": 1_700_000_000, "plans/خطة/manifest.json": None}
    edge = Edge(f"{CDN}/", origins=(APP, "null"))

    lesson = f"{CDN}/lessons/L%201.json"
    manifest = f"{CDN}/plans/%D8%AE%D8%B7%D8%A9/manifest.json"
    forms = [lesson, f"{lesson}?v=1700000000", manifest]
    assert bodies(purge_batches(changed, edge)) == [
        {
            "files": [
                entry
                for url in forms
                for entry in (
                    url,
                    {"url": url, "headers": {"Origin": APP}},
                    {"url": url, "headers": {"Origin": "null"}},
                )
            ]
        }
    ]


def test_a_percent_sign_of_a_key_is_encoded_once_more() -> None:
    [batch] = purge_batches({"lessons/a%2Fb.json": None}, Edge(CDN))

    assert batch.urls == (CachedUrl(f"{CDN}/lessons/a%252Fb.json"),)


def test_files_are_cut_into_batches_in_their_order() -> None:
    changed = {f"lessons/{number}.json": number for number in range(1, 6)}
    batches = purge_batches(changed, Edge(CDN, batch_size=4))

    urls = [
        f"{CDN}/lessons/{number}.json{version}"
        for number in range(1, 6)
        for version in ("", f"?v={number}")
    ]
    assert bodies(batches) == [{"files": urls[:4]}, {"files": urls[4:8]}, {"files": urls[8:]}]


@pytest.mark.parametrize("method", ["files", "prefixes"])
def test_no_change_purges_nothing(method: str) -> None:
    edge = Edge(CDN, "files") if method == "files" else Edge(CDN, "prefixes")
    assert purge_batches({}, edge) == ()


def test_prefixes_have_neither_scheme_nor_query() -> None:
    changed = {"lessons/L 1.json": 7, "plans/P/manifest.json": 9, "plans/P/search/_2/S.json": 3}
    batches = purge_batches(changed, Edge(f"{CDN}/content/", "prefixes", origins=(APP,)))

    assert bodies(batches) == [
        {
            "prefixes": [
                "cdn.example.org/content/lessons/L%201.json",
                "cdn.example.org/content/plans/P/manifest.json",
                "cdn.example.org/content/plans/P/search/_2/S.json",
            ]
        }
    ]


def test_a_plan_with_many_changes_is_purged_as_its_folder() -> None:
    full = {f"plans/P/{number}.json": 1 for number in range(FOLD_ABOVE + 1)}
    few = {f"plans/P2/{number}.json": 1 for number in range(FOLD_ABOVE)}
    lessons = {f"lessons/{number}.json": 1 for number in range(FOLD_ABOVE + 1)}
    batches = purge_batches(
        {"plans/P2/0.json": 1} | full | few | lessons, Edge(CDN, "prefixes", batch_size=500)
    )

    assert [len(batch.prefixes) for batch in batches] == [62]
    assert batches[0].prefixes == (
        "cdn.example.org/plans/P2/0.json",
        "cdn.example.org/plans/P/",
        *(f"cdn.example.org/plans/P2/{number}.json" for number in range(1, FOLD_ABOVE)),
        *(f"cdn.example.org/lessons/{number}.json" for number in range(FOLD_ABOVE + 1)),
    )


def test_no_more_than_a_hundred_prefixes_are_named_at_once() -> None:
    changed = {f"lessons/{number}.json": 1 for number in range(250)}

    large = purge_batches(changed, Edge(CDN, "prefixes", batch_size=500))
    small = purge_batches(changed, Edge(CDN, "prefixes", batch_size=30))
    assert [len(batch.prefixes) for batch in large] == [100, 100, 50]
    assert [len(batch.prefixes) for batch in small] == [30] * 8 + [10]


KEYS = st.one_of(
    st.from_regex(r"plans/[PQ]2?/[a-c0-9%]{1,2}(_h)?\.json", fullmatch=True),
    st.from_regex(r"lessons/[a-cل ]{1,3}\.json", fullmatch=True),
)


@given(st.dictionaries(KEYS, st.none() | st.integers(1, 9), max_size=80), st.integers(1, 40))
def test_every_changed_form_is_covered_by_either_method(
    changed: dict[str, int | None], batch_size: int
) -> None:
    files = purge_batches(changed, Edge(CDN, "files", (APP,), batch_size))
    prefixes = purge_batches(changed, Edge(CDN, "prefixes", (), batch_size))

    held = {
        CachedUrl(url.url, url.origin): unquote(urlsplit(url.url).path)
        for batch in files
        for url in batch.urls
    }
    assert set(held.values()) == {f"/{key}" for key in changed}
    expected = sum(2 if version is None else 4 for version in changed.values())
    assert len(held) == sum(len(batch.urls) for batch in files) == expected
    named = [prefix for batch in prefixes for prefix in batch.prefixes]
    assert len(named) == len(set(named))
    for form in held:
        bare = form.url.removeprefix("https://").partition("?")[0]
        assert any(bare == name or (name[-1] == "/" and bare.startswith(name)) for name in named)
    for batch in (*files, *prefixes):
        assert 1 <= len(batch.urls) + len(batch.prefixes) <= batch_size
        assert purge_batch_from(json.loads(json.dumps(batch.body()))) == batch


def test_an_accepted_batch_is_sent_once(
    purger: CloudflarePurger, cloudflare: CloudflareStandin, sleeper: Sleeper
) -> None:
    purger.purge(BATCH)
    purger.purge(PurgeBatch(prefixes=("cdn.example.org/plans/P/",)))

    assert cloudflare.accepted == [BATCH_BODY, {"prefixes": ["cdn.example.org/plans/P/"]}]
    assert len(cloudflare.requests) == 2
    assert sleeper.naps_s == []


def test_a_rate_limit_is_waited_for_as_the_answer_says(
    purger: CloudflarePurger, cloudflare: CloudflareStandin, sleeper: Sleeper
) -> None:
    limited = failure(429, 971, "Please wait and consider throttling your request speed")
    cloudflare.next_answers.append(Played(429, limited.body, {"Retry-After": "17"}))
    purger.purge(BATCH)

    assert sleeper.naps_s == [17.0]
    assert cloudflare.accepted == [BATCH_BODY]


def test_broken_answers_are_tried_again_ever_later(
    purger: CloudflarePurger, cloudflare: CloudflareStandin, sleeper: Sleeper
) -> None:
    cloudflare.next_answers.extend(
        [
            Played(500, b"<html>"),
            Played(502, b""),
            Played(503, b"[]", {"Retry-After": "Sat, 21 Nov 2026 08:00:00 GMT"}),
        ]
    )
    purger.purge(BATCH)

    assert sleeper.naps_s == [2.0, 4.0, 8.0]
    assert cloudflare.accepted == [BATCH_BODY]


def test_attempts_come_to_an_end(
    purger: CloudflarePurger, cloudflare: CloudflareStandin, sleeper: Sleeper
) -> None:
    cloudflare.next_answers.extend([failure(500, 1000, "Internal error")] * 9)
    error = refused(purger)

    assert error.message == (
        f"Cloudflare did not purge 2 URLs from {CDN}/lessons/L.json: "
        "1000 Internal error (HTTP 500) (5 attempts)"
    )
    assert error.hint.startswith("what was not purged stays pending; run again")
    assert len(cloudflare.requests) == 5
    assert sleeper.naps_s == [2.0, 4.0, 8.0, 16.0]


def test_waiting_comes_to_an_end(
    purger: CloudflarePurger, cloudflare: CloudflareStandin, sleeper: Sleeper
) -> None:
    limited = failure(429, 971, "Please wait")
    cloudflare.next_answers.extend([Played(429, limited.body, {"Retry-After": "50"})] * 9)
    error = refused(purger)

    assert sleeper.naps_s == [50.0, 50.0]
    assert error.message.endswith("971 Please wait (HTTP 429) (3 attempts)")
    assert error.hint.startswith("too many purges at once")


def test_an_answer_of_200_without_success_is_a_failure(
    purger: CloudflarePurger, cloudflare: CloudflareStandin, sleeper: Sleeper
) -> None:
    chain = [{"code": 7, "message": "deeper"}]
    cloudflare.next_answers.append(failure(200, 1049, "not purged", error_chain=chain))
    error = refused(purger)

    assert error.message == (
        f"Cloudflare did not purge 2 URLs from {CDN}/lessons/L.json: "
        "1049 not purged; 7 deeper (HTTP 200)"
    )
    assert (len(cloudflare.requests), sleeper.naps_s) == (1, [])


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"true", b'"success"', b'{"success": "true"}', b'{"success": 1}', b"<html>ok"],
)
def test_an_answer_of_200_that_does_not_say_so_is_a_failure(
    purger: CloudflarePurger, cloudflare: CloudflareStandin, body: bytes
) -> None:
    cloudflare.next_answers.append(Played(200, body))

    assert refused(purger).message.endswith("without a reason (HTTP 200)")


def test_success_with_an_error_status_is_a_failure(
    purger: CloudflarePurger, cloudflare: CloudflareStandin
) -> None:
    cloudflare.next_answers.append(Played(400, b'{"success": true, "errors": [1, {}]}'))

    assert refused(purger).message.endswith("None None (HTTP 400)")


def test_a_redirect_is_not_followed_with_the_token(
    purger: CloudflarePurger, cloudflare: CloudflareStandin
) -> None:
    elsewhere = {"Location": f"{cloudflare.endpoint}/elsewhere"}
    cloudflare.next_answers.append(Played(307, b"", elsewhere))

    assert refused(purger).message.endswith("without a reason (HTTP 307)")
    assert len(cloudflare.requests) == 1


def test_a_wrong_token_is_named_but_not_shown(cloudflare: CloudflareStandin) -> None:
    wrong = "a-wrong-token"
    cloudflare.next_answers.append(failure(403, 10000, f"Authentication error for {wrong}"))
    with CloudflarePurger(
        cloudflare.zone, wrong, sleep=Sleeper(), endpoint=cloudflare.endpoint
    ) as purger:
        echoed, plain = refused(purger), refused(purger)

    assert echoed.message.endswith("10000 Authentication error for *** (HTTP 403)")
    assert plain.message.endswith("10000 Authentication error (HTTP 403)")
    assert "Zone › Cache Purge" in plain.hint
    assert [request.authorization for request in cloudflare.requests] == [f"Bearer {wrong}"] * 2
    assert wrong not in repr(purger) + repr(vars(purger)["_client"].headers)


@pytest.mark.parametrize("token", ["", "token\n", "to ken", "tóken", "\ttoken"])
def test_a_token_that_cannot_be_one_is_not_sent_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigError) as raised:
        CloudflarePurger("zone", token, sleep=Sleeper())

    assert raised.value.message == "`purge.api_token` holds characters that no token has"


@pytest.mark.parametrize("zone", ["0" * 32, "a/../b", "../../user"])
def test_a_wrong_zone_is_named(cloudflare: CloudflareStandin, zone: str) -> None:
    with CloudflarePurger(
        zone, cloudflare.token, sleep=Sleeper(), endpoint=f"{cloudflare.endpoint}/"
    ) as purger:
        error = refused(purger)

    assert "7003 Could not route" in error.message
    assert error.hint.startswith("check `purge.zone_id`")


def test_a_batch_that_is_too_large_is_told(purger: CloudflarePurger) -> None:
    urls = tuple(CachedUrl(f"{CDN}/{number}") for number in range(101))

    error = refused(purger, PurgeBatch(urls=urls))
    assert "files may hold 100 entries at most (HTTP 400)" in error.message
    assert "`purge.batch_size`" in error.hint


def test_an_invalid_header_is_a_matter_of_the_token(
    purger: CloudflarePurger, cloudflare: CloudflareStandin
) -> None:
    chain = [{"code": 6111, "message": "Invalid format for Authorization header"}]
    cloudflare.next_answers.append(failure(400, 6003, "Invalid request headers", error_chain=chain))

    assert refused(purger).hint.startswith("`purge.api_token` needs")


def test_silence_is_tried_again(cloudflare: CloudflareStandin, sleeper: Sleeper) -> None:
    cloudflare.next_answers.append(Played(200, b"{}", delay_s=0.5))
    with CloudflarePurger(
        cloudflare.zone,
        cloudflare.token,
        sleep=sleeper,
        endpoint=cloudflare.endpoint,
        timeout_s=0.2,
    ) as purger:
        purger.purge(BATCH)

    assert sleeper.naps_s == [2.0]
    assert cloudflare.accepted == [BATCH_BODY]


def test_an_answer_that_cannot_be_unpacked_is_tried_again(
    purger: CloudflarePurger, cloudflare: CloudflareStandin, sleeper: Sleeper
) -> None:
    cloudflare.next_answers.append(Played(200, b"no gzip", {"Content-Encoding": "gzip"}))
    purger.purge(BATCH)
    assert (sleeper.naps_s, cloudflare.accepted) == ([2.0], [BATCH_BODY])


def test_nobody_there_is_an_outside_failure(sleeper: Sleeper) -> None:
    with CloudflarePurger(
        "zone", "token", sleep=sleeper, endpoint="http://127.0.0.1:9/client/v4"
    ) as purger:
        error = refused(purger)

    assert "no answer: " in error.message
    assert error.exit_status == 4
    assert len(sleeper.naps_s) == 4


def test_planning_a_purge_loads_no_http_client() -> None:
    asked = "import sys, exporter.publish.purge; print('httpx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
