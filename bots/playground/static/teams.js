// The Teams side: messages, Adaptive Cards, dialogs, the message extension.
import { cardNode } from "./cards.js";
import { composer } from "./composer.js";
import { avatar, byId, h, icon, keyed, menu, nothing, time, toast } from "./dom.js";
import { anchor } from "./mrkdwn.js";

const box = {};
const refreshed = new Set();
let toasted = "";

export function draw(app) {
  const { state } = app;
  byId("thread").hidden = true;
  const threaded = state.messages.map((m) => ({ ...m, me: app.user }));
  keyed(byId("messages"), threaded, (m) => m.id, (m) => conversation(app, m));
  if (!threaded.length) byId("messages").replaceChildren(nothing());
  compose(app);
  dialog(app);
  if (state.toast && state.toast !== toasted) toast(state.toast);
  toasted = state.toast;
}

function conversation(app, m) {
  const here = app.state.rooms.find((room) => room.id === app.place);
  const main = post(app, m);
  if (here?.kind !== "channel") return main;
  const answer = h("button", { class: "replies", onclick: () => {
    const key = h("div", {}, composer({ id: `reply-${m.id}`, placeholder: "Reply…", hints: () => [], send: (text) => app.do("message", { text, thread: m.id, mention: addressed(app) }) }));
    answer.replaceWith(key);
    key.querySelector("textarea").focus();
  } }, "Reply");
  return h("div", { class: "conversation" }, main, h("div", { class: "thread" }, m.thread.map((reply) => post(app, reply))), answer);
}

function post(app, m) {
  const own = m.by === app.user;
  return h("article", { class: `message ${own ? "own" : ""} ${m.private ? "private" : ""} ${m.by === "bot" ? "bot" : ""}`, "data-id": m.id, tabindex: "-1", "aria-label": m.author },
    m.private ? h("div", { class: "only-you" }, icon("eye"), " Only visible to you") : null,
    avatar(m.author, m.by === "bot" ? "bot" : "person"),
    h("div", { class: "body" },
      h("div", { class: "byline" }, h("b", {}, m.author), m.by === "bot" ? h("span", { class: "tag" }, "App") : null, time(m.at), m.edited ? h("small", {}, "Edited") : null),
      m.text ? h("div", { class: "text" }, words(m.text, m.format)) : null,
      m.attachments.map((a) => attachment(app, m, a)),
      m.suggested.length ? h("div", { class: "block actions" }, m.suggested.map((s) => h("button", { class: "control", onclick: () => app.do("message", { text: s }) }, s))) : null,
      m.reactions.length ? h("div", { class: "reactions" }, m.reactions.map((r) => h("span", {}, `${{ like: "👍", heart: "❤️" }[r.name] || r.name} ${r.count}`))) : null),
    tools(app, m));
}

// Plain text, or the little markdown that messages know.
function words(text, format) {
  const bare = text.replace(/<at>(.*?)<\/at>/g, "@$1").replace(/<br\s*\/?>/g, "\n");
  const parts = format === "plain" ? [bare] : bare.split(/(\*\*[^*]+\*\*|\[[^\]]+\]\(https?:[^)\s]+\))/);
  return parts.flatMap((part) => {
    const link = part.match(/^\[([^\]]+)\]\((.*)\)$/);
    if (link) return [anchor(link[2], link[1])];
    if (part.startsWith("**")) return [h("b", {}, part.slice(2, -2))];
    return part.split("\n").flatMap((line, i) => (i ? [h("br"), mentions(line)] : [mentions(line)])).flat();
  });
}
const mentions = (line) => line.split(/(@CRM\b)/).map((part) => (part === "@CRM" ? h("span", { class: "mention" }, part) : part));

function attachment(app, m, a) {
  if (a.contentType === "application/vnd.microsoft.card.adaptive") {
    const node = cardNode(a.content, {
      execute: (action, data) => app.do("press", { message: m.id, action, data }),
      search: (dataset, typed) => search(app, dataset, typed),
    });
    const key = `${app.user} ${m.id} ${JSON.stringify(a.content.refresh)}`;
    if (a.content.refresh && !refreshed.has(key)) { refreshed.add(key); setTimeout(() => app.do("refresh", { message: m.id }), 0); }
    return h("div", { class: "card" }, node);
  }
  return h("div", { class: "card plain" }, preview(a));
}

// A thumbnail card, whose words are HTML in Teams.
function preview(a) {
  const c = a?.content || {};
  const url = c.images?.[0]?.url;
  const said = (html) => new DOMParser().parseFromString(html, "text/html").body.textContent;
  return [url ? h("img", { src: url, alt: c.images[0].alt || "" }) : null, c.title ? h("b", {}, said(c.title)) : null, c.subtitle ? h("div", {}, said(c.subtitle)) : null, c.text ? h("div", { class: "hint" }, said(c.text)) : null];
}

async function search(app, dataset, typed) {
  const told = await app.do("typeahead", { dataset, typed });
  return told.answer?.value?.results || [];
}

