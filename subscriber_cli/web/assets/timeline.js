// The last hours as one drawing: how it was, who it was, what was measured. It is moved and
// stretched like a map; a tap on a moment asks why then.

import { el, place, say, svg } from "./dom.js";
import { ask } from "./live.js";
import { GAPS, MEASURED, RESOURCES, STATES, TEXT } from "./texts.js";
import { clock, moment, span, stamp, tick } from "./time.js";

const HOUR = 3600;
const SHORTEST = 900; // seconds that the whole width stands for
const LONGEST = 31 * 86400;
const TAP = 6; // pixels that a finger may move and still mean a tap
const LANES = 8;
const ALERTS = 3; // that are told of one moment
const TONES = 6;
const STEPS = [60, 300, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 7 * 86400];
const [TOP, BAND, LANE, CURVE, GAP] = [26, 14, 30, 62, 14];
const LETTER = 6.7; // pixels, about

export class Timeline {
  #host = "";
  #told = null;
  #chosen = null;
  #hover = null;
  #asked = 0;
  #fetching = 0;
  #frame = 0;
  #fingers = new Map();
  #follows = true;
  #fitted = false;

  constructor() {
    this.end = Date.now() / 1000;
    this.begin = this.end - 24 * HOUR;
    this.drawing = svg("svg", {
      class: "chart", tabindex: "0", role: "slider", "aria-orientation": "horizontal",
    });
    this.choices = el("div", { class: "choices", role: "group", "aria-label": TEXT.timeline },
      ...Object.entries(TEXT.spans).map(([hours, text]) => el("button", {
        type: "button", value: hours, on: { click: () => this.#last(Number(hours) * HOUR) },
      }, text)));
    const step = (sign, text, name) => el("button", {
      type: "button", class: "small", "aria-label": name, title: name, on: { click: sign },
    }, text);
    this.tools = el("div", { class: "tools" },
      step(() => this.#move(-0.5), "←", TEXT.earlier), step(() => this.#move(0.5), "→", TEXT.later),
      step(() => this.#zoom(0.5), "+", TEXT.closer), step(() => this.#zoom(2), "−", TEXT.wider));
    this.help = el("p", { class: "faint" }, TEXT.tapHelp);
    this.answer = el("div", { class: "then", "aria-live": "polite" });
    this.list = el("tbody");
    this.asList = el("details", { class: "fold", on: { toggle: () => this.#listed() } },
      el("summary", {}, TEXT.asList),
      el("div", { class: "scroll", tabindex: "0" }, el("table", {},
        el("thead", {}, el("tr", {},
          el("th", { scope: "col" }, TEXT.when), el("th", { scope: "col" }, TEXT.what))), this.list)));
    this.node = el("section", { "aria-labelledby": "timeline" },
      el("div", { class: "head" }, el("h2", { id: "timeline" }, TEXT.timeline), this.choices),
      el("figure", { class: "figure" }, this.drawing),
      el("div", { class: "under" }, this.help, this.tools), this.answer, this.asList);
    this.#listen();
    this.#choices();
  }

  /** Shows a host's last day. */
  open(host) {
    this.#host = host;
    this.#told = null;
    this.#fitted = false;
    this.#last(24 * HOUR);
  }

  /** Goes on with the time, where the present is in sight. */
  follow() {
    if (this.#follows && !this.#fingers.size) {
      const length = this.end - this.begin;
      this.end = Date.now() / 1000;
      this.begin = this.end - length;
      this.#soon(0);
    }
  }

  // --- moving about ----------------------------------------------------------------------------

  #last(length) {
    this.#view(Date.now() / 1000 - length, Date.now() / 1000);
  }

  #move(share) {
    const by = (this.end - this.begin) * share;
    this.#view(this.begin + by, this.end + by);
  }

  #zoom(factor, at = (this.begin + this.end) / 2) {
    const length = Math.min(Math.max((this.end - this.begin) * factor, SHORTEST), LONGEST);
    const share = (at - this.begin) / (this.end - this.begin);
    this.#view(at - length * share, at + length * (1 - share));
  }

  #view(begin, end) {
    const now = Date.now() / 1000;
    const length = end - begin;
    this.end = Math.min(end, now);
    this.begin = this.end - length;
    this.#follows = now - this.end < 90;
    this.#choices();
    this.#draw();
    this.#soon(180);
  }

  #choices() {
    const hours = (this.end - this.begin) / HOUR;
    for (const button of this.choices.children) {
      const is = this.#follows && Math.abs(Number(button.value) - hours) < 0.02;
      button.setAttribute("aria-pressed", String(is));
    }
  }

  #listen() {
    const drawing = this.drawing;
    const at = (event) => {
      const box = drawing.getBoundingClientRect();
      return this.begin + ((event.clientX - box.left) / box.width) * (this.end - this.begin);
    };
    new ResizeObserver(() => this.#draw()).observe(drawing);
    drawing.addEventListener("pointerdown", (event) => {
      drawing.setPointerCapture(event.pointerId);
      this.#fingers.set(event.pointerId, { x: event.clientX, from: event.clientX, moved: false });
    });
    drawing.addEventListener("pointermove", (event) => {
      const finger = this.#fingers.get(event.pointerId);
      if (finger) this.#drag(finger, event);
      else if (event.pointerType === "mouse") {
        this.#hover = at(event);
        this.#draw();
      }
    });
    const lift = (event) => {
      const finger = this.#fingers.get(event.pointerId);
      this.#fingers.delete(event.pointerId);
      if (event.type === "pointerup" && finger && !finger.moved) this.why(at(event));
    };
    drawing.addEventListener("pointerup", lift);
    drawing.addEventListener("pointercancel", lift);
    drawing.addEventListener("pointerleave", () => {
      this.#hover = null;
      this.#draw();
    });
    drawing.addEventListener("wheel", (event) => {
      // Without a key the wheel moves the page, as everywhere; a pinch comes with ctrl.
      if (!event.ctrlKey && !event.metaKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
      event.preventDefault();
      if (event.ctrlKey || event.metaKey) this.#zoom(Math.exp(event.deltaY / 200), at(event));
      else this.#move(event.deltaX / drawing.clientWidth);
    }, { passive: false });
    drawing.addEventListener("keydown", (event) => this.#key(event));
  }

  #drag(finger, event) {
    const width = this.drawing.clientWidth;
    const seconds = (this.end - this.begin) / width;
    const others = [...this.#fingers.values()].filter((each) => each !== finger);
    if (Math.abs(event.clientX - finger.from) > TAP) finger.moved = true;
    if (others.length === 1) {
      const other = others[0];
      other.moved = finger.moved = true;
      const before = Math.max(Math.abs(finger.x - other.x), 10);
      const after = Math.max(Math.abs(event.clientX - other.x), 10);
      const box = this.drawing.getBoundingClientRect();
      this.#zoom(before / after, this.begin + (other.x - box.left) * seconds);
    } else if (finger.moved) {
      const by = (finger.x - event.clientX) * seconds;
      this.#view(this.begin + by, this.end + by);
    }
    finger.x = event.clientX;
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[event.key];
    if (step !== undefined) {
      const by = ((this.end - this.begin) / 100) * step;
      const from = this.#chosen ?? this.end;
      this.#chosen = Math.min(Math.max(from + by, this.begin), this.end);
      this.#draw();
    } else if (event.key === "Home" || event.key === "End") {
      this.#chosen = event.key === "Home" ? this.begin : this.end;
      this.#draw();
    } else if (event.key === "Enter" || event.key === " ") {
      this.why(this.#chosen ?? this.end);
    } else if (event.key === "+" || event.key === "-") {
      this.#zoom(event.key === "+" ? 0.5 : 2);
    } else {
      return;
    }
    event.preventDefault();
  }

  // --- asking ----------------------------------------------------------------------------------

  #soon(wait) {
    clearTimeout(this.#fetching);
    this.#fetching = setTimeout(() => this.#load(), wait);
  }

  async #load() {
    const host = this.#host;
    const number = ++this.#asked;
    const more = (this.end - this.begin) / 4; // on both sides, so that moving shows something
    const until = Math.min(this.end + more, Date.now() / 1000);
    try {
      const told = await ask(`${host}/history`, { since: stamp(this.begin - more), until: stamp(until) });
      if (number !== this.#asked) return;
      this.#told = read(told);
      this.#fit(moment(told.since));
      say(this.help, TEXT.tapHelp);
    } catch (error) {
      if (number !== this.#asked) return;
      say(this.help, TEXT.failed(error.message));
    }
    this.#draw();
    this.#listed();
  }

  /** Of a memory that has just begun a day would be an empty drawing. */
  #fit(since) {
    if (this.#fitted || since === null) return;
    this.#fitted = true;
    const known = Date.now() / 1000 - since;
    if (known < HOUR) this.#last(HOUR);
    else if (known < 3 * HOUR) this.#last(3 * HOUR);
    else if (known < 10 * HOUR) this.#last(12 * HOUR);
  }

  /** Asks why a moment was as it was, and shows it below the drawing. */
  async why(at) {
    this.#chosen = Math.min(at, Date.now() / 1000 - 1);
    this.#draw();
    const title = el("h3", {}, TEXT.whyThen(clock(this.#chosen)));
    place(this.answer, [title, el("p", { class: "faint" }, TEXT.asking)]);
    const chosen = this.#chosen;
    let parts = [];
    try {
      parts = answer(await ask(`${this.#host}/why`, { at: stamp(chosen) }));
    } catch (error) {
      parts = [el("p", { class: "faint" }, TEXT.failed(error.message))];
    }
    if (chosen === this.#chosen) place(this.answer, [title, ...parts]);
  }

  #listed() {
    if (!this.asList.open || !this.#told) return;
    const inside = (each) => each.end > this.begin && each.begin < this.end;
    const rows = [
      ...this.#told.states.map((each) => [each, `${STATES[each.state] ?? each.state}: ${each.headline ?? ""}`]),
      ...this.#told.causes.map((each) => [each, each.name]),
      ...this.#told.alerts.map((each) => [each, TEXT.alertWas(each.message ?? each.alert)]),
      ...this.#told.gaps.map((each) => [each, TEXT.notWatched(GAPS[each.reason] ?? "?")]),
    ];
    const shown = rows.filter(([each]) => inside(each)).toSorted(([one], [other]) => other.begin - one.begin);
    place(this.list, shown.slice(0, 300).map(([each, words]) => el("tr", {},
      el("th", { scope: "row" }, between(each)), el("td", {}, words))));
  }

  // --- drawing ---------------------------------------------------------------------------------

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#drawn());
  }

  #drawn() {
    const width = this.drawing.clientWidth;
    if (!width) return;
    const sheet = new Sheet(this.begin, this.end, width, this.#told);
    const marks = [];
    const covered = [];
    for (const [at, kind] of [[this.#hover, "hover"], [this.#chosen, "chosen"]]) {
      if (at === null || at < this.begin || at > this.end) continue;
      const x = sheet.x(at);
      marks.push(svg("line", { class: kind, x1: x, x2: x, y1: 18, y2: sheet.height }));
      const words = clock(at);
      const half = (words.length * LETTER) / 2;
      const middle = Math.min(Math.max(x, half), width - half);
      covered.push([middle - half - 20, middle + half + 20]);
      marks.push(svg("text", { class: `mark ${kind}`, x: middle, y: 13, "text-anchor": "middle" }, words));
    }
    const hidden = (part) => part.matches("text.hour") &&
      covered.some(([from, to]) => part.getAttribute("x") > from && part.getAttribute("x") < to);
    this.drawing.setAttribute("viewBox", `0 0 ${width} ${sheet.height}`);
    this.drawing.setAttribute("height", sheet.height);
    const at = this.#chosen ?? this.end;
    this.drawing.setAttribute("aria-label", TEXT.chartLabel(clock(this.begin), clock(this.end)));
    this.drawing.setAttribute("aria-valuemin", Math.round(this.begin));
    this.drawing.setAttribute("aria-valuemax", Math.round(this.end));
    this.drawing.setAttribute("aria-valuenow", Math.round(Math.min(Math.max(at, this.begin), this.end)));
    this.drawing.setAttribute("aria-valuetext", clock(at));
    place(this.drawing, [...sheet.parts.filter((part) => !hidden(part)), ...marks]);
  }
}

/** Places what is known below each other, from the top. */
class Sheet {
  constructor(begin, end, width, told) {
    Object.assign(this, { begin, end, width });
    this.y = TOP;
    const body = told ? [...this.#states(told), ...this.#causes(told), ...this.#curves(told)] : [];
    this.height = Math.max(this.y, 160);
    this.parts = [...this.#gaps(told?.gaps ?? []), ...this.#hours(), ...body];
  }

  x(at) {
    const share = (at - this.begin) / (this.end - this.begin);
    return Math.round(Math.min(Math.max(share, -0.1), 1.1) * this.width * 10) / 10;
  }

  *#hours() {
    const most = Math.max(this.width / 84, 2);
    const step = STEPS.find((each) => (this.end - this.begin) / each <= most) ?? 7 * 86400;
    const offset = new Date(this.begin * 1000).getTimezoneOffset() * 60;
    for (let at = Math.ceil((this.begin - offset) / step) * step + offset; at < this.end; at += step) {
      const x = this.x(at);
      yield svg("line", { class: "hour", x1: x, x2: x, y1: 20, y2: this.height });
      if (x > 18 && x < this.width - 18) {
        yield svg("text", { class: "hour", x, y: 13, "text-anchor": "middle" }, tick(at, step));
      }
    }
  }

  *#gaps(gaps) {
    for (const gap of this.#inside(gaps)) {
      yield this.#span(gap, { class: "gap", y: 20, height: this.height - 20 },
        TEXT.notWatched(GAPS[gap.reason] ?? "?"));
    }
  }

  *#states(told) {
    for (const state of this.#inside(told.states)) {
      yield this.#span(state, { class: `state ${state.state in STATES ? state.state : ""}`, y: this.y, height: BAND },
        `${between(state)}: ${state.headline ?? ""}`);
    }
    for (const alert of this.#inside(told.alerts)) {
      const x = this.x(Math.max(alert.begin, this.begin));
      yield svg("path", { class: "alert", d: `M${x} ${this.y + BAND + 2}l-5 8h10z` },
        svg("title", {}, TEXT.alertWas(alert.message ?? alert.alert)));
    }
    this.y += BAND + GAP;
  }

  *#causes(told) {
    const lanes = new Map();
    for (const cause of this.#inside(told.causes)) {
      const lane = lanes.get(cause.name) ?? { name: cause.name, length: 0, causes: [] };
      lane.causes.push(cause);
      lane.length += Math.min(cause.end, this.end) - Math.max(cause.begin, this.begin);
      lanes.set(cause.name, lane);
    }
    const longest = [...lanes.values()].toSorted((one, other) => other.length - one.length);
    for (const lane of longest.slice(0, LANES)) {
      const tone = toneOf(lane.name);
      const first = Math.min(...lane.causes.map((cause) => cause.begin));
      const label = cut(lane.name, this.width);
      const room = this.width - label.length * LETTER;
      const x = Math.max(Math.min(this.x(Math.max(first, this.begin)), room), 0);
      yield svg("text", { class: "cause", x, y: this.y + 11 }, label);
      for (const cause of lane.causes) {
        const strength = 0.4 + 0.6 * Math.min((cause.share_percent ?? 50) / 100, 1);
        yield this.#span(cause, {
          class: `cause tone${tone}`, y: this.y + 15, height: 8, rx: 2, opacity: strength.toFixed(2),
        }, `${cause.name}, ${between(cause)}`);
      }
      this.y += LANE;
    }
    if (longest.length > LANES) {
      yield svg("text", { class: "more", x: 0, y: this.y + 10 }, TEXT.others(longest.length - LANES));
      this.y += GAP + 4;
    }
    this.y += longest.length ? GAP / 2 : 0;
  }

  *#curves(told) {
    for (const [name, [title, unit]] of Object.entries(MEASURED)) {
      const points = (told.curves[name] ?? []).filter(([begin, end]) => end > this.begin && begin < this.end);
      if (!points.length) continue;
      const values = points.map(([, , value]) => value);
      const [low, high] = [Math.min(...values), Math.max(...values)];
      const [bottom, top] = unit === "%" ? [0, 100] : [low - (high - low) * 0.1, high];
      const floor = this.y + CURVE;
      const scale = (CURVE - 20) / Math.max(top - bottom, 1e-9);
      let path = "";
      let last = -Infinity;
      for (const [begin, end, value] of points) {
        const y = (floor - (value - bottom) * scale).toFixed(1);
        path += `${begin - last < 1 ? "L" : "M"}${this.x(begin)} ${y}H${this.x(end)}`;
        last = end;
      }
      const words = (value) => Math.round(value).toLocaleString();
      const extent = low === high ? `${words(low)} ${unit}` : `${words(low)} to ${words(high)} ${unit}`;
      yield svg("text", { class: "title", x: 0, y: this.y + 11 }, title);
      yield svg("text", { class: "extent", x: this.width, y: this.y + 11, "text-anchor": "end" }, extent);
      yield svg("line", { class: "floor", x1: 0, x2: this.width, y1: floor + 0.5, y2: floor + 0.5 });
      yield svg("path", { class: "curve", d: path });
      this.y = floor + GAP;
    }
  }

  #inside(entries) {
    return entries.filter((each) => each.end > this.begin && each.begin < this.end);
  }

  #span(entry, attributes, title) {
    const x = this.x(Math.max(entry.begin, this.begin));
    const width = Math.max(this.x(Math.min(entry.end, this.end)) - x, 1.5);
    return svg("rect", { x, width, ...attributes }, svg("title", {}, title));
  }
}

/** What the server told, with moments instead of words. */
function read(told) {
  const until = moment(told.to);
  const spans = (entries = []) => entries.map((each) => ({
    ...each, begin: moment(each.began) ?? until, end: moment(each.ended) ?? until, open: !each.ended,
  }));
  const causes = spans(told.causes).map((cause) => ({ ...cause, name: nameOf(cause) }));
  const curves = {};
  for (const series of told.series ?? []) {
    const began = moment(series.began);
    const step = series.step_seconds;
    if (began === null || !(step >= 1)) continue;
    for (const name of Object.keys(MEASURED)) {
      (series[name] ?? []).forEach((value, index) => {
        (curves[name] ??= []).push([began + index * step, began + (index + 1) * step, value]);
      });
    }
  }
  return { causes, states: spans(told.states), alerts: spans(told.alerts), gaps: spans(told.gaps), curves };
}

/** The verdict of a moment. */
function answer(told) {
  if (!told.recorded) return [el("p", {}, told.reason ?? TEXT.nothingThen)];
  const state = told.state ?? "";
  const measured = Object.entries(MEASURED)
    .filter(([name]) => told.measured[name] !== undefined)
    .map(([name, [title, unit]]) => el("div", {},
      el("dt", {}, title), el("dd", {}, `${Math.round(told.measured[name]).toLocaleString()} ${unit}`)));
  return [
    el("p", { class: "sentence", "data-state": state }, told.headline ?? "?"),
    el("p", { class: "faint" }, [STATES[state] ?? state, told.began ? between({
      begin: moment(told.began), end: moment(told.ended), open: !told.ended,
    }) : ""].filter(Boolean).join(" · ")),
    told.causes.length ? el("ul", { class: "plain" }, ...told.causes.map((cause) => el("li", {},
      el("strong", {}, nameOf(cause)),
      cause.share_percent === undefined ? "" : ` ${Math.round(cause.share_percent)} % ${RESOURCES[cause.resource] ?? cause.resource ?? ""}`,
      cause.on_behalf_of ? ` · ${TEXT.forWhom(cause.on_behalf_of)}` : "",
      ` · ${between({ begin: moment(cause.began), end: moment(cause.ended), open: !cause.ended })}`))) : null,
    measured.length ? el("dl", { class: "chips" }, ...measured) : null,
    ...[...new Set(told.alerts.map((alert) => alert.message ?? alert.alert))].slice(0, ALERTS)
      .map((message) => el("p", {}, TEXT.alertWas(message))),
  ].filter(Boolean);
}

function nameOf(cause) {
  const [label, group] = [cause.label ?? "", cause.group ?? ""];
  if (!label || label.toLowerCase().includes(group.toLowerCase())) return label || group || "?";
  return label.endsWith(")") ? `${label.slice(0, -1)}, ${group})` : `${label} (${group})`;
}

function between({ begin, end, open }) {
  if (begin === null) return "";
  if (open) return TEXT.lasting(clock(begin));
  const [from, to] = [clock(begin), clock(end)];
  return from === to ? from : `${TEXT.until(from, to)} (${span(end - begin)})`;
}

function toneOf(name) {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 9973;
  return sum % TONES;
}

function cut(text, width) {
  const most = Math.max(Math.floor(width / LETTER) - 1, 8);
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
