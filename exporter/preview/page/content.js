// A client of the published files, as the students' apps are: manifest, hierarchy, topic, lesson.
// Every file that is opened was found through a link of another one; only the manifest's key is known.

let site = null;
let files = new Map();

/** Ask for JSON once; what was answered is kept until `forget`. */
export function ask(url) {
  if (!files.has(url)) files.set(url, fetched(url));
  return files.get(url);
}

async function fetched(url) {
  const response = await fetch(url);
  if (response.ok) return response.json();
  files.delete(url);
  if (response.status === 404) return null;
  const told = await response.json().catch(() => ({}));
  throw new Error(told.error ?? `${url} answers ${response.status}`);
}

/** Forget all that was read: the content is another one. */
export function forget() {
  files = new Map();
  site = null;
}

/** Return what there is to see: plans, labels, and what this place can answer. */
export async function openSite() {
  site = await ask("api/site.json");
  if (!site) throw new Error("api/site.json is missing");
  return site;
}

/** Ask for a published file by its link or key. */
export function published(link) {
  return ask(site.content + link);
}

/** Return a lesson on both sides; null where nothing is compared. */
export function compared(link) {
  return site.compare ? ask(`api/compare/${link.split("?")[0]}`) : null;
}

/** Return why a plan shows a node as it does. */
export function explained(plan, node) {
  return ask(`api/explain/${[plan, node.level, node.id].map(encodeURIComponent).join("/")}`);
}

/** Return where a node stands and who changed it last. */
export function sourceOf(level, id) {
  return ask(`api/source/${[level, id].map(encodeURIComponent).join("/")}`);
}

/** A plan as a tree that grows where somebody looks. */
export class Plan {
  constructor(about, manifest, changes) {
    this.id = about.id;
    this.about = about;
    this.manifest = manifest;
    this.changes = changes ?? { marks: {}, below: {}, gone: [] };
    this.nodes = new Map();
    this.subjects = this.#family(null, (manifest?.subjects ?? []).map((one) => this.#node("subject", one, null)));
  }

  /** Read a plan; of one that is gone, only what is compared remains. */
  static async open(about) {
    const [manifest, changes] = await Promise.all([
      about.is_gone || !about.is_published ? null : published(`${about.folder}/manifest.json`),
      site.compare ? ask(`api/compare/${about.folder}.json`) : null,
    ]);
    return new Plan(about, manifest, changes);
  }

  /** Return a node's children, reading the file that lists them. */
  async children(node) {
    if (node.children) return node.children;
    if (node.level === "subject") return this.#grow(node, await published(node.data.hierarchy_url));
    const topic = await published(node.data.topic_url);
    node.topic = topic;
    node.children = this.#family(node, topic.lessons.map((one) => this.#node("lesson", one, node)));
    return node.children;
  }

  /** Return the nodes from the subject down to the ids of a path, as far as there are any. */
  async walk(ids) {
    const found = [];
    let family = this.subjects;
    for (const id of ids) {
      const node = family.find((one) => one.id === id);
      if (!node) break;
      found.push(node);
      family = node.level === "lesson" ? [] : await this.children(node);
    }
    return found;
  }

  /** Return the ids down to a topic of a subject, which the search names. */
  async pathOfTopic(subject, topic) {
    const top = this.subjects.find((one) => one.id === subject);
    if (!top) return [];
    await this.children(top);
    const found = this.nodes.get(`topic/${topic}`);
    return found ? pathOf(found) : [subject];
  }

  #grow(subject, hierarchy) {
    subject.stats = hierarchy.stats;
    const below = (level, parent, listed, field) => this.#family(parent, (listed ?? []).map((one) => {
      const node = this.#node(level, one, parent);
      if (field === "units") node.children = below("unit", node, one.units, "topics");
      if (field === "topics") node.children = below("topic", node, one.topics, null);
      return node;
    }));
    subject.children = below("track", subject, hierarchy.tracks, "units");
    return subject.children;
  }

  #node(level, data, parent) {
    const key = `${level}/${data.id}`;
    const node = {
      key, level, id: data.id, title: data.title, data, parent, children: null,
      depth: parent ? parent.depth + 1 : 0,
      access: data.access, isLinear: data.is_linear, isGone: false,
      mark: this.changes.marks[key], below: this.changes.below[key],
    };
    this.nodes.set(key, node);
    return node;
  }

  /** Put what is gone where it was. */
  #family(parent, nodes) {
    for (const gone of this.changes.gone) {
      if (gone.parent !== (parent ? parent.key : null)) continue;
      const at = nodes.findIndex((one) => one.key === gone.after);
      nodes.splice(at + 1, 0, this.#gone(gone, parent));
    }
    return nodes;
  }

  #gone(gone, parent) {
    const [level, id] = [gone.key.split("/", 1)[0], gone.key.slice(gone.key.indexOf("/") + 1)];
    const data = { id, lesson_url: gone.file };
    const node = this.#node(level, { ...data, title: gone.title, access: gone.access }, parent);
    node.isGone = true;
    node.children = gone.children.map((child) => this.#gone(child, node));
    return node;
  }
}

/** Return the ids from the subject down to a node. */
export function pathOf(node) {
  return node ? [...pathOf(node.parent), node.id] : [];
}

/** Return how many lessons there are below a node, or null before that is known. */
export function lessonsBelow(node) {
  if (node.isGone || node.level === "lesson") return null;
  if (node.level === "topic") return node.data.lesson_count;
  if (node.level === "subject") return node.stats?.total_lessons ?? null;
  return (node.children ?? []).reduce((sum, child) => sum + (lessonsBelow(child) ?? 0), 0);
}
