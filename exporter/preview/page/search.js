// The search box: the search index and its shards, searched as the students' apps would.

import { published } from "./content.js";
import { count, el, fill, said } from "./dom.js";

const MOST = 40;
const PAUSE_MS = 120;

/** Return text as it is searched: no case, no Arabic vowel marks, one form of alef, yeh and heh. */
export function folded(text) {
  return text.normalize("NFKD").toLowerCase()
    .replace(/[\p{M}\u0640]/gu, "")
    .replace(/[أإآٱ]/g, "ا").replace(/ى/g, "ي").replace(/ة/g, "ه").replace(/ؤ/g, "و").replace(/ئ/g, "ي")
    .replace(/[٠-٩]/g, (digit) => String(digit.charCodeAt(0) - 0x0660))
    .trim();
}

export class Search {
  /** `opened` is called with the entry that somebody chose. */
  constructor(input, opened, left) {
    this.input = input;
    this.opened = opened;
    this.left = left;
    this.at = -1;
    this.found = [];
    this.list = el("ul", { class: "results", id: "results", role: "listbox", "aria-label": "Lessons found", hidden: true });
    this.status = el("p", { class: "results-status", role: "status", hidden: true });
    this.box = el("div", { class: "results-box", hidden: true }, this.status, this.list);
    input.closest(".search").append(this.box);
    for (const [name, value] of [["role", "combobox"], ["aria-expanded", "false"], ["aria-controls", "results"], ["aria-autocomplete", "list"]]) {
      input.setAttribute(name, value);
    }
    input.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.search(), PAUSE_MS);
    });
    input.addEventListener("keydown", (event) => this.#key(event));
    input.addEventListener("focus", () => this.found.length && this.#show(true));
    document.addEventListener("click", (event) => {
      if (!event.target.closest(".search")) this.#show(false);
    });
  }

  /** Search in another plan from now on. */
  use(plan) {
    this.plan = plan;
    this.entries = null;
    this.input.disabled = !plan.manifest;
    if (this.input.value) this.search();
  }

  /** Find what is in the box, lessons of that name first; a shard's are shown when it is read. */
  async search() {
    const text = this.input.value;
    const wanted = folded(text).split(/\s+/).filter(Boolean);
    if (!wanted.length) {
      this.clear();
      return;
    }
    const plan = this.plan;
    const [named, near] = [[], []];
    let searched = 0;
    this.at = -1;
    for await (const entries of this.#entries(plan)) {
      if (plan !== this.plan || text !== this.input.value) return;
      searched += entries.length;
      for (const { entry, name, key } of entries) {
        if (wanted.every((word) => name.includes(word))) named.push(entry);
        else if (wanted.every((word) => key.includes(word))) near.push(entry);
      }
      this.#draw([...named, ...near], searched, false);
    }
    this.#draw([...named, ...near], searched, true);
  }

  /** Empty the box. */
  clear() {
    this.input.value = "";
    this.found = [];
    this.#show(false);
  }

  async *#entries(plan) {
    this.entries ??= new Map();
    const index = await published(plan.manifest.search_index_url);
    if (!index.is_sharded) {
      yield this.#keyed("", index.entries);
      return;
    }
    for (const shard of index.shards) {
      const known = this.entries.get(shard.url);
      yield known ?? this.#keyed(shard.url, (await published(shard.url)).entries);
    }
  }

  #keyed(url, entries) {
    if (!this.entries.has(url)) {
      this.entries.set(url, entries.map((entry) => ({
        entry, name: folded(entry.lesson_name), key: folded([entry.lesson_name, entry.topic_name, entry.unit_name, entry.subject_name, entry.lesson_id].join(" ")),
      })));
    }
    return this.entries.get(url);
  }

  #draw(found, searched, isDone) {
    this.found = found.slice(0, MOST);
    const more = found.length > MOST ? `, the first ${MOST} shown` : "";
    this.status.textContent = `${count(found.length, "lesson")} found of ${searched.toLocaleString("en")}${isDone ? "" : " so far"}${more}`;
    fill(this.list, this.found.map((entry, place) => el("li", {
      role: "option", id: `result-${place}`, "aria-selected": String(place === this.at),
      onmousedown: (event) => event.preventDefault(),
      onclick: () => this.#choose(place),
    },
      said(entry.lesson_name, "span", { class: "result-title" }),
      el("span", { class: "result-where" }, [entry.subject_name, entry.unit_name, entry.topic_name].map((name, at) => [at ? " › " : "", said(name)])))));
    this.#show(true);
  }

  #key(event) {
    const moves = {
      ArrowDown: () => this.#mark(this.at + 1),
      ArrowUp: () => this.#mark(this.at - 1),
      Enter: () => this.#choose(Math.max(0, this.at)),
      Escape: () => (this.box.hidden ? this.left() : this.clear()),
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    moves[event.key]();
  }

  #mark(place) {
    if (!this.found.length) return;
    this.at = (place + this.found.length) % this.found.length;
    [...this.list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === this.at)));
    this.list.children[this.at].scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", `result-${this.at}`);
  }

  #choose(place) {
    const entry = this.found[place];
    if (!entry) return;
    this.#show(false);
    this.opened(entry);
  }

  #show(isShown) {
    this.list.hidden = !isShown || !this.found.length;
    this.status.hidden = !isShown;
    this.box.hidden = !isShown;
    this.input.setAttribute("aria-expanded", String(isShown && this.found.length > 0));
    if (!isShown) this.input.removeAttribute("aria-activedescendant");
  }
}
