// Block Kit as elements. `ctx` says where the blocks are: names, options(), act(), filled(), values, people, rooms.
import { h, icon, marked, menu, visit } from "./dom.js";
import { emoji, mrkdwn, richText, textObject } from "./mrkdwn.js";

export function blocks(list, ctx) {
  return (list || []).map((block) => h("div", { class: `block ${block.type}`, "data-block": block.block_id }, one(block, ctx)));
}

function one(block, ctx) {
  const names = ctx.names;
  const control = (element) => element && element_(element, block, ctx);
  switch (block.type) {
    case "header": return h("h3", {}, textObject(block.text, names));
    case "divider": return h("hr");
    case "section": return [
      h("div", { class: "section-body" },
        block.text ? h("div", { class: "text" }, textObject(block.text, names)) : null,
        block.fields ? h("div", { class: "fields" }, block.fields.map((field) => h("div", { class: "text" }, textObject(field, names)))) : null),
      block.accessory ? h("div", { class: "accessory" }, control(block.accessory)) : null];
    case "context": return block.elements.map((part) => (part.type === "image" ? image(part) : h("span", {}, textObject(part, names))));
    case "actions": return block.elements.map(control);
    case "image": return h("figure", {}, block.title ? h("figcaption", {}, textObject(block.title)) : null, image(block));
    case "rich_text": return richText(block, names);
    case "markdown": return h("div", { class: "text" }, mrkdwn(block.text.replace(/\*\*(.+?)\*\*/g, "*$1*").replace(/^#+\s*(.+)$/gm, "*$1*"), names));
    case "alert": return h("div", { class: `alert ${block.level || "default"}` }, textObject(block.text, names));
    case "table": return h("table", {}, h("tbody", {}, block.rows.map((row, index) =>
      h("tr", {}, row.map((cell) => h(index ? "td" : "th", {}, cell.type === "rich_text" ? richText(cell, names) : emoji(String(cell.text ?? cell.value ?? ""))))))));
    case "input": return input(block, ctx);
    default: return h("em", {}, `(a ${block.type} block)`);
  }
}

let group = 0;
const image = (part) => h("img", { src: part.image_url || "", alt: part.alt_text, title: part.alt_text, loading: "lazy" });

function input(block, ctx) {
  const error = ctx.errors?.[block.block_id];
  const control = element_(block.element, block, ctx);
  const field = control.matches?.("input,textarea,select") ? control : control.querySelector?.("input,textarea,select");
  const id = `field-${group++}`;
  const described = [error && `${id}-error`, block.hint && `${id}-hint`].filter(Boolean).join(" ");
  const choosing = control.matches?.(".choices");
  const named = choosing ? control : field;
  if (error && field) field.setAttribute("aria-invalid", "true");
  if (described) named?.setAttribute("aria-describedby", described);
  if (choosing) control.setAttribute("aria-labelledby", `${id}-label`);
  else if (field) field.id = id;
  return h("div", { class: `field ${error ? "wrong" : ""}` },
    h(choosing ? "span" : "label", { class: "label", id: `${id}-label`, for: choosing ? null : id }, textObject(block.label), block.optional ? h("small", {}, " (optional)") : null),
    control,
    error ? h("span", { class: "error", id: `${id}-error`, role: "alert" }, error) : null,
    block.hint ? h("span", { class: "hint", id: `${id}-hint` }, textObject(block.hint)) : null);
}

const KEYS = {
  plain_text_input: "value", number_input: "value", email_text_input: "value", url_text_input: "value",
  datepicker: "selected_date", timepicker: "selected_time", datetimepicker: "selected_date_time",
  static_select: "selected_option", external_select: "selected_option", radio_buttons: "selected_option",
  checkboxes: "selected_options", multi_static_select: "selected_options", multi_external_select: "selected_options",
  users_select: "selected_user", conversations_select: "selected_conversation", channels_select: "selected_channel",
  multi_users_select: "selected_users", multi_conversations_select: "selected_conversations", multi_channels_select: "selected_channels",
};

function element_(element, block, ctx) {
  const typed = ctx.values?.[block.block_id]?.[element.action_id];
  const key = KEYS[element.type];
  const initial = key && (typed?.[key] ?? element[key.replace("selected_", "initial_").replace(/^value$/, "initial_value")]);
  const isInput = block.type === "input";
  // what a change means: remembered in a view; sent at once unless it is a form's input
  const changed = async (value) => {
    ctx.filled?.(block.block_id, element.action_id, { type: element.type, [key]: value });
    if (!isInput || (block.dispatch_action && !element.type.endsWith("_input"))) {
      if (await confirmed(element, ctx)) ctx.act(block, element, value);
    }
  };
  const attrs = { "data-action": element.action_id, "aria-label": isInput ? null : element.placeholder?.text };
  const placeholder = element.placeholder?.text || "";
  switch (element.type) {
    case "image": return image(element);
    case "button": case "workflow_button": return button(element, block, ctx);
    case "overflow": return h("button", {
      class: "control", "data-action": element.action_id, "aria-label": "More actions", "aria-haspopup": "menu",
      onclick: (event) => menu(event.currentTarget, element.options.map((option) => ({
        name: emoji(option.text.text), hint: option.description?.text,
        run: async () => { if (await confirmed(element, ctx)) ctx.act(block, element, option.value); },
      }))),
    }, icon("more"));
    case "plain_text_input": {
      const node = h(element.multiline ? "textarea" : "input", {
        ...attrs, placeholder, maxlength: element.max_length || 3000, autofocus: element.focus_on_load, rows: element.multiline ? 4 : null,
        oninput: (event) => changed(event.target.value || null),
      });
      node.value = initial || "";
      return dispatching(node, element, block, ctx);
    }
    case "number_input": case "email_text_input": case "url_text_input": return dispatching(h("input", {
      ...attrs, placeholder, value: initial || "", autofocus: element.focus_on_load,
      type: { number_input: "text", email_text_input: "email", url_text_input: "url" }[element.type],
      inputmode: element.type === "number_input" ? "decimal" : null,
      oninput: (event) => changed(event.target.value || null),
    }), element, block, ctx);
    case "datepicker": return h("input", { ...attrs, type: "date", value: initial || "", onchange: (event) => changed(event.target.value || null) });
    case "timepicker": return h("input", { ...attrs, type: "time", value: initial || "", onchange: (event) => changed(event.target.value || null) });
    case "datetimepicker": return h("input", { ...attrs, type: "datetime-local", value: initial ? local(initial) : "", onchange: (event) => changed(Math.floor(new Date(event.target.value) / 1000)) });
    case "static_select": return select(element, attrs, initial ? [initial.value] : [], placeholder, (options) => changed(options[0] || null));
    case "multi_static_select": return many(options(element), initial || [], changed, attrs);
    case "users_select": return select(fixed(ctx.people), attrs, initial ? [initial] : [], placeholder, (o) => changed(o[0]?.value || null));
    case "conversations_select": case "channels_select":
      return select(fixed(ctx.rooms), attrs, initial ? [initial] : [], placeholder, (o) => changed(o[0]?.value || null));
    case "multi_users_select": return many(fixed(ctx.people).options, (initial || []).map((v) => ({ value: v })), (o) => changed(o.map((x) => x.value)), attrs);
    case "multi_conversations_select": case "multi_channels_select":
      return many(fixed(ctx.rooms).options, (initial || []).map((v) => ({ value: v })), (o) => changed(o.map((x) => x.value)), attrs);
    case "checkboxes": return many(element.options, initial || [], changed, attrs);
    case "radio_buttons": return choices("radio", element.options, initial ? [initial.value] : [], (o) => changed(o[0]), attrs);
    case "external_select": return combobox(element, attrs, initial, (typedText) => ctx.options(block, element, typedText), changed);
    case "multi_external_select": return multiCombobox(element, attrs, initial || [], (typedText) => ctx.options(block, element, typedText), changed);
    default: return h("em", {}, `(${element.type})`);
  }
}

function dispatching(node, element, block, ctx) {
  if (block.dispatch_action) {
    node.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); ctx.act(block, element, node.value); }
    });
  }
  return node;
}

