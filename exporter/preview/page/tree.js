// The curriculum as a tree of which only the rows in sight exist, so that thousands cost nothing.

import { rowSigns } from "./badges.js";
import { lessonsBelow } from "./content.js";
import { el, fill, said, sign, unseen } from "./dom.js";

const SPARE = 12;
const TYPING_MS = 700;

export class Tree {
  /** `opened` is called with the node that somebody chose, `asked` with one and its badge. */
  constructor(root, { opened, asked, findings }) {
    this.root = root;
    this.tell = { opened, asked, findings };
    this.expanded = new Set();
    this.rows = [];
    this.drawn = new Map();
    this.active = null;
    this.chosen = null;
    this.typed = { text: "", at: 0 };
    this.space = el("div", { class: "tree-space", role: "presentation" });
    root.setAttribute("role", "tree");
    root.append(this.space);
    root.addEventListener("scroll", () => this.#draw(), { passive: true });
    root.addEventListener("keydown", (event) => this.#key(event));
    root.addEventListener("click", (event) => this.#click(event));
    new ResizeObserver(() => this.#draw()).observe(root);
  }

  /** Show another plan; what was open stays open where it still exists. */
  show(plan) {
    this.plan = plan;
    this.root.setAttribute("aria-label", `Curriculum of ${plan.manifest?.title ?? plan.about.title}`);
    this.refresh();
  }

  /** Look at the nodes again: some have come, or have other signs. */
  async refresh() {
    const plan = this.plan;
    for (const key of this.expanded) {
      const node = plan.nodes.get(key);
      if (node && !node.children) await plan.children(node);
    }
    if (plan === this.plan) this.#renew();
  }

  /** Open the way down to a node and mark it as the one that is shown. */
  reveal(path) {
    for (const node of path.slice(0, -1)) this.expanded.add(node.key);
    this.chosen = path.at(-1)?.key ?? null;
    if (this.chosen) this.active = this.chosen;
    this.#renew();
    const at = this.rows.findIndex((node) => node.key === this.chosen);
    if (at >= 0) this.#scrollTo(at);
  }

  /** Put the keyboard on the row that was last used. */
  focus() {
    const at = Math.max(0, this.rows.findIndex((node) => node.key === this.active));
    if (this.rows.length) this.#focusAt(at);
  }

  get rowHeight() {
    return parseFloat(getComputedStyle(this.root).getPropertyValue("--row")) || 34;
  }

  /** Draw every row anew; the keyboard stays where it is. */
  #renew() {
    const isHere = this.root.contains(document.activeElement);
    for (const row of this.drawn.values()) row.remove();
    this.drawn.clear();
    this.#arrange();
    if (isHere) this.drawn.get(this.active)?.focus({ preventScroll: true });
  }

  #arrange() {
    const rows = [];
    const add = (family) => {
      family.forEach((node, place) => {
        node.place = [place + 1, family.length];
        rows.push(node);
        if (this.expanded.has(node.key) && node.children) add(node.children);
      });
    };
    add(this.plan.subjects);
    this.rows = rows;
    if (!rows.some((node) => node.key === this.active)) this.active = rows[0]?.key ?? null;
    this.space.style.setProperty("height", `${rows.length * this.rowHeight}px`);
    this.#draw();
  }

  #draw() {
    const height = this.rowHeight;
    const first = Math.max(0, Math.floor(this.root.scrollTop / height) - SPARE);
    const last = Math.min(this.rows.length, Math.ceil((this.root.scrollTop + this.root.clientHeight) / height) + SPARE);
    const wanted = new Map();
    for (let at = first; at < last; at += 1) wanted.set(this.rows[at].key, at);
    const active = this.rows.findIndex((node) => node.key === this.active);
    if (active >= 0) wanted.set(this.active, active);
    for (const [key, row] of this.drawn) {
      if (!wanted.has(key)) {
        row.remove();
        this.drawn.delete(key);
      }
    }
    let above = null;
    for (const [key, at] of [...wanted].sort((one, other) => one[1] - other[1])) {
      const row = this.drawn.get(key) ?? this.#row(this.rows[at]);
      this.drawn.set(key, row);
      if (!row.isConnected || row.previousElementSibling !== above) {
        if (above) above.after(row);
        else this.space.prepend(row);
      }
      row.style.setProperty("transform", `translateY(${at * height}px)`);
      row.tabIndex = key === this.active ? 0 : -1;
      above = row;
    }
  }

  #row(node) {
    const isLeaf = node.level === "lesson" || (node.isGone && !node.children.length);
    const isOpen = this.expanded.has(node.key);
    const lessons = lessonsBelow(node);
    const row = el("div", {
      class: `row ${node.level}${node.isGone ? " gone" : ""}`,
      role: "treeitem",
      "aria-level": node.depth + 1,
      "aria-posinset": node.place[0],
      "aria-setsize": node.place[1],
      "aria-expanded": isLeaf ? null : String(isOpen),
      "aria-selected": String(node.key === this.chosen),
      "data-key": node.key,
    },
      el("span", { class: "twist" }, isLeaf ? null : sign("twist")),
      said(node.title, "span", { class: "title", title: node.title }),
      el("span", { class: "signs" }, rowSigns(node, this.tell.findings(node)),
        node.level === "lesson" ? null : el("span", { class: "count" }, lessons === null ? null : [lessons.toLocaleString("en"), unseen(" lessons")])));
    row.style.setProperty("--depth", node.depth);
    if (node.level === "subject" && node.data.color_code) row.style.setProperty("--subject", node.data.color_code);
    return row;
  }

