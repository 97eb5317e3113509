// The Slack side: messages, threads, modals, the home tab.
import { blocks } from "./blockkit.js";
import { composer } from "./composer.js";
import { avatar, byId, h, icon, keyed, menu, nothing, time, toast } from "./dom.js";
import { anchor, emoji, mrkdwn } from "./mrkdwn.js";

const box = {};

export function draw(app) {
  const { state } = app;
  const log = byId("messages");
  if (app.place === "home") home(app, log);
  else {
    keyed(log, state.messages.map((m) => ({ ...m, names: undefined, where: app.place, me: app.user })), (m) => m.id, (m) => message(app, m));
    if (!state.messages.length) log.replaceChildren(nothing());
  }
  compose(app);
  thread(app);
  modal(app);
}

function context(app, where, view) {
  const { state } = app;
  return {
    names: state.names, people: state.people, rooms: state.rooms.filter((r) => r.kind !== "im"),
    values: view?.values, errors: view?.errors,
    filled: view && ((blockId, actionId, entry) => {
      (view.values[blockId] ||= {})[actionId] = entry;
      clearTimeout(view.pause);
      view.pause = setTimeout(() => app.do("fill", { view: view.id, values: view.values }), 400);
    }),
    act: (block, element, value) => app.do("click", { ...where(), block: block.block_id, action: element.action_id, value }),
    options: async (block, element, typed) => {
      const told = await app.do("suggest", { ...where(), block: block.block_id, action: element.action_id, typed });
      const answer = told.answer || {};
      return answer.options || (answer.option_groups || []).flatMap((g) => g.options);
    },
  };
}

function message(app, m, inThread = false) {
  const ctx = context(app, () => ({ message: m.id }));
  const body = m.blocks?.length ? blocks(m.blocks, ctx) : m.text ? [h("div", { class: "text" }, mrkdwn(m.text, app.state.names))] : [];
  return h("article", { class: `message ${m.private ? "private" : ""} ${m.by === "bot" ? "bot" : ""}`, "data-ts": m.id, tabindex: "-1", "aria-label": m.author },
    m.private ? h("div", { class: "only-you" }, icon("eye"), " Only visible to you") : null,
    avatar(m.author, m.by === "bot" ? "bot" : "person"),
    h("div", { class: "body" },
      h("div", { class: "byline" }, h("b", {}, m.author), m.by === "bot" ? h("span", { class: "tag" }, "APP") : null, time(m.at), m.edited ? h("small", {}, "(edited)") : null),
      body,
      (m.attachments || []).map((a) => attachment(a, ctx)),
      m.files.map((f) => h("details", { class: "file" }, h("summary", {}, icon("file"), ` ${f.name} `, h("small", {}, `${f.size} bytes`)), f.text ? h("pre", {}, f.text) : null)),
      m.reactions.length ? h("div", { class: "reactions" }, m.reactions.map((r) => h("span", {}, `${emoji(`:${r.name}:`)} ${r.count}`))) : null,
      m.replies && !inThread ? h("button", { class: "replies", onclick: () => app.go({ place: app.place, thread: m.id }) }, `${m.replies} ${m.replies === 1 ? "reply" : "replies"} ›`) : null),
    m.private || m.by === "slackbot" ? null : tools(app, m, inThread));
}

function attachment(a, ctx) {
  if (a.entity) {
    const { attributes, custom_fields: fields = [] } = a.entity.entity_payload;
    return h("div", { class: "attachment" }, h("b", {}, anchor(a.entity.url || a.from_url, attributes.title.text)),
      h("dl", { class: "facts" }, fields.map((f) => [h("dt", {}, f.label), h("dd", {}, String(f.value ?? ""))])));
  }
  return h("div", { class: "attachment" }, a.blocks ? blocks(a.blocks, ctx) : h("div", { class: "text" }, mrkdwn(a.text || a.fallback || "", ctx.names)));
}

function tools(app, m, inThread) {
  const { message_shortcuts: shortcuts } = app.page.slack;
  const items = (anchorNode) => [
    ...shortcuts.map((s) => ({ name: s.name, hint: "CRM", run: () => app.do("shortcut", { callback_id: s.callback_id, message: m.id }) })),
    ...(m.by === app.user ? [
      { name: "Edit message", run: () => { const text = prompt("New text", m.text); if (text !== null) app.do("edit", { message: m.id, text }); } },
      { name: "Delete message", danger: true, run: () => app.do("delete", { message: m.id }) }] : []),
  ];
  return h("div", { class: "tools-row" },
    h("button", { "aria-label": "React with eyes", title: "React with :eyes:", onclick: () => app.do("react", { message: m.id, emoji: "eyes" }) }, icon("eye")),
    h("button", { "aria-label": "React with a ticket", title: "React with :ticket:", onclick: () => app.do("react", { message: m.id, emoji: "ticket" }) }, icon("ticket")),
    inThread ? null : h("button", { "aria-label": "Reply in thread", title: "Reply in thread", onclick: () => app.go({ place: app.place, thread: m.id }) }, icon("reply")),
    h("button", { "aria-label": "More actions for this message", title: "More", "aria-haspopup": "menu", onclick: (event) => menu(event.currentTarget, items(event.currentTarget)) }, icon("more")));
}

