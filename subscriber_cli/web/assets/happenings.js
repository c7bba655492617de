// What happened, what cannot be seen, and the bill.

import { el, Keyed, place, say } from "./dom.js";
import { ask } from "./live.js";
import { MEASURED, TEXT } from "./texts.js";
import { clock, moment, span } from "./time.js";

const SHOWN = 12; // events that are seen without asking, and as many more each time
const MUTED = "fanwhy.muted";

/** The events of a host: from the archive, and then as they come. */
export class Events {
  #known = new Map();
  #most = SHOWN;
  #muted = new Set(stored());

  constructor() {
    this.kind = el("select", { on: { change: () => this.show() } },
      ...Object.entries(TEXT.kinds).map(([value, text]) => el("option", { value }, text)));
    this.search = el("input", { type: "search", on: { input: () => this.show() } });
    this.list = el("ol", { class: "events" });
    this.rows = new Keyed(this.list, (entry) => entry.key, () => new EventRow((entry) => this.#mute(entry)));
    this.none = el("p", { class: "faint" }, TEXT.noEvents);
    this.unmute = el("button", { type: "button", class: "small", on: { click: () => this.#unmute() } });
    this.more = el("button", { type: "button", class: "small", on: { click: () => this.#further() } }, TEXT.older);
    this.node = el("section", { "aria-labelledby": "events" }, el("h2", { id: "events" }, TEXT.events),
      el("div", { class: "filters" },
        el("label", { class: "field" }, el("span", {}, TEXT.filter), this.kind),
        el("label", { class: "field" }, el("span", {}, TEXT.search), this.search), this.unmute),
      this.none, this.list, this.more);
    this.show();
  }

  /** Asks for what was before the page was opened. */
  async load(host) {
    try {
      const told = await ask(`${host}/events`, { limit: "200" });
      this.#take(told.events.map((event) => ({
        at: moment(event.time) ?? event.at,
        word: (event.event === "state_changed" ? event.state : event.event) ?? event.word ?? "",
        severity: event.severity ?? "",
        message: event.message ?? "",
      })));
    } catch {
      // Without an archive there is what comes from now on.
    }
  }

  live(told) {
    this.#take(told.entries);
  }

  #take(entries) {
    for (const entry of entries) {
      const key = `${Math.round(entry.at)} ${entry.message}`;
      if (!this.#known.has(key)) this.#known.set(key, { ...entry, key });
    }
    this.show();
  }

  show() {
    const kind = this.kind.value;
    const words = this.search.value.trim().toLowerCase();
    const fits = (entry) =>
      (kind === "all" || kindOf(entry) === kind) &&
      (!words || entry.message.toLowerCase().includes(words));
    const all = [...this.#known.values()].toSorted((one, other) => other.at - one.at);
    const muted = all.filter((entry) => this.#muted.has(entry.message));
    const shown = all.filter((entry) => !this.#muted.has(entry.message) && fits(entry));
    this.rows.show(shown.slice(0, this.#most));
    this.more.hidden = shown.length <= this.#most;
    this.none.hidden = shown.length > 0;
    this.unmute.hidden = muted.length === 0;
    say(this.unmute, TEXT.unmute(muted.length));
  }

  #further() {
    this.#most += 4 * SHOWN;
    this.show();
  }

  #mute(entry) {
    this.#muted.add(entry.message);
    this.#store();
  }

  #unmute() {
    this.#muted.clear();
    this.#store();
  }

  #store() {
    try {
      localStorage.setItem(MUTED, JSON.stringify([...this.#muted].slice(-200)));
    } catch {
      // A private window may keep nothing: it holds until it is closed.
    }
    this.show();
  }
}

function stored() {
  try {
    const told = JSON.parse(localStorage.getItem(MUTED) ?? "[]");
    return Array.isArray(told) ? told : [];
  } catch {
    return [];
  }
}

function kindOf(entry) {
  if (entry.word.startsWith("cause_")) return "cause";
  return entry.word.startsWith("alert_") ? "alert" : "state";
}

class EventRow {
  constructor(mute) {
    this.time = el("time");
    this.message = el("span");
    this.mute = el("button", { type: "button", class: "quiet", on: { click: () => mute(this.entry) } }, TEXT.mute);
    this.node = el("li", {}, this.time, this.message, this.mute);
  }

  update(entry) {
    this.entry = entry;
    say(this.time, clock(entry.at));
    say(this.message, entry.message);
    this.node.dataset.kind = kindOf(entry);
    this.node.dataset.word = entry.word;
    this.node.dataset.severity = entry.severity;
    this.mute.setAttribute("aria-label", `${TEXT.mute}: ${entry.message}`);
  }
}

/** What fanwhy may not or cannot read on a host, and what would help. */
export class Hidden {
  constructor() {
    this.list = el("ul", { class: "plain hidden-parts" });
    this.node = el("section", { "aria-labelledby": "hidden" }, el("h2", { id: "hidden" }, TEXT.hidden),
      el("p", { class: "faint" }, TEXT.hiddenHelp), this.list);
    this.node.hidden = true;
  }

  show(told) {
    this.node.hidden = told.parts.length === 0;
    place(this.list, told.parts.map((part) => el("li", {},
      el("strong", {}, part.name), ` ${TEXT[part.state] ?? part.state}: ${part.reason}`,
      part.remedy ? el("span", { class: "remedy" }, part.remedy) : null)));
  }
}

/** The bill of a day, a week or a month, made when it is asked for. */
export class Report {
  #host = "";

  constructor() {
    this.period = el("div", { class: "choices", role: "group", "aria-label": TEXT.report },
      ...Object.entries(TEXT.periods).map(([value, text]) =>
        el("button", { type: "button", value, on: { click: () => this.load(value) } }, text)));
    this.body = el("div");
    this.node = el("section", { "aria-labelledby": "report", hidden: true },
      el("div", { class: "head" }, el("h2", { id: "report" }, TEXT.report), this.period), this.body);
  }

  open(host) {
    this.#host = host;
    this.load("day");
  }

  async load(period) {
    for (const button of this.period.children) {
      button.setAttribute("aria-pressed", String(button.value === period));
    }
    try {
      const bill = await ask(`${this.#host}/report`, { period });
      this.node.hidden = false;
      place(this.body, bill.known_minutes ? [...parts(bill)] : [el("p", { class: "faint" }, TEXT.noReport)]);
    } catch (error) {
      // Without an archive there is no bill, and nobody misses the heading.
      if (!this.node.hidden) place(this.body, [el("p", { class: "faint" }, TEXT.failed(error.message))]);
    }
  }
}

function* parts(bill) {
  yield el("p", { class: "faint" }, TEXT.knownFor(span(bill.known_minutes * 60)));
  const minutes = (count) => (count ? span(count * 60) : "");
  const culprits = bill.culprits.filter((each) =>
    each.loud_minutes + each.hot_minutes + each.busy_minutes + each.named_minutes >= 1);
  const columns = [
    [TEXT.loud, "loud_minutes"], [TEXT.hot, "hot_minutes"],
    [TEXT.busy, "busy_minutes"], [TEXT.named, "named_minutes"],
  ].filter(([, field]) => culprits.some((each) => each[field] >= 1));
  yield table([TEXT.name, ...columns.map(([title]) => title)], culprits.map((each) => [
    each.label === "unattributed" ? TEXT.unattributed : each.label,
    ...columns.map(([, field]) => minutes(Math.round(each[field]))),
  ]));
  if (bill.energy.length) {
    const priced = bill.energy.some((row) => row.money !== undefined);
    yield el("h3", {}, TEXT.energy);
    yield table([TEXT.name, TEXT.energy, ...(priced ? [TEXT.cost] : [])], bill.energy.map((row) => [
      row.label, `${row.kilowatt_hours.toFixed(3)} kWh`,
      ...(priced ? [`${(row.money ?? 0).toFixed(2)} ${bill.currency}`] : []),
    ]));
  }
  if (bill.loudest.length) {
    const ranked = Object.keys(MEASURED).find((name) => name in bill.loudest[0]);
    const amount = (each) => `${Math.round(each[ranked]).toLocaleString()} ${MEASURED[ranked][1]}`;
    yield el("h3", {}, TEXT.loudest[ranked]);
    yield el("ol", { class: "events" }, ...bill.loudest.map((each) => el("li", {},
      el("time", {}, clock(moment(each.time))), el("span", {}, each.headline),
      el("span", { class: "faint" }, amount(each)))));
  }
  for (const [title, names] of [[TEXT.newNames, bill.new], [TEXT.grewNames, bill.grew]]) {
    if (names.length) yield el("p", {}, el("strong", {}, `${title}: `), names.join(", "));
  }
}

function table(titles, rows) {
  return el("div", { class: "scroll", tabindex: "0" }, el("table", {},
    el("thead", {}, el("tr", {}, ...titles.map((title, index) =>
      el("th", { scope: "col", class: index ? "number" : null }, title)))),
    el("tbody", {}, ...rows.map((cells) => el("tr", {}, ...cells.map((cell, index) => index
      ? el("td", { class: "number" }, cell) : el("th", { scope: "row" }, cell)))))));
}
