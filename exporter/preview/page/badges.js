// What a node costs and how it is gone through, as signs with words beside them.

import { el, said, sign, unseen, visible } from "./dom.js";

export const ACCESS = {
  public: ["Public", "open to anyone"],
  authenticated: ["Signed in", "open to everybody who has signed in"],
  free_preview: ["Free preview", "a free sample"],
  paid: ["Paid", "only for those who have bought it"],
};

/** Return the badge of an access level; with `why` it can be asked. */
export function accessBadge(access, why, isBrief = false) {
  const [label, meaning] = named(access);
  const item = access.required_item ? el("code", { dir: "auto" }, visible(access.required_item)) : null;
  const parts = [sign(access.access_level), isBrief ? unseen(label) : label, isBrief ? null : item];
  return badge(`access ${access.access_level}${isBrief ? " brief" : ""}`, parts, isBrief ? `${label}, as above: ${meaning}` : meaning, why && (() => why("access_level")));
}

function named(access) {
  return ACCESS[access.access_level] ?? [access.access_level, ""];
}

/** Return all badges of a node; in a list, what is as above it stands in brief. */
export function badges(node, why, isListed = false) {
  const { access, parent } = node;
  const isSame = isListed && parent?.access && ["access_level", "required_item"].every((key) => parent.access[key] === access?.[key]);
  const made = access ? [accessBadge(access, why, isSame)] : [];
  if (access?.is_sold_separately && !(isListed && parent?.access?.is_sold_separately)) {
    made.push(badge("plain", [sign("sold"), "Sold separately"], "not part of what is bought above it", why && (() => why("is_sold_separately"))));
  }
  if (access?.parent_item_required && !(isListed && parent?.access?.parent_item_required)) {
    made.push(badge("plain", [sign("access"), "Comes with the subject"], "buying the subject unlocks it", why && (() => why("parent_item_required"))));
  }
  if (node.isLinear) {
    const brief = isListed ? unseen("In order") : "In order";
    made.push(badge(isListed ? "plain brief" : "plain", [sign("linear"), brief], "In order: students go through it in order", why && (() => why("is_linear"))));
  }
  return made;
}

/** Return what changes about a node, in a word each. */
export function changeBadges(node) {
  return (node.mark?.kinds ?? []).map((kind) =>
    badge(`change ${kind}`, [sign(kind), CHANGES[kind]], (node.mark.signs ?? []).join(", ")));
}

export const CHANGES = { added: "New", removed: "Gone", changed: "Changed", access: "Access changed" };

/** Return the signs of a tree row, with words for screen readers. */
export function rowSigns(node, findings) {
  const { access } = node;
  const above = node.parent?.access;
  const made = [];
  for (const kind of node.mark?.kinds ?? []) {
    made.push(el("span", { class: `dot ${kind}`, title: CHANGES[kind] }, sign(kind), unseen(CHANGES[kind])));
  }
  const below = Object.entries(node.below ?? {});
  if (below.length) {
    const words = below.map(([kind, number]) => `${number} ${CHANGES[kind].toLowerCase()}`).join(", ");
    const total = below.reduce((sum, [, number]) => sum + number, 0);
    made.push(el("span", { class: "below", title: `Below: ${words}` }, String(total), unseen(` changes below: ${words}`)));
  }
  if (findings) {
    made.push(el("span", { class: "dot finding", title: "Something is wrong here" }, sign("warning"), unseen("something is wrong here")));
  }
  if (access?.required_item && access.required_item !== above?.required_item) {
    made.push(el("code", { class: "item", title: `To be bought: ${visible(access.required_item)}` }, unseen("item "), said(access.required_item)));
  }
  if (node.level !== "lesson") {
    made.push(el("span", { class: "flag", title: node.isLinear ? "Students go through it in order" : null }, node.isLinear ? [sign("linear"), unseen("in order")] : null));
  }
  if (access) {
    const [label, meaning] = named(access);
    const same = above && above.access_level === access.access_level ? " same" : "";
    made.push(el("span", { class: `flag access ${access.access_level}${same}`, title: `${label}: ${meaning}` }, sign(access.access_level), unseen(label)));
  }
  return made;
}

function badge(kind, parts, meaning, asked) {
  if (!asked) return el("span", { class: `badge ${kind}`, title: meaning }, parts);
  return el("button", { class: `badge ${kind}`, type: "button", title: `${meaning}: why?`, onclick: asked }, parts, unseen("Why?"));
}
