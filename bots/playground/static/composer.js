// The message box: Enter sends, Shift+Enter breaks the line, hints for commands under the arrow keys.
import { h, icon, marked } from "./dom.js";

export function composer({ id, placeholder, hints, send, extra = [] }) {
  const list = h("div", { class: "hints", role: "listbox", id: `${id}-hints`, hidden: true });
  const box = h("textarea", {
    id: `${id}-box`, class: "box", rows: 1, placeholder, "aria-label": placeholder, "aria-controls": `${id}-hints`, "aria-expanded": "false", role: "combobox", "aria-autocomplete": "list",
  });
  let shown = [];
  let active = -1;
  const close = () => { list.hidden = true; active = -1; box.setAttribute("aria-expanded", "false"); box.removeAttribute("aria-activedescendant"); };
  const pick = (hint) => { box.value = hint.text; close(); fit(); box.focus(); };
  const mark = () => marked(box, list, active);
  const suggest = (all = false) => {
    shown = all ? hints("") : hints(box.value);
    active = -1;
    list.replaceChildren(...shown.map((hint) => h("div", { role: "option", onpointerdown: (event) => { event.preventDefault(); pick(hint); } }, h("code", {}, hint.text), h("small", {}, hint.says))));
    list.hidden = !shown.length;
    box.setAttribute("aria-expanded", String(!list.hidden));
    mark();
  };
  const fit = () => { box.style.height = "auto"; box.style.height = `${Math.min(box.scrollHeight, 180)}px`; };
  const submit = async () => {
    const text = box.value.trim();
    if (!text) return;
    box.value = "";
    close();
    fit();
    const told = await send(text);
    if (told?.lost && !box.value) { box.value = text; fit(); }
  };
  box.addEventListener("input", () => { fit(); suggest(); });
  box.addEventListener("blur", close);
  box.addEventListener("keydown", (event) => {
    if (!list.hidden && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      active = (active + (event.key === "ArrowDown" ? 1 : -1) + shown.length) % shown.length;
      mark();
    } else if (!list.hidden && event.key === "Escape") close();
    else if (!list.hidden && (event.key === "Tab" || (event.key === "Enter" && active >= 0)) && shown.length) pick(shown[Math.max(active, 0)]);
    else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit();
    else return;
    event.preventDefault();
  });
  const node = h("form", { class: "compose-form", onsubmit: (event) => { event.preventDefault(); submit(); } }, list, box,
    h("div", { class: "compose-tools" }, extra,
      h("button", { type: "button", class: "quiet", onclick: () => { box.focus(); suggest(true); }, title: "Commands that can be typed" }, icon("list"), " Commands"),
      h("span", { class: "spring" }), h("button", { class: "send", "aria-label": "Send" }, "Send")));
  node.fill = (text) => { box.value = text; fit(); box.focus(); };
  return node;
}
