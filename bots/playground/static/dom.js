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

const HUES = [212, 28, 152, 336, 268, 190, 48, 8];

export function avatar(name, kind = "person") {
  const initials = name.split(/\s+/).map((word) => word[0]).slice(0, 2).join("").toUpperCase();
  const hue = HUES[[...name].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % HUES.length];
  const style = kind === "bot" ? {} : { background: `hsl(${hue} 55% 42%)` };
  return h("span", { class: `avatar ${kind}`, "aria-hidden": "true", style }, kind === "bot" ? "◆" : initials);
}

export function time(seconds) {
  const at = new Date(seconds * 1000);
  const clock = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const today = new Date().toDateString() === at.toDateString();
  return h("time", { datetime: at.toISOString() }, today ? clock : `${at.toLocaleDateString([], { day: "numeric", month: "short" })}, ${clock}`);
}

// A menu under a button: arrows move, Escape and a click elsewhere close it.
export function menu(anchor, items) {
  closeMenus();
  const list = h("div", { class: "menu", role: "menu" });
  for (const item of items) {
    list.append(h("button", { role: "menuitem", class: item.danger ? "danger" : "", onclick: () => { closeMenus(); item.run(); } },
      item.name, item.hint ? h("small", {}, item.hint) : null));
  }
  document.body.append(list);
  const at = anchor.getBoundingClientRect();
  const left = Math.min(at.left, innerWidth - list.offsetWidth - 8);
  const below = at.bottom + list.offsetHeight + 8 < innerHeight;
  Object.assign(list.style, { left: `${Math.max(8, left)}px`, top: `${below ? at.bottom + 4 : at.top - list.offsetHeight - 4}px` });
  const entries = [...list.children];
  list.addEventListener("keydown", (event) => {
    const at = entries.indexOf(document.activeElement);
    if (event.key === "ArrowDown") entries[(at + 1) % entries.length].focus();
    else if (event.key === "ArrowUp") entries[(at - 1 + entries.length) % entries.length].focus();
    else if (event.key === "Escape") { closeMenus(); anchor.focus(); } else return;
    event.preventDefault();
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