function compose(app) {
  const slot = byId("composer");
  const key = `slack ${app.place} ${app.user}`;
  if (slot.key === key) return;
  slot.key = key;
  if (app.place === "home") { slot.replaceChildren(); return; }
  const { command, global_shortcuts: shortcuts } = app.page.slack;
  const node = composer({
    id: "main", placeholder: `Message ${byId("place-name").textContent || "the app"}, or type ${command}`,
    hints: (typed) => (typed === "" || `${command} `.startsWith(typed) || typed.startsWith(command) ? app.page.commands.map((c) => ({ text: `${command} ${c.text}`, says: c.says })).filter((c) => c.text.startsWith(typed) && c.text !== typed) : []),
    send: (text) => { app.fresh = true; return text.startsWith("/") ? ordered(app, text) : app.do("say", { text }); },
    extra: [h("button", { type: "button", class: "quiet", "aria-haspopup": "menu", onclick: (event) => menu(event.currentTarget, shortcuts.map((s) => ({ name: s.name, hint: "CRM shortcut", run: () => app.do("shortcut", { callback_id: s.callback_id }) }))) }, icon("bolt"), " Shortcuts")],
  });
  slot.replaceChildren(node);
  box.main = node;
}

// Slack itself refuses commands that no app has registered.
function ordered(app, text) {
  const [name] = text.split(/\s/, 1);
  if (app.page.slack.commands.includes(name)) return app.do("command", { text });
  toast(`${name} is not a valid command. Try ${app.page.slack.command} help`);
  return { lost: true };
}

export function fill(app, try_) {
  if (try_.place && app.place !== try_.place) { app.go({ place: try_.place }); return; }
  if (!try_.type) return;
  (try_.thread ? box.thread : box.main)?.fill(try_.type.startsWith("@") ? try_.type : `${app.page.slack.command} ${try_.type}`);
}

function thread(app) {
  const panel = byId("thread");
  panel.hidden = !app.thread || app.platform !== "slack";
  if (panel.hidden) { panel.key = ""; return; }
  const key = `${app.place} ${app.thread} ${app.user}`;
  if (panel.key !== key) {
    panel.key = key;
    const list = h("div", { class: "messages", role: "log", "aria-label": "Thread" });
    const { command, mention } = app.page.slack;
    box.thread = composer({
      id: "thread", placeholder: "Reply…",
      hints: (typed) => (`${mention} `.startsWith(typed) ? [{ text: `${mention} help`, says: "Slash commands do not work in threads; mentions do" }] : []),
      send: (text) => (text.startsWith(command) ? toast(`Slack has no slash commands in threads. Write ${mention} instead.`) : app.do("say", { text, thread: app.thread })),
    });
    panel.replaceChildren(h("header", {}, h("h2", {}, "Thread"), h("button", { class: "quiet", "aria-label": "Close the thread", onclick: () => app.go({ place: app.place }) }, icon("close"))), list, box.thread);
    panel.list = list;
  }
  if (keyed(panel.list, app.state.thread, (m) => m.id, (m) => message(app, m, true))) panel.list.scrollTop = panel.list.scrollHeight;
}

function home(app, log) {
  const view = app.state.home;
  const key = view ? `${view.id} ${view.hash} ${app.user}` : "";
  if (log.home === key && log.firstChild?.classList?.contains("home")) return;
  log.home = key;
  log.kept = null;
  const ctx = view && context(app, () => ({ view: view.id, values: view.values }), view);
  log.replaceChildren(h("div", { class: "home" }, view ? blocks(view.body.blocks, ctx) : h("p", { class: "empty" }, "The app has not published a home tab yet.")));
}

function modal(app) {
  const dialog = byId("dialog");
  const view = app.state.view;
  if (!view) {
    if (dialog.owner === "slack") { dialog.owner = dialog.key = ""; dialog.close(); }
    return;
  }
  const key = JSON.stringify([view.id, view.hash, view.errors, view.notice]);
  if (dialog.key === key) return;
  Object.assign(dialog, { key, owner: "slack" });
  const focused = dialog.contains(document.activeElement) ? document.activeElement.dataset.action : null;
  const ctx = context(app, () => ({ view: view.id, values: view.values }), view);
  const submit = async (event) => {
    event.preventDefault();
    clearTimeout(view.pause);
    const pressed = dialog.querySelector("footer .primary");
    pressed?.classList.add("busy");
    await app.do("submit", { view: view.id, values: view.values });
    pressed?.classList.remove("busy");
  };
  dialog.oncancel = (event) => { event.preventDefault(); app.do("close", { view: view.id }); };
  dialog.replaceChildren(h("form", { onsubmit: submit, novalidate: true },
    h("header", {}, avatar("CRM", "bot"), h("h2", { id: "dialog-title" }, emoji(view.body.title.text)), h("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: () => app.do("close", { view: view.id }) }, icon("close"))),
    h("div", { class: "dialog-body" }, view.notice ? h("p", { class: "alert error", role: "alert" }, view.notice) : null, blocks(view.body.blocks, ctx)),
    h("footer", {}, h("button", { type: "button", class: "control", onclick: () => app.do("close", { view: view.id }) }, view.body.close?.text || "Cancel"),
      view.body.submit ? h("button", { class: "control primary" }, view.body.submit.text) : null)));
  // a button inside a form submits it unless told otherwise
  dialog.querySelectorAll(".dialog-body button:not([type])").forEach((node) => { node.type = "button"; });
  if (!dialog.open) dialog.showModal();
  const wrong = dialog.querySelector("[aria-invalid]");
  (wrong || (focused && dialog.querySelector(`[data-action="${CSS.escape(focused)}"]`)) || dialog.querySelector(".dialog-body input, .dialog-body textarea, .dialog-body select"))?.focus();
}
