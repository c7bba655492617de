// Several machines: the loudest first, one sentence each.

import { el, Keyed, place, say } from "./dom.js";
import { SILENT, STATES, TEXT } from "./texts.js";
import { about } from "./time.js";

/** In the order in which somebody should look: the worst, among equals the one that is heard. */
export function ordered(hosts) {
  return [...hosts].toSorted((one, other) =>
    one.rank - other.rank || (other.fan_rpm ?? 0) - (one.fan_rpm ?? 0) || one.name.localeCompare(other.name));
}

export class House {
  constructor() {
    this.list = el("ul", { class: "house" });
    this.cards = new Keyed(this.list, (host) => host.id, () => new Card());
    this.node = el("section", { "aria-label": TEXT.house }, this.list);
  }

  show(hosts, now) {
    const awake = hosts.filter((host) => !SILENT.includes(host.standing) && host.fan_rpm);
    const heard = awake.toSorted((one, other) => other.fan_rpm - one.fan_rpm)[0];
    const heardId = heard && heard.standing !== "quiet" ? heard.id : "";
    this.cards.show(hosts.map((host) => ({ ...host, now, loudest: host.id === heardId })));
  }
}

class Card {
  constructor() {
    this.name = el("a", { class: "card-name" });
    this.state = el("span", { class: "pill" });
    this.ear = el("span", { class: "ear" }, TEXT.youHear);
    this.sentence = el("p", { class: "card-sentence" });
    this.body = el("p", { class: "faint numbers" });
    this.node = el("li", { class: "card" },
      el("h2", {}, this.name), el("p", { class: "card-state" }, this.state, this.ear),
      this.sentence, this.body);
  }

  update(host) {
    say(this.name, host.name);
    this.name.setAttribute("href", `#${addressOf(host)}`);
    this.node.dataset.state = host.standing;
    const since = host.since === null || SILENT.includes(host.standing)
      ? "" : ` · ${about(host.now - host.since)}`;
    say(this.state, `${STATES[host.standing] ?? host.standing}${since}`);
    this.ear.hidden = !host.loudest;
    say(this.sentence, host.headline);
    const gone = SILENT.includes(host.standing);
    say(this.body, gone ? "" : host.body.map((cell) => cell.text).join("   "));
  }
}

/** What stands behind the # for a host: its id, which is the same whatever it calls itself. */
export function addressOf(host) {
  return host.id;
}

/** The way from one machine to another, in the page's head. */
export class Crumbs {
  constructor(node) {
    this.node = node;
    this.select = el("select", {
      "aria-label": TEXT.house, on: { change: () => (location.hash = this.select.value) },
    });
    this.told = "";
  }

  show(hosts, chosen) {
    this.node.hidden = hosts.length < 2;
    const told = JSON.stringify(hosts.map((host) => [host.id, host.name]));
    if (told !== this.told) {
      this.told = told;
      place(this.select, [el("option", { value: "" }, TEXT.house), ...[...hosts]
        .toSorted((one, other) => one.name.localeCompare(other.name))
        .map((host) => el("option", { value: addressOf(host) }, host.name))]);
      place(this.node, [this.select]);
    }
    this.select.value = chosen;
  }
}
