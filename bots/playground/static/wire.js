// The drawer with the last real requests and answers.
import { byId, h, time } from "./dom.js";

let seen = 0;
let open = false;

export const wire = {
  start() {
    const drawer = byId("wire");
    const toggle = byId("wire-toggle");
    toggle.addEventListener("click", () => {
      open = !open;
      drawer.hidden = !open;
      toggle.setAttribute("aria-expanded", open);
      if (open) load();
    });
    drawer.replaceChildren(h("ol", { id: "wire-list" }));
  },
  anew() {
    seen = 0;
    byId("wire-list").replaceChildren();
  },
  counted(count) {
    byId("wire-count").textContent = count || "";
    if (open && count > seen) load();
  },
};

async function load() {
  const { exchanges } = await (await fetch(`/playground/wire?after=${seen}`)).json();
  const list = byId("wire-list");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  for (const exchange of exchanges) {
    if (exchange.n <= seen) continue;
    seen = exchange.n;
    const good = exchange.status >= 200 && exchange.status < 300 && exchange.answer?.ok !== false;
    const fromBot = exchange.direction.startsWith("bot");
    const line = h("li", {}, h("details", {},
      h("summary", {}, time(exchange.at), h("span", { class: `way ${fromBot ? "out" : "in"}` }, exchange.direction), h("b", {}, exchange.label),
        h("span", { class: good ? "good" : "bad" }, exchange.status || "no answer", exchange.answer?.ok === false ? ` ${exchange.answer.error}` : ""), h("small", {}, `${exchange.ms} ms`)),
      h("div", { class: "pair" }, h("div", {}, h("h3", {}, "Request"), h("pre", {}, pretty(exchange.request))), h("div", {}, h("h3", {}, "Answer"), h("pre", {}, pretty(exchange.answer))))));
    line.at = exchange.at;
    // recorded when it ends, shown where it began: before what the bot asked in between
    const before = [...list.children].findLast((other) => other.at <= exchange.at);
    if (before) before.after(line); else list.prepend(line);
  }
  while (list.children.length > 300) list.firstChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2) ?? "");
