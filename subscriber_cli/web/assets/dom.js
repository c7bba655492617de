// Makes elements. Text is only ever set as text, so that no name from outside becomes markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes; `on` holds listeners; children are elements or texts. */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for drawings. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (value === true) {
      node.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(name, value);
    }
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** Sets a text where it differs, so that nothing flickers and screen readers stay calm. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Has the children of a node be those that are given, and moves no more than it must. */
export function place(parent, nodes) {
  nodes = nodes.filter(Boolean);
  for (const child of [...parent.childNodes]) if (!nodes.includes(child)) child.remove();
  nodes.forEach((node, index) => {
    if (parent.childNodes[index] !== node) parent.insertBefore(node, parent.childNodes[index] ?? null);
  });
}

/**
 * A list whose items keep their elements, and with them what is open, typed or focused.
 * `make(item)` gives `{node, update(item)}`.
 */
export class Keyed {
  #known = new Map();

  constructor(parent, keyOf, make) {
    this.parent = parent;
    this.keyOf = keyOf;
    this.make = make;
  }

  show(items) {
    const known = new Map();
    const nodes = [];
    for (const item of items) {
      let key = this.keyOf(item);
      while (known.has(key)) key += "'";
      const part = this.#known.get(key) ?? this.make(item);
      part.update(item);
      known.set(key, part);
      nodes.push(part.node);
    }
    this.#known = known;
    place(this.parent, nodes);
  }
}

/** A bar from nothing to all; what it says stands beside it as text. */
export function bar(share) {
  const inner = el("span", { class: "bar-in" });
  const node = el("span", { class: "bar", "aria-hidden": "true" }, inner);
  const set = (value) => inner.style.setProperty("--share", Math.min(Math.max(value, 0), 1));
  set(share);
  return { node, set };
}
