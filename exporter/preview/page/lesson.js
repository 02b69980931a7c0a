// A lesson's stages, each by its type; a value that changed shows its words, gone or new.

import { count, el, linked, sign, visible } from "./dom.js";
import { formatted, plain } from "./text.js";

const SHOWN = {
  Video: ["video_url", "url"],
  Question: ["question", "options", "correct_answer", "answer", "explanation"],
  Text: ["text", "content", "html", "format"],
  Interactive: [],
};
const UNMARKED = { at: () => undefined, touched: () => false };

/** Return the stages of a lesson as students go through them. */
export function stages(lesson) {
  if (!lesson.stages.length) return el("p", { class: "empty" }, "This lesson has no stages.");
  return el("ol", { class: "stages" }, lesson.stages.map((stage, at) => el("li", {}, card(stage, at))));
}

/** Return both sides of a lesson, stage by stage. */
export function sideBySide(both, labels) {
  const sides = [["before", both.left, "gone"], ["after", both.right, "new"]].map(([side, marks, op]) => ({
    lesson: both[side], op,
    at: (pointer) => marks[pointer],
    touched: (pointer) => Object.keys(marks).some((one) => one === pointer || one.startsWith(`${pointer}/`)),
  }));
  const row = (title, shown) => el("section", { class: "pair" },
    title && el("h3", { class: "unseen" }, title),
    sides.map((side, place) => el("div", { class: "half", "data-side": ["Before", "Now"][place] }, side.lesson ? shown(side, place) : nothing(place))));
  return el("div", { class: "both" },
    el("div", { class: "pair names" }, labels.map((label) => el("p", { class: "half-name" }, visible(label)))),
    row("Title and description", (side) => [
      el("p", { class: "half-title", dir: "auto" }, marked(side.lesson.title, "/title", side)),
      side.lesson.description && el("p", { class: "lead", dir: "auto" }, marked(side.lesson.description, "/description", side)),
    ]),
    both.pairs.map((pair) => row(stageName(both, pair), (side, place) => {
      const at = pair[place];
      if (at === null) return nothing(place);
      const whole = side.at(`/stages/${at}`) ? ` ${side.op}` : "";
      return card(side.lesson.stages[at], at, side, whole);
    })));
}

function stageName(both, [was, now]) {
  return now === null ? `Stage ${was + 1} is gone` : `Stage ${now + 1}${was === null ? " is new" : ""}`;
}

function nothing(place) {
  return el("p", { class: "nothing" }, place ? "Not there any more" : "Not there before");
}

/** Return a text with the words that are gone or new. */
function marked(text, pointer, side) {
  const pieces = side?.at(pointer);
  if (!pieces) return visible(text);
  if (pieces.length === 1 && pieces[0][1] === "") return word(side.op, text);
  return pieces.map(([op, words]) => (op === "same" ? visible(words) : word(op, words)));
}

function word(op, text) {
  return el(op === "gone" ? "del" : "ins", {}, visible(text));
}

function card(stage, at, side = UNMARKED, whole = "") {
  const base = `/stages/${at}`;
  const body = { Video: video, Question: question, Text: text, Interactive: rest }[stage.type] ?? rest;
  const facts = [
    stage.target_time ? duration(stage.target_time) : null,
    `weight ${stage.weight}`,
    stage.is_skippable ? "may be skipped" : null,
  ].filter(Boolean).join(" · ");
  return el("article", { class: `stage ${KINDS.has(stage.type) ? stage.type.toLowerCase() : "other"}${whole}` },
    el("header", {},
      el("span", { class: "stage-number" }, String(at + 1)),
      el("span", { class: "stage-type" }, visible(stage.type || "No type")),
      el("h2", { dir: "auto" }, marked(stage.title, `${base}/title`, side)),
      el("span", { class: "facts" }, facts, changedFacts(base, side))),
    body(stage.config, `${base}/config`, side),
    more(stage, `${base}/config`, side));
}

const KINDS = new Set(Object.keys(SHOWN));

function changedFacts(base, side) {
  const changed = [["target_time", "time"], ["weight", "weight"], ["is_skippable", "skipping"], ["type", "type"]]
    .filter(([name]) => side.at(`${base}/${name}`)).map(([, label]) => label);
  if (!changed.length) return null;
  return [" · ", el("mark", { class: side.op }, `${changed.join(", ")} ${side.op === "new" ? "changed" : "before"}`)];
}

function video(config, at, side) {
  const name = config.video_url ? "video_url" : "url";
  const address = config[name];
  if (typeof address !== "string" || !address) return lacking("a video");
  const changed = side.at(`${at}/${name}`);
  return el("div", { class: "screen" },
    el("span", { class: "screen-sign" }, sign("play")),
    el("p", {}, changed ? el("span", { class: "address", dir: "ltr" }, marked(address, `${at}/${name}`, side)) : linked(address)));
}

