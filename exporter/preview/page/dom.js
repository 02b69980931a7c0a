// Elements made without markup: content only ever becomes text.

const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;
const KEPT = new Set(["\n", "\t", "\u200c", "\u200d", "\u200e", "\u200f", "\u061c"]);
const SVG = "http://www.w3.org/2000/svg";

/** Make an element: `on…` properties are listeners, the others attributes; null leaves one out. */
export function el(tag, properties, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return made;
}

/** Replace what an element holds. */
export function fill(parent, ...children) {
  parent.replaceChildren(...children.flat(Infinity).filter(Boolean));
  return parent;
}

/** Return text in which nothing is hidden: what cannot be seen, or would turn the direction, is told by its number. */
export function visible(text) {
  return String(text).replace(UNSEEN, (one) =>
    KEPT.has(one) ? one : `[U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);
}

/** Return the direction that a text has by its first letter. */
export function directionOf(text) {
  const letter = /\p{L}/u.exec(text)?.[0] ?? "";
  return /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u.test(letter) ? "rtl" : "ltr";
}

/** Return content for a line of ours: it finds its own direction and leaves ours alone. */
export function said(text, tag = "bdi", properties = {}) {
  return el(tag, { dir: "auto", ...properties }, visible(text));
}

/** Return a link if it leads to a web page, or else the address as text: `javascript:` and the like. */
export function linked(address) {
  const shown = visible(address);
  if (!/^https?:\/\/[^\s]+$/i.test(address)) return el("span", { class: "address", dir: "ltr" }, shown);
  return el("a", { class: "address", dir: "ltr", href: address, rel: "noopener noreferrer", target: "_blank" }, shown);
}

const SHAPES = {
  paid: ["M4 7.500h8v6H4z", "M5.500 7.500V5a2.500 2.500 0 0 1 5 0v2.500"],
  free_preview: ["M1.500 8S4 3.800 8 3.800 14.500 8 14.500 8 12 12.200 8 12.200 1.500 8 1.500 8z", "M8 6.300a1.700 1.700 0 1 0 0 3.400 1.700 1.700 0 0 0 0-3.400z"],
  public: ["M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2z", "M2 8h12", "M8 2c2 2 2.600 4 2.600 6S10 12 8 14C6 12 5.400 10 5.400 8S6 4 8 2z"],
  authenticated: ["M8 2.500a2.700 2.700 0 1 0 0 5.400 2.700 2.700 0 0 0 0-5.400z", "M2.800 13.700c.5-2.700 2.500-4.200 5.200-4.200s4.700 1.500 5.200 4.200"],
  linear: ["M3.500 2.800a1.200 1.200 0 1 0 0 2.400 1.200 1.200 0 0 0 0-2.400z", "M3.500 5.200V11", "M3.500 10.800a1.200 1.200 0 1 0 0 2.400 1.200 1.200 0 0 0 0-2.400z", "M7.500 4h6", "M7.500 12h6"],
  sold: ["M2.500 3v4.600l6 6 5-5-6-6z", "M5.300 5.800h.01"],
  twist: ["M6 3.500 10.500 8 6 12.500"],
  back: ["M10 3.500 5.500 8 10 12.500"],
  warning: ["M8 2.200 14.500 13.500h-13z", "M8 6.500v3.200", "M8 11.600v.01"],
  added: ["M8 3v10", "M3 8h10"],
  removed: ["M3 8h10"],
  changed: ["M3 13l.6-2.800L10.500 3.300l2.200 2.200-6.900 6.900z"],
  access: ["M5 8.500a3 3 0 1 1 2.700-4.300h6.300v2.300h-1.500v1.700h-2V6.500H7.900A3 3 0 0 1 5 8.500z"],
  sun: ["M8 5.200a2.800 2.800 0 1 0 0 5.600 2.800 2.800 0 0 0 0-5.600z", "M8 1.500v1.400M8 13.100v1.400M1.500 8h1.400M13.100 8h1.400M3.400 3.400l1 1M11.600 11.600l1 1M12.600 3.400l-1 1M4.400 11.600l-1 1"],
  moon: ["M13 9.600A5.600 5.600 0 0 1 6.400 3 5.500 5.500 0 1 0 13 9.600z"],
  auto: ["M8 2.500a5.500 5.500 0 1 0 0 11 5.500 5.500 0 0 0 0-11z", "M8 2.500v11"],
  play: ["M5.500 3.800v8.400l7-4.200z"],
  close: ["M4 4l8 8M12 4l-8 8"],
};

/** Draw a sign; it is for the eye only, so words stand beside it. */
export function sign(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of [["viewBox", "0 0 16 16"], ["aria-hidden", "true"], ["class", `sign ${name}`]]) {
    svg.setAttribute(key, value);
  }
  for (const shape of SHAPES[name] ?? []) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", shape);
    svg.append(path);
  }
  return svg;
}

/** Return words for screen readers only. */
export function unseen(text) {
  return el("span", { class: "unseen" }, text);
}

/** Count in words: `1 lesson`, `2,100 lessons`. */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}
