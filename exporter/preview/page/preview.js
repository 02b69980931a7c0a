// The preview: which plan and node is shown follows from the address, and the page follows the content.

import { why, source } from "./asking.js";
import { ask, forget, openSite, pathOf, Plan } from "./content.js";
import { directionOf, el, fill, visible } from "./dom.js";
import { addressOf, nodePage, notice, planPage } from "./pages.js";
import { Search } from "./search.js";
import { Tree } from "./tree.js";
import { themeButton } from "./theme.js";

const part = (id) => document.getElementById(id);
const state = { site: null, plan: null, findings: [], held: new Set(), changes: null, shown: 0 };

const tree = new Tree(part("tree"), {
  opened: (node) => go(addressOf(state.plan, pathOf(node))),
  asked: (node) => !node.isGone && open(tree, why, state.plan, node, "access_level", state.site),
  findings: (node) => state.findings.some((one) => one.key === node.key),
});
const search = new Search(part("search"), async (entry) => {
  const path = await state.plan.pathOfTopic(entry.subject_id, entry.topic_id);
  go(addressOf(state.plan, [...path, entry.lesson_id]));
}, () => tree.focus());

function go(address) {
  if (location.hash === address) show();
  else location.hash = address;
}

/** Open the dialog; when it closes and what had opened it was drawn anew, go back to where that was. */
function open(from, dialog, ...about) {
  part("dialog").addEventListener("close", () => {
    const at = document.activeElement;
    if (!at || at === document.body || part("dialog").contains(at)) from.focus();
  }, { once: true });
  dialog(part("dialog"), ...about);
}

/** Return what the pages need to know and may ask. */
function page() {
  const { site, plan, findings, changes } = state;
  return {
    site, plan, findings, changes,
    held: state.held.has(plan.id),
    findingsAt: (key) => findings.filter((one) => one.key === key),
    why: (node, question) => open(part("main"), why, plan, node, question, site),
    whyOf: (node) => (node.isGone ? null : (question) => open(part("main"), why, plan, node, question, site)),
    source: (node) => open(part("main"), source, node, site),
  };
}

/** Show what the address says. */
async function show() {
  const turn = (state.shown += 1);
  const address = location.hash;
  const [id, ...ids] = address.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  const { plans } = state.site;
  const about = plans.find((plan) => plan.id === id) ?? plans.find((plan) => plan.is_published) ?? plans[0];
  if (!about) {
    fill(part("main"), notice("plain", "There is no academic plan in this content."));
    return;
  }
  try {
    await usePlan(about);
    const path = about.id === id ? await state.plan.walk(ids) : [];
    if (turn !== state.shown) return;
    const shown = path.length ? await nodePage(page(), path) : planPage(page());
    if (turn !== state.shown) return;
    tree.reveal(path);
    fill(part("main"), path.length < ids.length ? notice("warning", "What the address names is not in this plan. This is the nearest to it.") : null, shown);
    part("columns").dataset.at = path.length ? "node" : "plan";
    document.title = `${visible(path.at(-1)?.title ?? about.title)} – Preview`;
    part("main").scrollTop = 0;
  } catch (error) {
    if (turn !== state.shown) return;
    fill(part("main"), notice("problem", visible(error.message)));
  }
  part("main").dataset.shows = address;
}

async function usePlan(about) {
  if (state.plan?.about === about) return;
  state.plan = await Plan.open(about);
  part("plan").value = about.id;
  part("columns").dir = directionOf(state.plan.manifest?.title ?? about.title);
  tree.show(state.plan);
  search.use(state.plan);
  countLessons(state.plan);
}

/** Read the hierarchies after the page is there, for the numbers of lessons. */
async function countLessons(plan) {
  for (const node of plan.subjects) {
    if (!node.isGone) await plan.children(node);
    if (plan !== state.plan) return;
  }
  tree.refresh();
  if (part("columns").dataset.at === "plan") fill(part("main"), planPage(page()));
}

async function learn() {
  const [found, changes] = await Promise.all([ask("api/findings.json"), state.site.compare ? ask("api/compare.json") : null]);
  state.findings = found?.findings ?? [];
  state.held = new Set(found?.held ?? []);
  state.changes = changes;
  tree.refresh();
  if (part("columns").dataset.at === "plan" || state.findings.length) show();
}

function choosePlans() {
  fill(part("plan"), state.site.plans.map((plan) => {
    const note = plan.is_gone ? " (gone)" : plan.is_published ? "" : " (not published)";
    return el("option", { value: plan.id, dir: "auto" }, visible(plan.title) + note);
  }));
  const { compare, label } = state.site;
  fill(part("edition"), el("bdi", {}, visible(label)), compare ? [el("span", { class: "facts" }, " compared with "), el("bdi", {}, visible(compare.before))] : null);
}

/** Read everything again, and stay where the reader is. */
async function begin() {
  forget();
  state.plan = null;
  state.site = await openSite();
  part("status").hidden = !state.site.has.status;
  choosePlans();
  await show();
  await learn();
}

function follow() {
  const events = new EventSource("api/events");
  let isFirst = true;
  events.addEventListener("content", async () => {
    await begin();
    tell(`Updated at ${new Date().toLocaleTimeString("en")}`);
  });
  events.addEventListener("open", () => {
    if (!isFirst) begin();
    isFirst = false;
  });
}

let toastTimer = 0;

function tell(text) {
  part("toast").textContent = text;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { part("toast").textContent = ""; }, 4000);
}

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, select, textarea, dialog");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    part("search").focus();
    part("search").select();
  } else if (event.key === "Escape" && !isTyping) {
    tree.focus();
  }
});
part("plan").addEventListener("change", () => go(addressOf({ id: part("plan").value })));
part("dialog").addEventListener("click", (event) => {
  if (event.target === part("dialog")) part("dialog").close();
});
window.addEventListener("hashchange", show);
themeButton(part("theme"));

try {
  await begin();
  if (state.site.has.events) follow();
} catch (error) {
  fill(part("main"), notice("problem", visible(error.message)));
}
document.documentElement.dataset.ready = "true";
