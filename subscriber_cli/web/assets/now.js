// The answer: the sentence, since when, who it is, what speaks for it.

import { bar, el, Keyed, place, say } from "./dom.js";
import { CATEGORIES, RESOURCES, SILENT, STATES, TEXT } from "./texts.js";
import { about, clock, span } from "./time.js";

const LONG = 70; // characters

/** The sentence of one host in the page's head, and in the window's title and icon. */
export class Hero {
  constructor(assets) {
    this.assets = assets;
    this.root = document.documentElement;
    this.section = document.querySelector(".hero");
    this.state = this.section.querySelector(".state");
    this.sentence = document.getElementById("sentence");
    this.note = this.section.querySelector(".note");
    this.icon = document.querySelector('link[rel="icon"]');
  }

  /** Shows a host; `heard` is when it said anything last. */
  show(host, heard, now) {
    const standing = host.standing;
    this.#dress(SILENT.includes(standing) ? "offline" : standing);
    const words = [STATES[standing] ?? standing];
    if (host.since !== null && !SILENT.includes(standing)) {
      words.push(TEXT.since(clock(host.since, now), about(now - host.since)));
    }
    if (host.quiet_at && host.quiet_at > now && !SILENT.includes(standing)) {
      words.push(TEXT.quietIn(span(host.quiet_at - now)));
    }
    say(this.state, words.join(" · "));
    const notes = [];
    if (standing === "offline") {
      say(this.sentence, TEXT.offline(host.name));
      if (host.headline) notes.push(TEXT.lastWord(host.headline));
    } else {
      say(this.sentence, host.headline || TEXT.notSaid(host.name));
    }
    if (standing === "stale" && heard) notes.push(TEXT.silent(span(now - heard)));
    this.#fit();
    say(this.note, notes.join(" "));
    this.#title(`${this.sentence.textContent} · ${host.name}`, standing);
  }

  /** Shows several hosts in one sentence: that of the loudest. */
  house(hosts) {
    const busy = hosts.filter((host) => !["quiet", "", ...SILENT].includes(host.standing));
    const first = hosts[0];
    this.#dress(busy.length ? first.standing : "quiet");
    say(this.state, TEXT.busyCount(busy.length, hosts.length));
    say(this.sentence, busy.length ? `${first.name}: ${first.headline}` : TEXT.allQuiet);
    this.#fit();
    say(this.note, "");
    this.#title(`${this.sentence.textContent} · fanwhy`, busy.length ? first.standing : "quiet");
  }

  /** Says that nobody has spoken yet. */
  nobody() {
    this.#dress("");
    say(this.state, "");
    say(this.sentence, TEXT.waiting);
    say(this.note, TEXT.waitingNote);
    this.#title("fanwhy", "");
  }

  /** A sentence of many words is set smaller, so that what follows stays in sight. */
  #fit() {
    this.sentence.classList.toggle("long", this.sentence.textContent.length > LONG);
  }

  #dress(state) {
    if (this.root.dataset.state !== state) this.root.dataset.state = state;
  }

  #title(text, standing) {
    if (document.title !== text) document.title = text;
    const known = standing in STATES && standing && standing !== "stale" ? standing : "unknown";
    const href = `${this.assets}/icons/${known}.svg`;
    if (this.icon.getAttribute("href") !== href) this.icon.setAttribute("href", href);
  }
}

/** Who it is, what was measured, who was cleared. */
export class Now {
  constructor() {
    this.list = el("ol", { class: "causes" });
    this.none = el("p", { class: "faint" }, TEXT.noCause);
    this.causes = new Keyed(this.list, (cause) => cause.name, () => new Cause());
    this.evidence = el("dl", { class: "evidence" });
    this.cells = new Keyed(this.evidence, (cell) => cell.name, () => new Measured());
    this.hint = el("p", { class: "hint" });
    this.clearedList = el("ul", { class: "plain" });
    this.cleared = el(
      "details", { class: "fold" }, el("summary", {}, TEXT.cleared), this.clearedList,
    );
    this.unnamed = el("p", { class: "faint" });
    this.node = el(
      "div", { class: "columns" },
      el("section", { "aria-labelledby": "causes" },
        el("h2", { id: "causes" }, TEXT.causes), this.none, this.list, this.unnamed),
      el("section", { "aria-labelledby": "measured" },
        el("h2", { id: "measured" }, TEXT.evidence), this.evidence, this.hint, this.cleared),
    );
  }

