"""Which plans need a shared file: what decides who fails with it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.core.artifacts import Entry
from exporter.publish.settling import readers

LESSONS = tuple(f"lessons/{number}.json" for number in range(6))
UNITS = tuple(f"units/{number}.json" for number in range(3))


def entry(*links: str) -> Entry:
    return Entry("", 0, 1, links)


@given(
    st.dictionaries(st.sampled_from("ABCDE"), st.sets(st.sampled_from(LESSONS + UNITS))),
    st.lists(st.sets(st.sampled_from(LESSONS)), min_size=len(UNITS), max_size=len(UNITS)),
)
def test_a_plan_needs_what_it_links_to_and_what_that_links_to(
    links: dict[str, set[str]], units: list[set[str]]
) -> None:
    below = dict(zip(UNITS, units, strict=True))
    shared = dict.fromkeys(LESSONS, entry()) | {key: entry(*below[key]) for key in UNITS}
    plans = {name: {f"plans/{name}/x.json": entry(*found)} for name, found in links.items()}
    found = readers(plans, shared)
    needs = {
        n: {*own, *(one for key in own for one in below.get(key, ()))} for n, own in links.items()
    }
    expected = {
        key: {name for name in links if key in needs[name]}
        for key in shared
        if any(key in one for one in needs.values())
    }
    assert found == expected
    assert len({id(names) for names in found.values()}) == len(set(found.values()))
