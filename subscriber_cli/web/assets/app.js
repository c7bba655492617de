// Puts the parts together: which host is looked at, and what of it is shown.

import { el, place, say } from "./dom.js";
import { Events, Hidden, Report } from "./happenings.js";
import { Crumbs, House, ordered } from "./house.js";
import { ask, Live } from "./live.js";
import { Hero, Now } from "./now.js";
import { Users, Values } from "./tables.js";
import { TEXT } from "./texts.js";
import { Timeline } from "./timeline.js";

const FOLLOW_MS = 60_000;
const TICK_MS = 5000;

class App {
  hosts = new Map();
  order = [];
  wanted = "";
  shown = null; // the id of the host whose parts are on the page; "" for the house
  connected = false;
  broker = { connected: true, trouble: "" };
  ahead = 0; // seconds by which the server's clock is ahead of ours
  heard = null;
  frame = 0;

  constructor() {
    this.hero = new Hero(document.body.dataset.assets);
    this.view = document.querySelector(".view");
    this.link = document.querySelector(".link");
    this.crumbs = new Crumbs(document.querySelector(".crumbs"));
    this.house = new House();
    this.foot();
    this.live = new Live((kind, told) => this.take(kind, told), (is) => this.status(is));
    addEventListener("hashchange", () => this.choose());
    setInterval(() => this.draw(), TICK_MS);
    setInterval(() => this.parts?.timeline.follow(), FOLLOW_MS);
    say(this.link, TEXT.connecting);
    this.choose();
  }

  get now() {
    return Date.now() / 1000 + this.ahead;
  }

  /** The host that is looked at: the one that was asked for, or the only one. */
  get host() {
    const only = this.order.length === 1 ? this.order[0] : "";
    const wanted = this.wanted || only;
    return this.hosts.get(wanted) ?? [...this.hosts.values()].find((host) => host.name === wanted);
  }

  choose() {
    this.wanted = decodeURIComponent(location.hash.slice(1));
    this.listens = this.host?.id ?? this.wanted;
    this.live.open(this.listens);
    this.soon();
  }

  take(kind, told) {
    switch (kind) {
      case "beat":
        this.ahead = told.now - Date.now() / 1000;
        this.heard = told.heard;
        break;
      case "broker":
        this.broker = told;
        break;
      case "hosts":
        this.order = told.hosts;
        for (const id of this.hosts.keys()) if (!told.hosts.includes(id)) this.hosts.delete(id);
        break;
      case "host":
        this.hosts.set(told.id, told);
        break;
      case "asked":
        for (const each of told.hosts) {
          const known = this.hosts.get(each.id);
          if (known) Object.assign(known, { standing: each.state, headline: each.headline });
        }
        break;
      default:
        this.docs ??= new Map();
        if (kind === "values") this.fresh().values.take(told);
        else if (kind === "panels") this.fresh().values.order(told.leaves);
        else if (kind === "events") this.fresh().events.live(told);
        else this.docs.set(kind, told);
    }
    // The only host needs no choosing: its values are asked for at once.
    const host = this.host;
    if (host && host.id !== this.listens) this.choose();
    this.soon();
  }

  status(is) {
    this.connected = is;
    this.soon();
  }

  soon() {
    // A page that nobody sees is drawn all the same: its title is seen.
    if (document.hidden) this.draw();
    else if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  /** The parts about the host that is listened to, made anew where that is another. */
  fresh() {
    if (this.parts?.host !== this.listens) {
      const host = this.listens;
      this.docs = new Map();
      this.parts = {
        host, now: new Now(), timeline: new Timeline(), users: new Users(), values: new Values(),
        events: new Events(), hidden: new Hidden(), report: new Report(),
      };
      for (const part of ["timeline", "report"]) this.parts[part].open(host);
      this.parts.events.load(host);
    }
    return this.parts;
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.connection();
    const hosts = ordered(this.hosts.values());
    const host = this.host;
    this.crumbs.show(hosts, host && hosts.length > 1 ? host.id : "");
    if (host) this.one(host);
    else if (hosts.length) this.all(hosts);
    else if (this.connected) this.hero.nobody();
  }

  connection() {
    const broker = this.broker.connected ? "" : TEXT.noBroker(this.broker.trouble || this.broker.place);
    say(this.link, this.connected ? broker || TEXT.live : TEXT.reconnecting);
    this.link.dataset.is = this.connected && !broker ? "live" : "lost";
    document.documentElement.classList.toggle("lost", !this.connected || Boolean(broker));
  }

  one(host) {
    this.hero.show(host, this.heard, this.now);
    const parts = this.fresh();
    const verdict = this.docs.get("verdict");
    if (verdict) parts.now.show(verdict, host, this.now);
    if (this.docs.has("users")) parts.users.show(this.docs.get("users"));
    if (this.docs.has("hidden")) parts.hidden.show(this.docs.get("hidden"));
    parts.values.show(this.now);
    if (this.shown !== host.id) {
      this.shown = host.id;
      place(this.view, [parts.now, parts.timeline, parts.users, parts.events, parts.report,
        parts.values, parts.hidden].map((part) => part.node));
    }
    this.refresh.hidden = false;
  }

  all(hosts) {
    this.hero.house(hosts);
    this.house.show(hosts, this.now);
    if (this.shown !== "") {
      this.shown = "";
      place(this.view, [this.house.node]);
    }
    this.refresh.hidden = true;
  }

  foot() {
    this.refresh = el("button", { type: "button", class: "small", hidden: true, on: { click: () => this.again() } }, TEXT.refresh);
    const leave = el("form", { method: "post", action: "logout" }, el("button", { class: "small" }, TEXT.logout));
    place(document.querySelector(".foot"), [
      this.refresh, el("a", { href: "api" }, TEXT.addresses),
      document.body.dataset.password ? leave : null,
    ]);
  }

  async again() {
    try {
      await ask(`${this.host.id}/refresh`, {}, { method: "POST" });
      say(this.refresh, TEXT.refreshed);
    } catch (error) {
      say(this.refresh, error.message);
    }
    setTimeout(() => say(this.refresh, TEXT.refresh), 4000);
  }
}

new App();
