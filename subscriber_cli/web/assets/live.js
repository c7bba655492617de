// The stream of what happens, which comes back by itself: after the network, after sleep.

const SILENT_MS = 25_000; // the server speaks every ten seconds
const UNSEEN_MS = 15_000; // after which a page that nobody looks at lets its stream go
const ASK_MS = 30_000; // and asks so often instead
const KINDS = [
  "beat", "broker", "hosts", "host", "verdict", "panels", "values", "users", "hidden", "events",
];

export class Live {
  #source = null;
  #host = "";
  #heard = 0;
  #tries = 0;
  #timer = 0;
  #leaving = 0;
  #asking = 0;

  /** `take(kind, document)` gets what comes, `status(connected)` whether anything can. */
  constructor(take, status) {
    this.take = take;
    this.status = status;
    setInterval(() => this.#look(), 5000);
    document.addEventListener("visibilitychange", () => this.#seen());
    addEventListener("online", () => this.#soon(0));
    addEventListener("pageshow", (event) => event.persisted && this.#soon(0));
    addEventListener("pagehide", () => this.#close());
  }

  /** Listens to one host, by its id, or to all. */
  open(host) {
    this.#host = host;
    this.#connect();
  }

  #connect() {
    this.#close();
    const query = this.#host ? `?host=${encodeURIComponent(this.#host)}` : "";
    const source = new EventSource(`api/stream${query}`);
    this.#source = source;
    this.#heard = Date.now();
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => {
        this.#heard = Date.now();
        this.#tries = 0;
        this.status(true);
        this.take(kind, JSON.parse(event.data));
      });
    }
    source.onerror = () => {
      this.status(false);
      this.#close();
      this.#soon(Math.min(1000 * 2 ** this.#tries++, 15_000));
      this.#ask();
    };
  }

  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #soon(wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!document.hidden) this.#connect();
    }, wait);
  }

  /** What sleeps does not notice that a connection is gone. */
  #look() {
    if (this.#source && Date.now() - this.#heard > SILENT_MS) {
      this.status(false);
      this.#connect();
    }
  }

  #seen() {
    clearTimeout(this.#leaving);
    clearInterval(this.#asking);
    if (document.hidden) {
      this.#leaving = setTimeout(() => {
        this.#close();
        this.#asking = setInterval(() => this.#ask(), ASK_MS);
      }, UNSEEN_MS);
    } else if (!this.#source) {
      this.#connect();
    } else {
      this.#look();
    }
  }

  /** How it is, without a stream; also finds out whether we are let in at all. */
  async #ask() {
    try {
      const answer = await fetch("api/hosts", { cache: "no-cache" });
      if (answer.status === 401) location.assign("login");
      if (answer.ok && document.hidden) this.take("asked", await answer.json());
    } catch {
      // It is tried again anyway.
    }
  }
}

/** JSON from an address; throws an Error that says what is wrong. */
export async function ask(path, parameters = {}, options = {}) {
  const query = new URLSearchParams(parameters).toString();
  const answer = await fetch(`api/${path}${query ? `?${query}` : ""}`, options);
  if (answer.status === 401) location.assign("login");
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail ?? answer.statusText);
  return body;
}
