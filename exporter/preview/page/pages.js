// What stands in the main part of the page: a plan, a node with what is below it, a lesson.

import { accessBadge, badges, changeBadges, CHANGES } from "./badges.js";
import { compared, lessonsBelow, pathOf, published } from "./content.js";
import { count, directionOf, el, said, sign, unseen, visible } from "./dom.js";
import { sideBySide, stages } from "./lesson.js";

const MOST = 100;
const PLURALS = { subject: "subjects", track: "tracks", unit: "units", topic: "topics", lesson: "lessons" };

/** Return the address of a node, or of a plan. */
export function addressOf(plan, ids = []) {
  return `#/${[plan.id, ...ids].map(encodeURIComponent).join("/")}`;
}

/** Return the page of a plan: its subjects, what changed, and what is wrong. */
export function planPage(page) {
  const { plan, site } = page;
  const { about, manifest } = plan;
  const facts = [manifest?.season, manifest?.grade, manifest?.stream].filter(Boolean);
  const title = manifest?.title ?? about.title;
  return el("article", { class: "plan", dir: directionOf(title) },
    el("header", { class: "head" },
      el("p", { class: "kicker" }, "Academic plan ", el("code", { dir: "auto" }, visible(plan.id))),
      el("h1", { dir: "auto" }, visible(title)),
      facts.length ? el("p", { class: "facts" }, facts.map((fact, at) => [at ? " · " : "", said(fact)])) : null),
    about.is_gone ? notice("removed", "This plan is gone: students do not see it any more.") : null,
    about.is_published || about.is_gone ? null : notice("plain", "This plan is not published: students see nothing of it."),
    page.held ? notice("problem", "Errors hold this plan back. Students go on seeing its last release; below is what the content says now.") : null,
    page.changes ? changes(page) : null,
    findingsOf(page),
    plan.subjects.length
      ? el("section", {}, el("h2", { class: "section" }, "Subjects"), el("ul", { class: "cards" }, plan.subjects.map((node) => subjectCard(page, node))))
      : el("p", { class: "empty" }, manifest ? "This plan shows no subject." : ""));
}

function subjectCard(page, node) {
  const lessons = lessonsBelow(node);
  const card = el("li", { class: `card${node.isGone ? " gone" : ""}`, dir: directionOf(node.title) },
    el("h3", {}, el("a", { href: addressOf(page.plan, pathOf(node)), dir: "auto" }, visible(node.title))),
    node.data.description ? el("p", { class: "lead", dir: "auto" }, visible(node.data.description)) : null,
    el("p", { class: "badges" }, badges(node, page.whyOf(node)), changeBadges(node)),
    el("p", { class: "facts" }, lessons === null ? "" : count(lessons, "lesson"), belowWords(node)));
  if (node.data.color_code) card.style.setProperty("--subject", node.data.color_code);
  return card;
}

function belowWords(node) {
  const below = Object.entries(node.below ?? {});
  return below.map(([kind, number]) => [" ", el("span", { class: `tally ${kind}` }, `${number} ${CHANGES[kind].toLowerCase()}`)]);
}

/** Return the page of a subject, track, unit, topic or lesson; `path` leads down to it. */
export async function nodePage(page, path) {
  const node = path.at(-1);
  const body = node.level === "lesson" ? await lessonBody(page, node) : await below(page, node);
  const about = node.level === "lesson" ? body.lesson : node.data;
  return el("article", { class: `node ${node.level}${node.isGone ? " gone" : ""}`, dir: directionOf(node.title) },
    crumbs(page, path),
    el("header", { class: "head" },
      el("p", { class: "kicker" }, capital(node.level), " ", el("code", { dir: "auto" }, visible(node.id))),
      el("h1", { dir: "auto" }, renamed(node), visible(node.title)),
      body.isCompared || !about?.description ? null : el("p", { class: "lead", dir: "auto" }, visible(about.description)),
      el("p", { class: "badges" }, badges(node, page.whyOf(node)), changeBadges(node), wasAccess(node)),
      el("p", { class: "actions" },
        node.isGone ? null : el("button", { class: "quiet", type: "button", onclick: () => page.why(node, "access_level") }, "Why?"),
        el("button", { class: "quiet", type: "button", onclick: () => page.source(node) }, "Source"),
        el("span", { class: "facts" }, nodeFacts(node, about)))),
    page.findingsAt(node.key).map((found) => findingNote(found)),
    body.shown ?? body);
}

function nodeFacts(node, about) {
  const facts = [];
  const lessons = lessonsBelow(node);
  if (lessons !== null) facts.push(count(lessons, "lesson"));
  if (node.level === "lesson" && node.data.stage_count !== undefined) facts.push(count(node.data.stage_count, "stage"));
  if (node.level === "lesson" && node.data.bit_index !== undefined) facts.push(`progress bit ${node.data.bit_index}`);
  if (about?.image) facts.push(el("span", {}, "image ", el("code", { dir: "ltr" }, visible(about.image))));
  return facts.map((fact, at) => [at ? " · " : "", fact]);
}

function renamed(node) {
  return node.mark?.title_before ? [el("del", {}, visible(node.mark.title_before)), " "] : null;
}

function wasAccess(node) {
  const before = node.mark?.access_before;
  return before ? el("span", { class: "was" }, "before: ", accessBadge(before)) : null;
}

function crumbs(page, path) {
  const parts = [[visible(page.plan.manifest?.title ?? page.plan.about.title), addressOf(page.plan)],
    ...path.slice(0, -1).map((node) => [visible(node.title), addressOf(page.plan, pathOf(node))])];
  return el("nav", { class: "crumbs", "aria-label": "Above it" },
    el("ol", {}, parts.map(([title, address]) => el("li", {}, el("a", { href: address, dir: "auto" }, title)))));
}