function question(config, at, side) {
  const right = config.correct_answer ?? config.answer;
  const options = Array.isArray(config.options) ? config.options : [];
  return el("div", { class: "asked" },
    config.question ? asText(config.question, `${at}/question`, side) : lacking("a question"),
    options.length ? el("ul", { class: "options" }, options.map((option, place) => {
      const isRight = answers(right, option, place, options);
      const pointer = `${at}/options/${place}`;
      const whole = side.at(pointer) && typeof option !== "string" ? ` ${side.op}` : "";
      return el("li", { class: `${isRight ? "right" : ""}${whole}` },
        el("span", { class: "option", dir: "auto" }, typeof option === "string" ? marked(option, pointer, side) : labelOf(option, pointer, side)),
        isRight ? el("span", { class: "answer" }, "Answer") : null);
    })) : lacking("options"),
    right === undefined || right === null || options.some((option, place) => answers(right, option, place, options)) ? null
      : el("p", { class: "solution" }, "Answer: ", el("bdi", { dir: "auto" }, marked(words(right), `${at}/${config.correct_answer === undefined ? "answer" : "correct_answer"}`, side))),
    config.explanation ? el("div", { class: "explanation" }, el("span", { class: "label" }, "Explanation"), asText(config.explanation, `${at}/explanation`, side)) : null);
}

function answers(right, option, place, options) {
  const named = typeof option === "object" && option !== null ? [option.id, option.key, option.value, option.text, option.label] : [option];
  const wanted = Array.isArray(right) ? right : [right];
  if (typeof option === "object" && option?.is_correct === true) return true;
  if (wanted.some((one) => one !== undefined && named.includes(one))) return true;
  return wanted.some((one) => one === place && !options.includes(one));
}

function labelOf(option, pointer, side) {
  for (const key of ["text", "label", "title", "value"]) {
    if (typeof option?.[key] === "string") return marked(option[key], `${pointer}/${key}`, side);
  }
  return el("code", {}, words(option));
}

function text(config, at, side) {
  const name = ["text", "content", "html"].find((key) => config[key]);
  if (!name) return lacking("a text");
  return [
    name === "html" ? el("p", { class: "note" }, "Written as HTML; shown here as the text that it is.") : null,
    name === "html" && !side.at(`${at}/${name}`) ? plain(words(config[name])) : asText(config[name], `${at}/${name}`, side),
  ];
}

function asText(value, pointer, side) {
  if (typeof value !== "string") return el("code", { class: "value" }, words(value));
  if (side.at(pointer)) return el("p", { class: "plain", dir: "auto" }, marked(value, pointer, side));
  return formatted(value);
}

function rest() {
  return null;
}

function lacking(what) {
  return el("p", { class: "lacking" }, sign("warning"), `${what[0].toUpperCase()}${what.slice(1)} is missing.`);
}

/** Return what a stage's config says besides, as the JSON that it is. */
function more(stage, at, side) {
  const shown = new Set(SHOWN[stage.type] ?? []);
  const left = Object.entries(stage.config).filter(([key]) => !shown.has(key));
  if (!left.length) return null;
  const table = el("dl", { class: "settings" }, left.map(([key, value]) => {
    const pointer = `${at}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    return [el("dt", {}, el("code", { dir: "auto" }, visible(key))), el("dd", {}, json(value, pointer, side))];
  }));
  const isAll = !KINDS.has(stage.type) || stage.type === "Interactive";
  const isChanged = left.some(([key]) => side.touched(`${at}/${key}`));
  return el("details", { class: "more", open: isAll || isChanged }, el("summary", {}, isAll ? "Settings" : `${count(left.length, "other setting")}`), table);
}

function json(value, pointer, side) {
  const pieces = side.at(pointer);
  const whole = pieces && pieces.length === 1 && pieces[0][1] === "" ? ` ${side.op}` : "";
  if (typeof value === "string") return el("span", { class: `string${whole}`, dir: "auto" }, pieces ? marked(value, pointer, side) : web(value));
  if (value === null || typeof value !== "object") return el("code", { class: "value" }, whole ? word(side.op, words(value)) : words(value));
  const entries = Array.isArray(value) ? value.map((item, place) => [place, item]) : Object.entries(value);
  if (!entries.length) return el("code", { class: `value${whole}` }, Array.isArray(value) ? "[]" : "{}");
  return el("dl", { class: `settings${Array.isArray(value) ? " list" : ""}${whole}` }, entries.map(([key, item]) => [
    el("dt", {}, el("code", { dir: "auto" }, typeof key === "number" ? String(key + 1) : visible(key))),
    el("dd", {}, json(item, `${pointer}/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`, side)),
  ]));
}

function web(value) {
  if (/^https?:\/\//i.test(value)) return linked(value);
  return value === "" ? el("span", { class: "nothing" }, "empty") : plainWords(value);
}

function plainWords(value) {
  return value.length > 2000 ? plain(value) : visible(value);
}

function words(value) {
  return typeof value === "string" ? value : visible(JSON.stringify(value));
}

function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  const left = seconds % 60;
  return [minutes ? `${minutes} min` : null, left ? `${left} s` : null].filter(Boolean).join(" ");
}
