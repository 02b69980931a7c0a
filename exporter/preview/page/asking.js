// "Why?" and "Source": what decided, where it stands, and who wrote it.

import { ACCESS } from "./badges.js";
import { explained, sourceOf } from "./content.js";
import { el, fill, said, sign, visible } from "./dom.js";

const QUESTIONS = {
  access_level: "Who may open it",
  required_item: "What has to be bought",
  is_sold_separately: "Is it sold separately",
  parent_item_required: "Does buying the subject unlock it",
  is_linear: "Do students go through it in order",
  visible: "Is it shown",
  title: "What is it called",
};

/** Open the dialog that says why a plan shows a node as it does; one question stands first. */
export async function why(dialog, plan, node, first, site) {
  open(dialog, `Why is “${visible(node.title)}” as it is?`, el("p", { class: "waiting" }, "Looking it up…"));
  if (!site.has.explain) {
    const command = `exporter explain ${quoted(plan.id)} ${quoted(node.id)} --doctype ${node.level}`;
    fill(dialog.querySelector(".dialog-body"), el("p", {}, "These are files without a program behind them. In the content repository, this command answers:"), el("pre", {}, visible(command)));
    return;
  }
  await answer(dialog, async () => {
    const report = await explained(plan.id, node);
    if (!report) return el("p", {}, "Nothing is known about it in this content.");
    const asked = Object.keys(QUESTIONS).filter((one) => one in report.answers);
    asked.sort((one, other) => (other === first) - (one === first));
    return asked.map((question, place) => section(question, report, place === 0));
  });
}

/** Open the dialog that says where a node stands. */
export async function source(dialog, node, site) {
  open(dialog, `Where “${visible(node.title)}” comes from`, el("p", { class: "waiting" }, "Looking it up…"));
  if (!site.has.source) {
    fill(dialog.querySelector(".dialog-body"), el("p", {}, "These are files without a program behind them: see the content repository."));
    return;
  }
  await answer(dialog, async () => {
    const found = await sourceOf(node.level, node.id);
    if (!found) return el("p", {}, "It is not in this content any more.");
    const { last_change: change } = found;
    return el("dl", { class: "facts-list" },
      pair("File", el("code", { dir: "ltr" }, visible(`${found.file}:${found.line}`))),
      found.is_committed ? null : pair("Now", "There are changes that are not committed yet."),
      change ? [
        pair("Last changed by", said(change.author)),
        pair("On", el("time", { datetime: change.date }, dated(change.date))),
        pair("In commit", [el("code", {}, change.commit.slice(0, 12)), " ", said(change.subject)]),
      ] : pair("Commit", "none yet"));
  });
}

function pair(term, ...said_) {
  return [el("dt", {}, term), el("dd", {}, said_)];
}

async function answer(dialog, made) {
  const body = dialog.querySelector(".dialog-body");
  try {
    fill(body, await made());
  } catch (error) {
    fill(body, el("p", { class: "problem" }, visible(error.message)));
  }
}

function open(dialog, title, body) {
  fill(dialog,
    el("header", {},
      el("h2", { id: "dialog-title", dir: "auto" }, title),
      el("button", { class: "quiet", type: "button", "aria-label": "Close", onclick: () => dialog.close() }, sign("close"))),
    el("div", { class: "dialog-body", tabindex: "0" }, body));
  if (!dialog.open) dialog.showModal();
}

function section(question, report, isFirst) {
  const steps = report.decisions[question];
  const body = el("ol", { class: "steps" }, steps.map((step, place) => el("li", { class: place === steps.length - 1 ? "decided" : null },
    el("p", {}, said(step.node.title, "strong"), " ", el("span", { class: "rule" }, visible(step.rule))),
    el("p", {}, `${question === "visible" ? "" : `${written(question, step.result)}: `}${visible(step.reason)}`),
    step.evidence.map((one) => evidence(one)))));
  const head = [el("span", { class: "question" }, QUESTIONS[question]), el("strong", { class: "answer-word", dir: "auto" }, written(question, report.answers[question]))];
  return el("details", { class: "why", open: isFirst }, el("summary", {}, head), body);
}

function evidence(one) {
  const { origin } = one;
  const value = el("code", { dir: "auto" }, `${one.pointer.join(".")}: ${visible(JSON.stringify(one.value))}`);
  if (!origin) return el("p", { class: "evidence" }, value, " by default");
  const when = origin.commit
    ? [el("code", {}, origin.commit.slice(0, 10)), " ", said(origin.author), ", ", el("time", { datetime: origin.date }, dated(origin.date)), origin.subject ? [": ", said(origin.subject)] : ""]
    : "not committed yet";
  return el("p", { class: "evidence" }, value, el("br"), el("span", { class: "place", dir: "ltr" }, visible(`${origin.file}:${origin.line}`)), el("br"), when);
}

function written(question, value) {
  if (question === "access_level") return ACCESS[value]?.[0] ?? visible(value);
  if (value === true) return "Yes";
  if (value === false) return "No";
  return value === "" || value === null ? "Nothing" : visible(String(value));
}

function dated(instant) {
  return new Date(instant).toLocaleDateString("en", { year: "numeric", month: "short", day: "numeric" });
}

function quoted(word) {
  return /^[\w.-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