  show(verdict, host, now) {
    this.none.hidden = verdict.causes.length > 0;
    this.causes.show(verdict.causes.map((cause) => ({ ...cause, host: host.name, now })));
    this.cells.show(verdict.evidence);
    say(this.hint, verdict.hint);
    this.hint.hidden = !verdict.hint;
    const unnamed = Math.round(verdict.unattributed_percent ?? 0);
    say(this.unnamed, unnamed ? TEXT.unnamed(unnamed) : "");
    this.unnamed.hidden = !unnamed;
    this.cleared.hidden = verdict.cleared.length === 0;
    place(this.clearedList, verdict.cleared.map(
      (each) => el("li", {}, el("strong", {}, each.label), ` ${each.reason}`)));
  }
}

class Measured {
  constructor() {
    this.title = el("dt");
    this.value = el("dd");
    this.bar = bar(0);
    this.node = el("div", { class: "measured" }, this.title, this.value, this.bar.node);
  }

  update(cell) {
    say(this.title, cell.title);
    say(this.value, cell.text);
    this.bar.node.hidden = cell.share === undefined;
    this.bar.set(cell.share ?? 0);
  }
}

class Cause {
  constructor() {
    this.name = el("h3");
    this.amount = el("span");
    this.of = el("small");
    this.share = el("span", { class: "share" }, this.amount, this.of);
    this.bar = bar(0);
    this.facts = el("p", { class: "faint" });
    this.reason = el("p", { class: "reason" });
    this.values = el("dl", { class: "chips" });
    this.stop = new Command();
    this.stopHelp = el("p", { class: "faint" });
    this.own = new Lesson();
    this.node = el("li", { class: "cause" },
      el("div", { class: "cause-head" }, this.name, this.share), this.bar.node,
      this.facts, this.reason, this.values,
      el("div", { class: "folds" },
        el("details", { class: "fold" }, el("summary", {}, TEXT.whatToDo),
          this.stopHelp, this.stop.node),
        this.own.node));
  }

  update(cause) {
    say(this.name, cause.name);
    const share = cause.share_percent;
    const resource = RESOURCES[cause.resource] ?? cause.resource;
    say(this.amount, share === null ? "" : `${Math.round(share)} %`);
    say(this.of, ` ${resource}`);
    this.bar.node.hidden = share === null;
    this.bar.set((share ?? 0) / 100);
    this.node.classList.toggle("over", !cause.active);
    const facts = [
      CATEGORIES[cause.category] ?? cause.category,
      cause.on_behalf_of ? TEXT.forWhom(cause.on_behalf_of) : "",
      cause.since === null ? "" : TEXT.since(clock(cause.since, cause.now), about(cause.now - cause.since)),
      cause.active ? "" : TEXT.ended,
    ];
    say(this.facts, facts.filter(Boolean).join(" · "));
    say(this.reason, cause.reason);
    place(this.values, []);
    this.values.append(...cause.values.map(
      (cell) => el("div", {}, el("dt", {}, cell.title), el("dd", {}, cell.text))));
    say(this.stopHelp, cause.to_stop ? TEXT.onMachine(cause.host) : TEXT.nothingHarmless);
    this.stop.show(cause.to_stop);
    this.own.show(cause);
  }
}

/** A command to copy. */
class Command {
  constructor() {
    this.code = el("code");
    this.button = el("button", { type: "button", class: "small", on: { click: () => this.#copy() } }, TEXT.copy);
    this.node = el("p", { class: "command" }, this.code, this.button);
  }

  show(text) {
    say(this.code, text);
    this.node.hidden = !text;
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.code.textContent);
      say(this.button, TEXT.copied);
      setTimeout(() => say(this.button, TEXT.copy), 2000);
    } catch {
      // Not allowed without https: then it is at least chosen.
      getSelection().selectAllChildren(this.code);
    }
  }
}

/** A name of one's own for a cause, as the command that teaches it. */
class Lesson {
  constructor() {
    this.command = new Command();
    this.input = el("input", {
      type: "text", placeholder: TEXT.minePlaceholder, maxlength: "60", on: { input: () => this.#write() },
    });
    this.where = el("p", { class: "faint" });
    this.node = el("details", { class: "fold" }, el("summary", {}, TEXT.mine),
      el("p", {}, TEXT.mineHelp),
      el("label", { class: "field" }, el("span", {}, TEXT.mineLabel), this.input),
      this.where, this.command.node);
  }

  show(cause) {
    this.start = cause.teach;
    this.node.hidden = !cause.teach;
    say(this.where, TEXT.onMachine(cause.host));
    this.#write();
  }

  #write() {
    const name = this.input.value.trim() || TEXT.minePlaceholder;
    this.command.show(`${this.start} '${name.replaceAll("'", "'\\''")}'`);
  }
}
