// Elements from data. Everything that people or the bot wrote goes in as text, never as HTML.

export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "class") node.className = value;
    else if (key === "value") node.value = value;
    else if (key === "style") Object.assign(node.style, value);
    else if (value === true) node.setAttribute(key, "");
    else node.setAttribute(key, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// Line icons, 16 by 16; text beside them or a label on their button says what they are.
const ICONS = {
  lock: "M5 7V5a3 3 0 0 1 6 0v2M3.5 7h9v6.5h-9z",
  people: "M6 7.5a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6zM1.8 13c.2-2.4 2-3.6 4.2-3.6s4 1.2 4.2 3.6M10.5 3.2a2.2 2.2 0 0 1 0 4.2M11.8 9.7c1.5.4 2.3 1.5 2.4 3.3",
  file: "M4 1.8h5l3 3v9.4H4zM9 1.8v3h3",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.3 10.3l3.7 3.7",
  bolt: "M9 1.5 3.5 9H8l-1 5.5L12.5 7H8z",
  reply: "M2.5 3.5h11v7.5H8l-3 2.5V11H2.5z",
  more: "M3 8h.01M8 8h.01M13 8h.01",
  eye: "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM8 9.8a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6z",
  like: "M5 7v6.5H2.5V7zM5 7l2.8-5c1 0 1.7.8 1.5 1.8L8.8 6.5h4c.9 0 1.4.8 1.2 1.6l-1 4.1c-.2.8-.8 1.3-1.6 1.3H5",
  ticket: "M1.8 5V3.8h12.4V6a2 2 0 0 0 0 4v2.2H1.8V10a2 2 0 0 0 0-4zM10 4v8",
  home: "M2.5 7.5 8 2.5l5.5 5M4 6.5v7h8v-7",
  hash: "M6 2.5l-1.2 11M11.2 2.5 10 13.5M2.8 5.8h11M2.2 10.2h11",
  app: "M8 1.8 14.2 8 8 14.2 1.8 8z",
  list: "M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4h.01M2.5 8h.01M2.5 12h.01",
  close: "M4 4l8 8M12 4l-8 8",
};
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" })) svg.setAttribute(key, value);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

// Open an address from the bot in a new tab, if it is one of the web's.
export function visit(url) {
  if (/^(https?|mailto|tel):/i.test(url)) window.open(url, "_blank", "noopener");
}

export const nothing = () => h("p", { class: "empty" }, "Nothing has been said here yet. Type a command, for example: help");

export const byId = (id) => document.getElementById(id);

// Children of `parent` in the order of `items`; a node is kept when its item did not change, so that what someone is
// typing inside it stays.
export function keyed(parent, items, key, make) {
  const kept = parent.kept || new Map();
  const next = new Map();
  const nodes = items.map((item) => {
    const id = key(item);
    const said = JSON.stringify(item);
    const old = kept.get(id);
    const node = old && old.said === said ? old.node : make(item);
    next.set(id, { said, node });
    return node;
  });
  parent.kept = next;
  const same = nodes.length === parent.children.length && nodes.every((n, i) => n === parent.children[i]);
  if (!same) parent.replaceChildren(...nodes);
  return !same;
}

// The chosen one of a combobox's suggestions, for the eye and for a screen reader; -1 is none.
export function marked(field, list, active) {
  [...list.children].forEach((node, i) => {
    node.id = `${list.id}-${i}`;
    node.classList.toggle("active", i === active);
    node.setAttribute("aria-selected", i === active);
  });
  if (active < 0) field.removeAttribute("aria-activedescendant");
  else { field.setAttribute("aria-activedescendant", `${list.id}-${active}`); list.children[active].scrollIntoView({ block: "nearest" }); }
}

const HUES = [212, 28, 152, 336, 268, 190, 48, 8];

export function avatar(name, kind = "person") {
  const initials = name.split(/\s+/).map((word) => word[0]).slice(0, 2).join("").toUpperCase();
  const hue = HUES[[...name].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % HUES.length];
  const style = kind === "bot" ? {} : { background: `hsl(${hue} 55% 33%)` };
  return h("span", { class: `avatar ${kind}`, "aria-hidden": "true", style }, kind === "bot" ? icon("app") : initials);
}

export function time(seconds) {
  const at = new Date(seconds * 1000);
  const clock = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const today = new Date().toDateString() === at.toDateString();
  return h("time", { datetime: at.toISOString() }, today ? clock : `${at.toLocaleDateString([], { day: "numeric", month: "short" })}, ${clock}`);
}

// A menu under a button: arrows move, Escape, Tab and a click elsewhere close it.
export function menu(anchor, items) {
  closeMenus();
  const list = h("div", { class: "menu", role: "menu" });
  for (const item of items) {
    list.append(h("button", { role: "menuitem", class: item.danger ? "danger" : "", onclick: () => { closeMenus(); anchor.focus(); item.run(); } },
      item.name, item.hint ? h("small", {}, item.hint) : null));
  }
  (anchor.closest("dialog") || document.body).append(list); // a modal dialog covers whatever is outside of it
  const at = anchor.getBoundingClientRect();
  const left = Math.min(at.left, innerWidth - list.offsetWidth - 8);
  const below = at.bottom + list.offsetHeight + 8 < innerHeight;
  Object.assign(list.style, { left: `${Math.max(8, left)}px`, top: `${below ? at.bottom + 4 : at.top - list.offsetHeight - 4}px` });
  const entries = [...list.children];
  list.addEventListener("keydown", (event) => {
    const at = entries.indexOf(document.activeElement);
    if (event.key === "ArrowDown") entries[(at + 1) % entries.length].focus();
    else if (event.key === "ArrowUp") entries[(at - 1 + entries.length) % entries.length].focus();
    else if (["Escape", "Tab"].includes(event.key)) { closeMenus(); anchor.focus(); } else return;
    if (event.key !== "Tab") event.preventDefault(); // which goes on from the button
  });
  entries[0]?.focus();
  setTimeout(() => document.addEventListener("pointerdown", away), 0);
}

function away(event) {
  if (!event.target.closest?.(".menu")) closeMenus();
}

function closeMenus() {
  document.removeEventListener("pointerdown", away);
  document.querySelectorAll(".menu").forEach((node) => node.remove());
}

let hiding;
export function toast(text) {
  const node = byId("toast");
  node.textContent = text;
  node.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { node.hidden = true; }, 6000);
}