async function below(page, node) {
  const children = await page.plan.children(node);
  if (!children.length) return el("p", { class: "empty" }, "There is nothing below it.");
  const level = children[0].level;
  if (level === "track" || level === "unit") {
    return el("div", { class: "outline" }, children.map((child) => outline(page, child)));
  }
  return el("section", {},
    el("h2", { class: "section" }, capital(PLURALS[level])),
    list(page, children));
}

function outline(page, node) {
  const inner = node.children ?? [];
  return el("section", { class: `outline-part ${node.level}${node.isGone ? " gone" : ""}` },
    el("div", { class: "outline-head" },
      el(node.level === "track" ? "h2" : "h3", {}, el("a", { href: addressOf(page.plan, pathOf(node)), dir: "auto" }, visible(node.title))),
      el("p", { class: "badges" }, badges(node, page.whyOf(node), true), changeBadges(node))),
    inner.length && inner[0].level === "unit" ? inner.map((child) => outline(page, child)) : list(page, inner));
}

function list(page, nodes) {
  return el("ol", { class: "list" }, nodes.map((node) => {
    const facts = node.level === "lesson" ? node.data.stage_count === undefined ? "" : count(node.data.stage_count, "stage") : count(lessonsBelow(node) ?? 0, "lesson");
    return el("li", { class: node.isGone ? "gone" : null },
      el("a", { href: addressOf(page.plan, pathOf(node)), dir: "auto" }, visible(node.title)),
      el("span", { class: "badges" }, page.findingsAt(node.key).length ? el("span", { class: "badge problem" }, sign("warning"), "Finding") : null,
        belowWords(node), changeBadges(node), badges(node, page.whyOf(node), true)),
      el("span", { class: "facts" }, node.isGone ? null : facts));
  }));
}

async function lessonBody(page, node) {
  const link = node.data.lesson_url;
  const kinds = node.mark?.kinds ?? [];
  const both = kinds.includes("changed") || kinds.includes("removed") ? await compared(link) : null;
  const isCompared = both && both.before && both.after && Object.keys({ ...both.left, ...both.right }).length > 0;
  if (isCompared) {
    const labels = [`Before: ${page.site.compare.before}`, `Now: ${page.site.label}`];
    return { lesson: both.after, isCompared, shown: sideBySide(both, labels) };
  }
  const lesson = node.isGone ? both?.before : await published(link);
  if (!lesson) return { lesson: null, shown: notice("plain", "Its file is not published.") };
  const gone = node.isGone ? notice("removed", "This lesson is gone from the plan. This is what it was.") : null;
  return { lesson, shown: [gone, stages(lesson)] };
}

function changes(page) {
  const { access, others, before } = page.changes;
  const mine = (one) => one.plans.includes(page.plan.id);
  const part = (title, told) => told.length ? [el("h3", {}, title), el("ul", { class: "told" }, told.map((one) => sentence(page, one)))] : null;
  const [first, second] = [access.filter(mine), others.filter(mine)];
  return el("section", { class: "changes", dir: "ltr" },
    el("h2", { class: "section" }, "What students will notice"),
    el("p", { class: "facts" }, "Compared with ", said(before)),
    part("Who can open what", first), part("What else", second),
    first.length + second.length ? null : el("p", { class: "empty" }, "Nothing changes in this plan."));
}

function sentence(page, told) {
  const [first, ...rest] = told.lines.map((line) => line.map(([style, text]) =>
    style === "plain" ? visible(text) : el({ strong: "strong", code: "code" }[style] ?? "bdi", { dir: "auto", class: `said-${style}` }, visible(text))));
  return el("li", { class: told.kind }, sign(told.kind), el("div", {},
    el("p", {}, first, told.path.length ? [" ", el("a", { href: addressOf(page.plan, told.path) }, "Show", unseen(" where"))] : null),
    rest.map((line) => el("p", { class: "facts" }, line))));
}

function findingsOf(page) {
  const found = page.findings.filter((one) => one.plans.includes(page.plan.id));
  const others = page.findings.filter((one) => !one.plans.length);
  return [
    found.length ? el("section", { class: "findings" }, el("h2", { class: "section" }, count(found.length, "finding")), findingNotes(found, page)) : null,
    others.length ? el("details", { class: "findings more" }, el("summary", {}, `${count(others.length, "finding")} in what no plan shows`), findingNotes(others, null)) : null,
  ];
}

function findingNotes(found, page) {
  return [
    found.slice(0, MOST).map((one) => findingNote(one, page)),
    found.length > MOST ? el("p", { class: "facts" }, `and ${count(found.length - MOST, "more", "more")}: see `, el("code", {}, "exporter check")) : null,
  ];
}

function findingNote(found, page = null) {
  return el("div", { class: `notice ${found.severity === "error" ? "problem" : "warning"}`, role: "note", dir: "ltr" },
    sign("warning"),
    el("div", {},
      el("p", {}, el("strong", {}, found.code), " ", el("bdi", { dir: "auto" }, visible(found.message)),
        page && found.path.length ? [" ", el("a", { href: addressOf(page.plan, found.path) }, "Show", unseen(" where"))] : null),
      found.hint ? el("p", { class: "facts" }, visible(found.hint)) : null,
      el("p", { class: "place", dir: "ltr" }, visible(`${found.file}:${found.line}`))));
}

/** Return a message that stands out. */
export function notice(kind, text) {
  return el("div", { class: `notice ${kind}`, role: "note", dir: "ltr" }, el("p", {}, text));
}

function capital(word) {
  return word[0].toUpperCase() + word.slice(1);
}
