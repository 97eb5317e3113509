// Adaptive Cards by Microsoft's renderer, in the page's own colours.
import { h, menu, toast, visit } from "./dom.js";

const colour = (name) => ({ default: `var(--card-${name})`, subtle: `var(--card-${name}-subtle)` });
const colours = Object.fromEntries(["default", "dark", "light", "accent", "good", "warning", "attention"].map((name) => [name, colour(name)]));
const style = (name) => ({ backgroundColor: `var(--card-back-${name})`, foregroundColors: colours });
const CONFIG = {
  supportsInteractivity: true,
  fontFamily: "inherit",
  spacing: { small: 6, default: 10, medium: 14, large: 18, extraLarge: 24, padding: 14 },
  separator: { lineThickness: 1, lineColor: "var(--line)" },
  imageSizes: { small: 32, medium: 52, large: 100 },
  fontSizes: { small: 12, default: 14, medium: 15, large: 18, extraLarge: 22 },
  fontWeights: { lighter: 300, default: 400, bolder: 600 },
  containerStyles: Object.fromEntries(["default", "emphasis", "good", "attention", "warning", "accent"].map((name) => [name, style(name)])),
  actions: { maxActions: 6, spacing: "default", buttonSpacing: 8, showCard: { actionMode: "inline", inlineTopMargin: 12 }, actionsOrientation: "horizontal", actionAlignment: "left" },
  inputs: { label: { inputSpacing: "small", requiredInputs: { suffix: " *", suffixColor: "attention", weight: "bolder" }, optionalInputs: { weight: "bolder" } }, errorMessage: { color: "attention", spacing: "small" }, allowDynamicallyFilteredChoiceSet: true, debounceTimeInMilliSeconds: 200 },
  factSet: { title: { weight: "bolder", wrap: false, maxWidth: 150 }, value: { wrap: true }, spacing: 12 },
};

const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");

// The markdown that Teams knows in cards: bold, italic, links, lists. Escaped first, so nothing else gets through.
export function markdown(text) {
  const held = [];
  const hold = (html) => `\u0000${held.push(html) - 1}\u0000`;
  let out = escape(text.replaceAll("\u0000", ""))
    .replace(/\\([\\`*_{}[\]()#+\-.!~])/g, (_, mark) => hold(mark))
    .replace(/&lt;at&gt;(.*?)&lt;\/at&gt;/g, (_, name) => hold(`<span class="mention">${name}</span>`))
    .replace(/\[([^\]]+)\]\((https?:[^)\s]+|mailto:[^)\s]+)\)/g, (_, label, url) => hold(`<a href="${url}" target="_blank" rel="noopener noreferrer">${label}</a>`))
    .replace(/(\*\*|__)(?=\S)(.+?)(?<=\S)\1/g, "<b>$2</b>")
    .replace(/(?<![\w*_])([*_])(?=\S)(.+?)(?<=\S)\1(?![\w*_])/g, "<i>$2</i>");
  out = out.split(/\n/).map((line) => line.replace(/^[-*]\s+(.*)/, "<li>$1</li>")).join("\n")
    .replace(/(<li>.*<\/li>\n?)+/g, (items) => `<ul>${items.replace(/\n/g, "")}</ul>`).replace(/\n+/g, "<br>");
  // what is held may hold something itself
  while (/\u0000\d+\u0000/.test(out)) out = out.replace(/\u0000(\d+)\u0000/g, (_, index) => held[index]);
  return out;
}

// A rendered card. `execute(action, data)` is a press; `search(dataset, typed)` gives choices of a typeahead.
export function cardNode(content, { execute, search }) {
  const { AdaptiveCard, Choice, HostConfig, ChoiceSetInput } = window.AdaptiveCards;
  AdaptiveCard.onProcessMarkdown = (text, result) => { result.outputHtml = markdown(text); result.didProcess = true; };
  const card = new AdaptiveCard();
  card.hostConfig = new HostConfig(CONFIG);
  card.onExecuteAction = async (action) => {
    const kind = action.getJsonTypeName();
    if (kind === "Action.OpenUrl") { visit(action.url); return; }
    if (!execute) return;
    const node = action.renderedElement;
    if (node) { node.disabled = true; node.classList.add("busy"); }
    await execute({ type: kind, id: action.id, verb: action.verb, title: action.title }, action.data ?? {});
    if (node) { node.disabled = false; node.classList.remove("busy"); }
  };
  card.onDisplayOverflowActionMenu = (actions, target) => {
    menu(target, actions.map((action) => ({ name: action.title, danger: action.style === "destructive", run: () => action.execute() })));
    return true;
  };
  const given = new Map(); // the choices that the card itself brought, by input
  card.onInputValueChanged = async (input) => {
    if (!(input instanceof ChoiceSetInput) || !input.isDynamicTypeahead()) return;
    const typed = input.getFilterForDynamicSearch();
    if (!typed) return;
    const found = await search(input.choicesData.dataset, typed);
    if (!given.has(input)) given.set(input, [...input.choices]);
    input.choices = [...given.get(input)];
    const fresh = found.filter((choice) => !input.choices.some((known) => known.value === choice.value));
    input.renderChoices(typed, fresh);
    // the renderer looks a picked title up among the choices it was given, so those that were found join them
    input.choices.push(...fresh.map((choice) => new Choice(choice.title, choice.value)));
  };
  try {
    card.parse(content);
    const node = card.render();
    for (const input of card.getAllInputs()) {
      if (!(input instanceof ChoiceSetInput) || !input.isDynamicTypeahead()) continue;
      const named = input.choices.find((choice) => choice.value === input.defaultValue);
      const field = input.renderedElement?.querySelector("input");
      field?.setAttribute("aria-label", input.label || "");
      if (named && field) field.value = named.title;
    }
    return node || h("em", {}, content.fallbackText || "(an empty card)");
  } catch (problem) {
    toast(`The card cannot be shown: ${problem.message}`);
    return h("em", {}, content.fallbackText || "(this card cannot be shown)");
  }
}