function tools(app, m) {
  const actions = app.page.teams.message_actions;
  return h("div", { class: "tools-row" },
    h("button", { "aria-label": "Like", title: "Like", onclick: () => app.do("react", { message: m.id, emoji: "like" }) }, icon("like")),
    h("button", { "aria-label": "More options for this message", title: "More", "aria-haspopup": "menu", onclick: (event) => menu(event.currentTarget, [
      ...actions.map((a) => ({ name: a.name, hint: "CRM", run: () => app.do("compose", { message: m.id, command: a.command }) })),
      ...(m.by === app.user ? [
        { name: "Edit", run: () => { const text = prompt("New text", m.text); if (text !== null) app.do("edit", { message: m.id, text }); } },
        { name: "Delete", danger: true, run: () => app.do("delete", { message: m.id }) }] : []),
    ]) }, icon("more")));
}

const addressed = () => byId("mention")?.checked ?? true;

function compose(app) {
  const slot = byId("composer");
  const key = `teams ${app.place} ${app.user}`;
  if (slot.key === key) return;
  slot.key = key;
  const here = app.state.rooms.find((room) => room.id === app.place);
  const searches = app.page.teams.searches;
  const node = composer({
    id: "main", placeholder: here?.kind === "personal" ? "Type a command, for example: lead list" : "Start a conversation",
    hints: (typed) => app.page.commands.map((c) => ({ text: c.text, says: c.says })).filter((c) => c.text.startsWith(typed) && c.text !== typed),
    send: (text) => { app.fresh = true; return /^https?:\S+$/.test(text) ? app.do("link", { url: text }) : app.do("message", { text, mention: addressed() }); },
    extra: [here?.kind === "personal" ? null : h("label", { class: "chip" }, h("input", { type: "checkbox", id: "mention", checked: true }), "@CRM"),
      searches.map((s) => h("button", { type: "button", class: "quiet", onclick: () => searchDialog(app, s) }, icon("search"), ` ${s.name}`))],
  });
  slot.replaceChildren(node);
  box.main = node;
}

export function fill(app, try_) {
  if (try_.type) box.main?.fill(try_.type.replace(/^@crm /, ""));
}

// The search extension: results as one types, a click inserts the card.
function searchDialog(app, search_) {
  const dialog = byId("dialog");
  const list = h("div", { class: "results", "aria-live": "polite" });
  const query = async (text) => {
    const told = await app.do("query", { command: search_.command, text });
    const found = told.answer?.composeExtension || {};
    if (found.type === "message") { list.replaceChildren(h("p", { class: "empty" }, found.text)); return; }
    const results = found.attachments || [];
    list.replaceChildren(...(results.length ? results.map((a, index) => h("button", { class: "result", type: "button", onclick: () => { shut(dialog); app.do("insert", { index }); } }, preview(a.preview || a))) : [h("p", { class: "empty" }, "Nothing found")]));
  };
  let pause;
  const field = h("input", { type: "search", placeholder: "Search the CRM", "aria-label": "Search the CRM", oninput: () => { clearTimeout(pause); pause = setTimeout(() => query(field.value.trim()), 250); } });
  Object.assign(dialog, { key: "search", owner: "search" });
  dialog.oncancel = () => shut(dialog);
  dialog.replaceChildren(h("form", { method: "dialog", onsubmit: (event) => event.preventDefault() },
    h("header", {}, avatar("CRM", "bot"), h("h2", { id: "dialog-title" }, search_.name), h("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: () => shut(dialog) }, icon("close"))),
    h("div", { class: "dialog-body" }, field, list)));
  dialog.showModal();
  field.focus();
  query("");
}

function shut(dialog) {
  Object.assign(dialog, { key: "", owner: "" });
  dialog.close();
}

function dialog(app) {
  const node = byId("dialog");
  const { dialog: open, draft } = app.state;
  if (node.owner === "search" && !open) return;
  if (!open && !draft) {
    if (node.owner) shut(node);
    return;
  }
  const key = JSON.stringify([open, draft]);
  if (node.key === key) return;
  Object.assign(node, { key, owner: "teams" });
  const close = () => app.do("close");
  node.oncancel = (event) => { event.preventDefault(); close(); };
  const body = open ? [
    open.problem ? h("p", { class: "alert error", role: "alert" }, open.problem) : null,
    open.message ? h("p", {}, open.message) : null,
    open.url ? h("p", {}, anchor(open.url, open.url)) : null,
    open.card ? cardNode(open.card, { execute: (action, data) => app.do("submit", { data }), search: (dataset, typed) => search(app, dataset, typed) }) : null,
  ] : [h("p", {}, "The bot will post this:"), draft.attachments.map((a) => h("div", { class: "card" }, cardNode(a.content, {}))),
    h("button", { class: "control primary", type: "button", onclick: () => app.do("send_preview") }, "Send")];
  node.replaceChildren(h("div", { class: "form" },
    h("header", {}, avatar("CRM", "bot"), h("h2", { id: "dialog-title" }, open?.title || "CRM"), h("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: close }, icon("close"))),
    h("div", { class: "dialog-body" }, body)));
  if (!node.open) node.showModal();
  node.querySelector(".dialog-body input, .dialog-body textarea, .dialog-body select")?.focus();
}