function button(element, block, ctx) {
  const press = async (event) => {
    const node = event.currentTarget;
    if (!(await confirmed(element, ctx))) return;
    if (element.url) visit(element.url);
    node.classList.add("busy");
    node.disabled = true;
    await ctx.act(block, element, element.value ?? null);
    node.classList.remove("busy");
    node.disabled = false;
  };
  return h("button", { class: `control ${element.style || ""}`, "data-action": element.action_id, "aria-label": element.accessibility_label, onclick: press }, emoji(element.text.text));
}

// The element's confirmation dialog; true when there is none or the person agreed.
function confirmed(element, ctx) {
  if (!element.confirm) return Promise.resolve(true);
  const { title, text, confirm, deny, style } = element.confirm;
  const dialog = document.getElementById("confirm");
  return new Promise((resolve) => {
    dialog.replaceChildren(h("form", { method: "dialog" },
      h("h2", { id: "confirm-title" }, title?.text || "Are you sure?"), h("div", { class: "dialog-body" }, textObject(text, ctx.names)),
      h("footer", {}, h("button", { class: "control", value: "no" }, deny?.text || "Cancel"),
        h("button", { class: `control ${style === "danger" ? "danger" : "primary"}`, value: "yes" }, confirm?.text || "Yes"))));
    dialog.returnValue = "";
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
    dialog.showModal();
  });
}

