// What to try: a list that fills the message box.
import { byId, h } from "./dom.js";
import * as slack from "./slack.js";
import * as teams from "./teams.js";

export function guide(app) {
  const panel = byId("guide");
  const toggle = byId("guide-toggle");
  let open = innerWidth > 1100;
  // a thread takes the guide's place
  const draw = () => { panel.hidden = !open || Boolean(app.thread); toggle.setAttribute("aria-expanded", !panel.hidden); };
  const show = (wanted) => { open = wanted; draw(); };
  toggle.addEventListener("click", () => { const wanted = panel.hidden; if (app.thread) app.go({ place: app.place }); show(wanted); });
  draw();
  const use = async (entry) => {
    if (innerWidth <= 900) show(false); // there it lies over what it talks about
    const words = entry.message || entry.thread;
    if (words) {
      const room = app.state.rooms.find((r) => r.name === "support")?.id;
      await app.go({ place: room });
      if (entry.message) { point(words); return; }
      await app.go({ thread: app.state.messages.find((m) => m.text.includes(words))?.id || "" });
    }
    (app.platform === "slack" ? slack : teams).fill(app, entry);
  };
  const items = app.page.tries.map((entry) => h("li", { class: `on-${entry.on}` }, h("b", {}, entry.title), h("p", {}, entry.how),
    entry.type ? h("code", {}, entry.type) : null,
    entry.type || entry.place || entry.message ? h("button", { class: "control", onclick: () => use(entry) }, entry.message ? "Show me" : entry.place ? "Open" : "Type it for me") : null));
  panel.replaceChildren(h("header", {}, h("h2", {}, "What to try")), h("ol", {}, items),
    h("p", { class: "hint" }, "Every click here is a real signed Slack request or a real Bot Framework activity. Open “Wire” to watch them. Conversations last until the demo is stopped; what was saved in Dynamics 365 stays."));
  return draw;
}

function point(words) {
  const found = [...document.querySelectorAll("#messages .message")].find((node) => node.textContent.includes(words));
  if (!found) return;
  found.scrollIntoView({ block: "center" });
  found.classList.add("pointed");
  found.focus();
  setTimeout(() => found.classList.remove("pointed"), 3000);
}
