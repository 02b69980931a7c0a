// Texts with simple formatting: headings, lists, quotes, emphasis, code and formulas; never markup.

import { el, linked, visible } from "./dom.js";

const LONG = 20000;
const INLINE = /(`[^`\n]{1,500}`|\$\$[^$]{1,1000}\$\$|\$[^$\n]{1,500}\$|\*\*[^*\n]{1,1000}\*\*|\*[^*\n]{1,1000}\*|\[[^\]\n]{1,300}\]\([^()\s]{1,2000}\))/;

/** Return a text as paragraphs, lists and so on; the end of a very long one is shown on demand. */
export function formatted(text) {
  return shortened(text, (part) => el("div", { class: "prose", dir: "auto" }, blocks(part)));
}

/** Return a text as it stands, line by line. */
export function plain(text) {
  return shortened(text, (part) => el("p", { class: "plain", dir: "auto" }, visible(part)));
}

function shortened(text, shown) {
  if (text.length <= LONG) return shown(text);
  const whole = el("div", { class: "long" }, shown(text.slice(0, LONG)));
  whole.append(el("button", {
    class: "quiet more", type: "button",
    onclick: () => whole.replaceChildren(shown(text)),
  }, `Show all ${text.length.toLocaleString("en")} characters`));
  return whole;
}

function blocks(text) {
  const made = [];
  const lines = text.split("\n");
  while (lines.length) {
    const line = lines.shift();
    if (!line.trim()) continue;
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    if (heading) {
      made.push(el("p", { class: `heading h${heading[1].length}`, dir: "auto" }, inline(heading[2])));
    } else if (line.startsWith("```")) {
      made.push(el("pre", { dir: "ltr" }, visible(taken(lines, (one) => !one.startsWith("```")).join("\n"))));
      lines.shift();
    } else if (/^>\s?/.test(line)) {
      const quoted = [line, ...taken(lines, (one) => /^>\s?/.test(one))];
      made.push(el("blockquote", { dir: "auto" }, blocks(quoted.map((one) => one.replace(/^>\s?/, "")).join("\n"))));
    } else if (isItem(line)) {
      const items = [line, ...taken(lines, isItem)];
      const tag = /^\s*\d/.test(line) ? "ol" : "ul";
      made.push(el(tag, { dir: "auto" }, items.map((one) => el("li", { dir: "auto" }, inline(one.replace(ITEM, ""))))));
    } else {
      const joined = [line, ...taken(lines, (one) => one.trim() && !isItem(one) && !/^(#{1,6}\s|>|```)/.test(one))];
      made.push(el("p", { dir: "auto" }, joined.flatMap((one, at) => (at ? [el("br"), ...inline(one)] : inline(one)))));
    }
  }
  return made;
}

const ITEM = /^\s{0,8}(?:[-*+•]|\d{1,4}[.)])\s+/;

function isItem(line) {
  return ITEM.test(line);
}

function taken(lines, goesOn) {
  const end = lines.findIndex((line) => !goesOn(line));
  return lines.splice(0, end < 0 ? lines.length : end);
}

function inline(text) {
  return text.split(INLINE).filter(Boolean).map((part) => {
    if (/^`.+`$/s.test(part)) return el("code", { dir: "ltr" }, visible(part.slice(1, -1)));
    if (/^\$\$?.+\$$/s.test(part)) return el("code", { class: "formula", dir: "ltr" }, visible(part));
    if (/^\*\*.+\*\*$/s.test(part)) return el("strong", {}, visible(part.slice(2, -2)));
    if (/^\*.+\*$/s.test(part)) return el("em", {}, visible(part.slice(1, -1)));
    const link = /^\[(.+)\]\((\S+)\)$/s.exec(part);
    return link ? [visible(link[1]), " (", linked(link[2]), ")"] : visible(part);
  });
}