const options = (element) => element.options || (element.option_groups || []).flatMap((group) => group.options);
const fixed = (list) => ({ options: list.map((item) => ({ text: { text: item.name }, value: item.id })) });

function select(element, attrs, chosen, placeholder, changed) {
  const option = (o) => h("option", { value: o.value, selected: chosen.includes(o.value) }, emoji(o.text.text));
  const node = h("select", { ...attrs, onchange: () => changed(options(element).filter((o) => o.value === node.value)) },
    h("option", { value: "" }, placeholder || "Select an option"),
    element.option_groups ? element.option_groups.map((g) => h("optgroup", { label: g.label.text }, g.options.map(option))) : options(element).map(option));
  return node;
}

function choices(type, list, chosen, changed, attrs) {
  const name = `choice-${group++}`;
  const box = h("span", { class: "choices", role: type === "radio" ? "radiogroup" : "group", ...attrs });
  const read = () => changed(list.filter((_, index) => box.querySelectorAll("input")[index].checked));
  box.append(...list.map((o) => h("label", {}, h("input", { type, name, value: o.value, checked: chosen.includes(o.value), onchange: read }),
    h("span", {}, textObject({ type: o.text.type || "plain_text", text: o.text.text }), o.description ? h("small", {}, textObject(o.description)) : null))));
  return box;
}
const many = (list, chosen, changed, attrs) => choices("checkbox", list, chosen.map((o) => o.value), changed, attrs);

const local = (seconds) => { const at = new Date(seconds * 1000); return new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16); };

// A select whose options come from the bot as one types.
export function combobox(element, attrs, initial, find, changed) {
  const least = element.min_query_length ?? 3;
  let asked = 0;
  let shown = [];
  let active = -1;
  const list = h("div", { class: "options", role: "listbox", id: `options-${group++}`, hidden: true });
  const field = h("input", { ...attrs, role: "combobox", "aria-controls": list.id, "aria-autocomplete": "list", "aria-expanded": "false", autocomplete: "off", placeholder: element.placeholder?.text || "Type to search" });
  field.value = initial?.text?.text || "";
  const close = () => { list.hidden = true; field.setAttribute("aria-expanded", "false"); active = -1; field.removeAttribute("aria-activedescendant"); };
  const pick = (option) => { field.value = option.text.text; close(); changed(option); };
  const mark = () => marked(field, list, active);
  const search = async () => {
    const typed = field.value.trim();
    if (typed.length < least) { close(); return; }
    const mine = ++asked;
    const found = await find(typed);
    if (mine !== asked || document.activeElement !== field) return;
    shown = found;
    active = shown.length ? 0 : -1;
    list.replaceChildren(...(shown.length ? shown.map((o) => h("div", { role: "option", onpointerdown: (event) => { event.preventDefault(); pick(o); } },
      emoji(o.text.text), o.description ? h("small", {}, o.description.text) : null)) : [h("div", { class: "none" }, "No results")]));
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    mark();
  };
  let pause;
  field.addEventListener("input", () => { if (!field.value) changed(null); clearTimeout(pause); pause = setTimeout(search, 150); });
  field.addEventListener("focus", () => { if (least === 0) search(); });
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      active = (active + (event.key === "ArrowDown" ? 1 : -1) + shown.length) % Math.max(shown.length, 1);
      mark();
    } else if (event.key === "Enter" && shown[active]) pick(shown[active]);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return h("span", { class: "combobox" }, field, list);
}

function multiCombobox(element, attrs, initial, find, changed) {
  const chosen = [...initial];
  const chips = h("span", { class: "chips" });
  const draw = () => chips.replaceChildren(...chosen.map((o) => h("button", { class: "chip", type: "button", onclick: () => { chosen.splice(chosen.indexOf(o), 1); draw(); changed([...chosen]); } }, `${o.text.text} ×`)));
  const box = combobox(element, attrs, null, find, (option) => {
    if (!option) return;
    chosen.push(option);
    box.querySelector("input").value = "";
    draw();
    changed([...chosen]);
  });
  draw();
  return h("span", {}, chips, box);
}
