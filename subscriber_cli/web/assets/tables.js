// Values by what the catalogue says of them: nothing here knows any topic but by its words.

import { bar, el, Keyed, place, say } from "./dom.js";
import { TEXT } from "./texts.js";
import { span } from "./time.js";

const FIRST = 6; // values of a topic that are seen without asking

/** One table of who uses what; a column is put in order by a press on its title. */
export class Users {
  #by = "";
  #told = null;

  constructor() {
    this.head = el("tr");
    this.body = el("tbody");
    this.rows = new Keyed(this.body, (row) => row.key ?? row.name, () => new TableRow());
    this.more = el("p", { class: "faint" });
    this.node = el("section", { "aria-labelledby": "users" }, el("h2", { id: "users" }, TEXT.users),
      el("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "users" },
        el("table", {}, el("thead", {}, this.head), this.body)), this.more);
  }

  show(told) {
    this.#told = told;
    this.node.hidden = told.rows.length === 0;
    const columns = JSON.stringify(told.columns) + this.#by;
    if (this.columns !== columns) {
      this.columns = columns;
      place(this.head, []);
      this.head.append(el("th", { scope: "col" }, TEXT.name),
        ...told.columns.map((column) => this.#title(column)));
    }
    const at = told.columns.findIndex((column) => column.name === this.#by);
    const amount = (row) => row.cells[at]?.number ?? -1;
    const rows = at < 0 ? told.rows : told.rows.toSorted((one, other) => amount(other) - amount(one));
    this.rows.show(rows);
    say(this.more, told.left ? TEXT.more(told.left) : "");
  }

  #title(column) {
    const chosen = column.name === this.#by;
    const press = () => {
      this.#by = chosen ? "" : column.name;
      this.show(this.#told);
    };
    return el("th", { scope: "col", class: "number", "aria-sort": chosen ? "descending" : null },
      el("button", { type: "button", class: "title", on: { click: press } }, column.title));
  }
}

class TableRow {
  constructor() {
    this.name = el("th", { scope: "row" });
    this.node = el("tr", {}, this.name);
    this.cells = [];
  }

  update(row) {
    say(this.name, row.name);
    while (this.cells.length < row.cells.length) {
      const cell = el("td", { class: "number" });
      this.cells.push(cell);
      this.node.append(cell);
    }
    while (this.cells.length > row.cells.length) this.cells.pop().remove();
    row.cells.forEach((cell, index) => say(this.cells[index], cell.text));
  }
}

/** All topics of a host, a block each. */
export class Values {
  #told = new Map();
  #leaves = [];

  constructor() {
    this.grid = el("div", { class: "grid" });
    this.blocks = new Keyed(this.grid, (told) => told.leaf, () => new Block());
    this.node = el("section", { "aria-labelledby": "values" },
      el("h2", { id: "values" }, TEXT.values), this.grid);
  }

  order(leaves) {
    this.#leaves = leaves;
    for (const leaf of this.#told.keys()) if (!leaves.includes(leaf)) this.#told.delete(leaf);
  }

  take(told) {
    this.#told.set(told.leaf, told);
  }

  show(now) {
    const told = this.#leaves.map((leaf) => this.#told.get(leaf)).filter(Boolean);
    this.blocks.show(told.map((each) => ({ ...each, now })));
  }
}

class Block {
  constructor() {
    this.title = el("h3");
    this.age = el("span", { class: "faint" });
    this.first = el("dl", { class: "pairs" });
    this.rest = el("dl", { class: "pairs" });
    this.summary = el("summary");
    this.lists = el("div");
    this.fold = el("details", { class: "fold" }, this.summary, this.rest, this.lists);
    this.firstCells = new Keyed(this.first, (cell) => cell.name, () => new Pair());
    this.restCells = new Keyed(this.rest, (cell) => cell.name, () => new Pair());
    this.parts = new Keyed(this.lists, (list) => list.title, (list) => partOf(list));
    this.node = el("article", { class: "block" },
      el("div", { class: "block-head" }, this.title, this.age), this.first, this.fold);
  }

  update(told) {
    say(this.title, TEXT.topics[told.leaf] ?? told.leaf);
    const age = told.now - told.at;
    say(this.age, age > 60 && !told.last ? TEXT.ago(span(age)) : "");
    if (told.large) {
      say(this.first, TEXT.large);
      return;
    }
    const values = told.values.map((cell) => ({ ...cell, now: told.now }));
    const head = values.filter((cell) => cell.headline);
    const first = (head.length ? head : values).slice(0, FIRST);
    const rest = values.filter((cell) => !first.includes(cell));
    this.firstCells.show(first);
    this.restCells.show(rest);
    const lists = told.lists ?? [];
    this.fold.hidden = rest.length + lists.length === 0;
    say(this.summary, TEXT.allOf(values.length + lists.reduce((sum, list) => sum + sizeOf(list), 0)));
    this.parts.show(lists.map((list) => ({ ...list, now: told.now })));
  }
}

function sizeOf(list) {
  return list.devices?.length ?? list.rows?.length ?? list.values?.length ?? 0;
}

class Pair {
  constructor() {
    this.title = el("dt");
    this.value = el("dd");
    this.bar = bar(0);
    this.strip = el("span", { class: "strip", "aria-hidden": "true" });
    this.node = el("div", { class: "pair" }, this.title, this.value, this.bar.node, this.strip);
  }

  update(cell) {
    say(this.title, cell.title);
    const bars = cell.bars ?? [];
    const text = cell.at === undefined ? cell.text : TEXT.ago(span(cell.now - cell.at));
    say(this.value, bars.length > 8 ? "" : text);
    this.bar.node.hidden = cell.share === undefined;
    this.bar.set(cell.share ?? 0);
    this.strip.hidden = bars.length === 0;
    while (this.strip.childElementCount < bars.length) this.strip.append(el("i"));
    while (this.strip.childElementCount > bars.length) this.strip.lastChild.remove();
    bars.forEach((share, index) => this.strip.children[index].style.setProperty("--share", share));
  }
}

/** A list inside a topic: devices, a ranking, or a group of values. */
function partOf(list) {
  if (list.devices) return new Devices();
  if (list.rows) return new Ranking();
  return new Group();
}

class Group {
  constructor() {
    this.title = el("h4");
    this.values = el("dl", { class: "pairs" });
    this.cells = new Keyed(this.values, (cell) => cell.name, () => new Pair());
    this.lists = el("div");
    this.parts = new Keyed(this.lists, (list) => list.title, (list) => partOf(list));
    this.node = el("div", { class: "part" }, this.title, this.values, this.lists);
  }

  update(list) {
    say(this.title, list.title ?? list.name);
    this.cells.show(list.values.map((cell) => ({ ...cell, now: list.now })));
    this.parts.show((list.lists ?? []).map((inner) => ({ ...inner, now: list.now })));
  }
}

class Devices {
  constructor() {
    this.title = el("h4");
    this.list = el("div", { class: "devices" });
    this.devices = new Keyed(this.list, (device) => device.name, () => new Group());
    this.node = el("div", { class: "part" }, this.title, this.list);
  }

  update(list) {
    say(this.title, list.title);
    this.devices.show(list.devices.map((device) => ({ ...device, now: list.now })));
  }
}

class Ranking {
  constructor() {
    this.title = el("h4");
    this.head = el("tr");
    this.body = el("tbody");
    this.rows = new Keyed(this.body, (row) => row.name, () => new TableRow());
    this.node = el("div", { class: "part" }, this.title,
      el("div", { class: "scroll", tabindex: "0" },
        el("table", {}, el("thead", {}, this.head), this.body)));
  }

  update(list) {
    say(this.title, list.title);
    const columns = list.columns.map((column) => column.title).join("\n");
    if (this.columns !== columns) {
      this.columns = columns;
      place(this.head, []);
      this.head.append(el("th", { scope: "col" }, TEXT.name),
        ...list.columns.map((column) => el("th", { scope: "col", class: "number" }, column.title)));
    }
    this.rows.show(list.rows);
  }
}