  async #toggle(node, open) {
    if (node.level === "lesson" || this.expanded.has(node.key) === open) return;
    if (open) {
      this.expanded.add(node.key);
      await this.plan.children(node);
    } else {
      this.expanded.delete(node.key);
    }
    this.#redraw(node);
    this.#arrange();
  }

  #redraw(node) {
    const row = this.drawn.get(node.key);
    if (!row) return;
    const had = row === document.activeElement;
    const fresh = this.#row(node);
    row.replaceWith(fresh);
    this.drawn.set(node.key, fresh);
    fresh.tabIndex = node.key === this.active ? 0 : -1;
    if (had) fresh.focus({ preventScroll: true });
  }

  #click(event) {
    const row = event.target.closest("[role=treeitem]");
    const node = row && this.plan.nodes.get(row.dataset.key);
    if (!node) return;
    this.active = node.key;
    if (event.target.closest(".twist")) {
      this.#toggle(node, !this.expanded.has(node.key));
    } else if (event.target.closest(".access")) {
      this.tell.asked(node);
    } else {
      this.#choose(node);
    }
  }

  async #choose(node) {
    await this.#toggle(node, true);
    this.tell.opened(node);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.rows.findIndex((node) => node.key === this.active);
    const node = this.rows[at];
    if (!node) return;
    const isOpen = this.expanded.has(node.key);
    const moves = {
      ArrowDown: () => this.#focusAt(at + 1),
      ArrowUp: () => this.#focusAt(at - 1),
      Home: () => this.#focusAt(0),
      End: () => this.#focusAt(this.rows.length - 1),
      ArrowRight: () => (isOpen ? this.#focusAt(at + 1) : this.#toggle(node, true)),
      ArrowLeft: () => (isOpen ? this.#toggle(node, false) : this.#focusOn(node.parent)),
      Enter: () => this.#choose(node),
      " ": () => this.#choose(node),
      "?": () => this.tell.asked(node),
    };
    if (moves[event.key]) moves[event.key]();
    else if (event.key.length === 1 && event.key !== "/") this.#find(event.key, at);
    else return;
    event.preventDefault();
  }

  /** Go to the next row of which the title begins with what is being typed. */
  #find(letter, at) {
    const now = performance.now();
    this.typed = { text: (now - this.typed.at < TYPING_MS ? this.typed.text : "") + letter.toLowerCase(), at: now };
    const start = this.typed.text.length > 1 ? at : at + 1;
    const order = [...this.rows.keys()].map((place) => (start + place) % this.rows.length);
    const found = order.find((place) => this.rows[place].title.toLowerCase().startsWith(this.typed.text));
    if (found !== undefined) this.#focusAt(found);
  }

  #focusOn(node) {
    const at = node ? this.rows.indexOf(node) : -1;
    if (at >= 0) this.#focusAt(at);
  }

  #focusAt(place) {
    const at = Math.min(this.rows.length - 1, Math.max(0, place));
    this.active = this.rows[at].key;
    this.#scrollTo(at);
    this.#draw();
    this.drawn.get(this.active).focus({ preventScroll: true });
  }

  #scrollTo(at) {
    const height = this.rowHeight;
    const [top, bottom] = [at * height, (at + 1) * height];
    if (top < this.root.scrollTop) this.root.scrollTop = top;
    if (bottom > this.root.scrollTop + this.root.clientHeight) this.root.scrollTop = bottom - this.root.clientHeight;
  }
}
