// Slack's mrkdwn, plain text with :emoji:, and rich_text, as elements.
import { h } from "./dom.js";

const EMOJI = {
  white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", warning: "⚠️", rotating_light: "🚨", fire: "🔥", bell: "🔔",
  ticket: "🎫", memo: "📝", pencil: "📝", pencil2: "✏️", mag: "🔍", bulb: "💡", tada: "🎉", eyes: "👀", wave: "👋",
  "+1": "👍", thumbsup: "👍", "-1": "👎", heart: "❤️", star: "⭐", rocket: "🚀", lock: "🔒", unlock: "🔓", link: "🔗",
  hourglass: "⌛", hourglass_flowing_sand: "⏳", clock1: "🕐", calendar: "📆", date: "📅", email: "📧", phone: "☎️",
  telephone_receiver: "📞", office: "🏢", bust_in_silhouette: "👤", busts_in_silhouette: "👥", moneybag: "💰",
  chart_with_upwards_trend: "📈", package: "📦", page_facing_up: "📄", receipt: "🧾", paperclip: "📎", gear: "⚙️",
  red_circle: "🔴", large_yellow_circle: "🟡", large_green_circle: "🟢", large_blue_circle: "🔵", white_circle: "⚪",
  black_circle: "⚫", large_orange_circle: "🟠", arrow_up: "⬆️", arrow_down: "⬇️", arrow_right: "➡️", no_entry: "⛔",
  information_source: "ℹ️", question: "❓", exclamation: "❗", sparkles: "✨", handshake: "🤝", trophy: "🏆", label: "🏷️",
  speech_balloon: "💬", house: "🏠", inbox_tray: "📥", outbox_tray: "📤", recycle: "♻️", repeat: "🔁", mailbox: "📫",
};

export const emoji = (text) => text.replace(/:([a-z0-9_+-]+):/g, (all, name) => EMOJI[name] || all);
const decode = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
const leaf = (text) => emoji(decode(text));

// A text object: mrkdwn or plain_text.
export function textObject(value, names) {
  if (!value) return [];
  if (value.type === "mrkdwn") return mrkdwn(value.text, names);
  return lines(value.emoji === false ? value.text : emoji(value.text));
}

const lines = (text) => text.split("\n").flatMap((line, index) => (index ? [h("br"), line] : [line]));

export function mrkdwn(text, names = {}) {
  const parts = text.split(/```([\s\S]*?)```/);
  return parts.flatMap((part, index) => (index % 2 ? [h("pre", {}, decode(part))] : quoted(part, names)));
}

function quoted(text, names) {
  const out = [];
  let quote = [];
  const close = () => {
    if (quote.length) out.push(h("blockquote", {}, quote.flatMap((line, i) => (i ? [h("br"), ...inline(line, names)] : inline(line, names)))));
    quote = [];
  };
  text.split("\n").forEach((line, index, all) => {
    if (line.startsWith("&gt;")) { quote.push(line.slice(4).trimStart()); return; }
    const wasQuote = quote.length > 0;
    close();
    if (index && !wasQuote && out.length) out.push(h("br"));
    if (line || index < all.length - 1) out.push(...inline(line, names));
  });
  close();
  return out;
}

const INLINE = /<([^<>]+)>|`([^`\n]+)`|(?<![\w*])\*(\S(?:[^*\n]*\S)?)\*(?![\w*])|(?<![\w_])_(\S(?:[^_\n]*\S)?)_(?![\w_])|(?<![\w~])~(\S(?:[^~\n]*\S)?)~(?![\w~])/g;

function inline(text, names) {
  const out = [];
  let last = 0;
  for (const found of text.matchAll(INLINE)) {
    out.push(leaf(text.slice(last, found.index)));
    const [, angle, code, bold, italic, strike] = found;
    if (angle !== undefined) out.push(angled(angle, names));
    else if (code !== undefined) out.push(h("code", {}, decode(code)));
    else if (bold !== undefined) out.push(h("b", {}, inline(bold, names)));
    else if (italic !== undefined) out.push(h("i", {}, inline(italic, names)));
    else out.push(h("s", {}, inline(strike, names)));
    last = found.index + found[0].length;
  }
  out.push(leaf(text.slice(last)));
  return out.filter((part) => part !== "");
}

function angled(inner, names) {
  const bar = inner.indexOf("|");
  const target = bar < 0 ? inner : inner.slice(0, bar);
  const label = bar < 0 ? "" : inner.slice(bar + 1);
  if (target[0] === "@") return h("span", { class: "mention" }, `@${names[target.slice(1)] || label || target.slice(1)}`);
  if (target[0] === "#") return h("span", { class: "mention" }, `#${names[target.slice(1)] || label || target.slice(1)}`);
  if (target.startsWith("!date^")) return date(target, label);
  if (target[0] === "!") return h("span", { class: "mention loud" }, `@${label || target.slice(1).split("^")[0]}`);
  return anchor(decode(target), label ? leaf(label) : decode(target.replace(/^mailto:/, "")));
}

export function anchor(url, label) {
  if (!/^(https?|mailto|tel):/i.test(url)) return label;
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label);
}

const DATES = {
  date_num: { year: "numeric", month: "2-digit", day: "2-digit" },
  date: { year: "numeric", month: "long", day: "numeric" },
  date_short: { year: "numeric", month: "short", day: "numeric" },
  date_long: { weekday: "long", year: "numeric", month: "long", day: "numeric" },
  time: { hour: "2-digit", minute: "2-digit" },
  time_secs: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
};

function date(target, fallback) {
  const [, stamp, format, url] = target.split("^");
  const at = new Date(Number(stamp) * 1000);
  if (Number.isNaN(at.getTime())) return fallback;
  const text = format.replace(/\{(\w+?)(_pretty)?\}/g, (all, name) => (DATES[name] ? at.toLocaleString([], DATES[name]) : all));
  return url ? anchor(decode(url), text) : h("time", { datetime: at.toISOString(), title: at.toLocaleString() }, text);
}

// rich_text, and the few kinds of element in it.
export function richText(block, names) {
  return block.elements.map((element) => {
    if (element.type === "rich_text_list") {
      const items = element.elements.map((item) => h("li", {}, item.elements.map((part) => rich(part, names))));
      return h(element.style === "ordered" ? "ol" : "ul", {}, items);
    }
    const parts = element.elements.map((part) => rich(part, names));
    if (element.type === "rich_text_preformatted") return h("pre", {}, parts);
    return h(element.type === "rich_text_quote" ? "blockquote" : "p", {}, parts);
  });
}

function rich(part, names) {
  const style = part.style || {};
  let node;
  switch (part.type) {
    case "text": node = h("span", {}, lines(part.text)); break;
    case "link": node = anchor(part.url, part.text || part.url); break;
    case "user": node = h("span", { class: "mention" }, `@${names[part.user_id] || part.user_id}`); break;
    case "channel": node = h("span", { class: "mention" }, `#${names[part.channel_id] || part.channel_id}`); break;
    case "emoji": node = h("span", {}, EMOJI[part.name] || `:${part.name}:`); break;
    case "date": node = date(`!date^${part.timestamp}^${part.format}`, part.fallback || ""); break;
    case "broadcast": node = h("span", { class: "mention loud" }, `@${part.range}`); break;
    default: node = h("span", {}, part.fallback || "");
  }
  for (const [name, tag] of [["bold", "b"], ["italic", "i"], ["strike", "s"], ["code", "code"]]) {
    if (style[name]) node = h(tag, {}, node);
  }
  return node;
}
