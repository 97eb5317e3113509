// The frame: which platform, person, place and thread are shown; fetching state when the server says it changed.
import { avatar, byId, h, icon, toast } from "./dom.js";
import * as slack from "./slack.js";
import * as teams from "./teams.js";
import { guide } from "./guide.js";
import { wire } from "./wire.js";

const sides = { slack, teams };
const first = { slack: { user: "U1", place: "C1" }, teams: { user: "anna", place: "personal" } };

export const app = {
  platform: "slack",
  user: "U1",
  place: "C1",
  thread: "",
  state: null,
  page: null,
  async do(gesture, args = {}) {
    const body = { user: this.user, place: this.place, zone: ZONE, ...args };
    const response = await fetch(`/playground/do/${this.platform}/${gesture}`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    }).catch(() => null);
    if (!response) {
      toast("The playground does not answer. Is “crmchat demo” still running?");
      return { error: "lost", lost: true };
    }
    const told = await response.json().catch(() => ({ error: `The playground answered ${response.status}.` }));
    if (!response.ok) toast(told.error);
    else if (told.error && !["required_field", "too_short", "not_delivered"].includes(told.error)) toast(explained(told));
    refresh();
    return told;
  },
  go(change) {
    Object.assign(this, { thread: "" }, change);
    location.hash = [this.platform, this.user, this.place, this.thread].filter(Boolean).map(encodeURIComponent).join("/");
    remember[this.platform] = { user: this.user, place: this.place };
    this.fresh = true;
    if (this.platform === "slack" && this.place === "home") this.do("home");
    return refresh();
  },
};
const remember = structuredClone(first);
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

const SAID = {
  operation_timeout: "The bot did not answer in time.",
  dispatch_failed: "The bot refused the request.",
  connection_failed: "The bot cannot be reached.",
  invalid_response: "The bot's answer breaks the platform's contract",
  invalid_blocks: "The bot's blocks break Slack's limits",
};
function explained(told) {
  const detail = told.problems?.length ? `: ${told.problems[0]}` : told.status >= 400 ? ` (${told.status})` : "";
  return `${SAID[told.error] || told.error}${detail}`;
}

let running = null;
let again = false;
function refresh() {
  again = true;
  running ||= fetched().finally(() => { running = null; });
  return running;
}

async function fetched() {
  while (again) {
    again = false;
    const { platform, user, place, thread } = app;
    const query = new URLSearchParams({ user, place, thread });
    const response = await fetch(`/playground/state/${platform}?${query}`).catch(() => null);
    if (!response) break;
    if (platform !== app.platform || user !== app.user || place !== app.place || thread !== app.thread) { again = true; continue; }
    if (response.status === 404 && place !== first[platform].place) { Object.assign(app, first[platform], { thread: "" }); again = true; continue; }
    if (!response.ok) break;
    const state = await response.json();
    if (place !== "home" && !state.rooms.some((room) => room.id === place)) { app.go({ place: state.rooms[0].id }); continue; } // another person's
    if (app.state && app.state.run !== state.run) restarted();
    app.state = state;
    draw();
  }
}

function restarted() {
  const notice = byId("notice");
  notice.querySelector("span").textContent = "The demo was started again, so conversations begin anew. What was saved in Dynamics 365 is still there.";
  notice.querySelector("button").onclick = () => { notice.hidden = true; };
  notice.hidden = false;
  wire.anew();
  app.go({});
}

// To the newest message; one that is taller than the log is read from its top. `log.left` is where we left the log: whoever
// scrolled away from there is reading, and stays.
function follow(log) {
  const last = [...log.querySelectorAll(".message")].at(-1);
  log.scrollTop = log.scrollHeight;
  if (last && last.offsetHeight > log.clientHeight) log.scrollTop += last.getBoundingClientRect().top - log.getBoundingClientRect().top;
  log.left = log.scrollTop;
}

function draw() {
  const { state, platform } = app;
  const side = sides[platform];
  document.body.dataset.platform = platform;
  for (const tab of document.querySelectorAll("[data-platform-tab]")) {
    const on = tab.dataset.platformTab === platform;
    tab.setAttribute("aria-selected", on);
    tab.tabIndex = on ? 0 : -1;
  }
  const me = state.people.find((person) => person.id === state.me);
  byId("me-avatar").replaceWith(Object.assign(avatar(me?.name || "?"), { id: "me-avatar" }));
  const people = byId("me");
  const listed = JSON.stringify([platform, state.me, state.people]);
  if (people.listed !== listed) {
    people.listed = listed;
    people.replaceChildren(...state.people.map((p) => h("option", { value: p.id, selected: p.id === state.me }, p.name)));
  }
  rooms();
  app.guide();
  const log = byId("messages");
  const following = app.fresh || log.scrollTop === log.left || log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  side.draw(app);
  if (app.place === "home") { if (app.fresh) log.scrollTop = 0; } else if (following) follow(log);
  app.fresh = false;
  wire.counted(state.exchanges);
}

function rooms() {
  const { state } = app;
  const groups = [["Channels", state.rooms.filter((r) => ["channels", "groups", "channel"].includes(r.kind))],
    ["Group chats", state.rooms.filter((r) => r.kind === "groupChat")],
    ["Apps", state.rooms.filter((r) => ["im", "personal"].includes(r.kind))]];
  if (app.platform === "slack") groups[2][1].push({ id: "home", name: "CRM home", kind: "home" });
  const sign = { channels: "hash", groups: "lock", channel: "hash", groupChat: "people", im: "app", personal: "app", home: "home" };
  const nodes = groups.filter(([, list]) => list.length).map(([name, list]) => h("section", {}, h("h2", {}, name),
    list.map((room) => h("button", {
      class: "room", "aria-current": room.id === app.place ? "page" : null, onclick: () => app.go({ place: room.id }),
      title: room.bot === false ? "The app is not a member here" : null,
    }, h("span", { class: "sign" }, icon(sign[room.kind])), room.name))));
  const drawn = JSON.stringify([app.platform, app.place, state.rooms]);
  const box = byId("rooms");
  if (box.drawn !== drawn) { box.drawn = drawn; box.replaceChildren(...nodes); }
  const here = state.rooms.find((room) => room.id === app.place);
  byId("place-name").textContent = app.place === "home" ? "CRM home" : `${["im", "personal", "groupChat"].includes(here?.kind) ? "" : "#"}${here?.name || ""}`;
  byId("place-topic").textContent = app.place === "home" ? "What only you see" : here?.topic || (here?.kind === "im" || here?.kind === "personal" ? "Direct messages with the app" : "");
}

function fromHash() {
  const [platform, user, place, thread] = location.hash.slice(1).split("/").map(decodeURIComponent);
  if (!sides[platform]) return;
  Object.assign(app, { platform, user: user || first[platform].user, place: place || first[platform].place, thread: thread || "" });
}

async function start() {
  app.page = await (await fetch("/playground/page.json")).json();
  fromHash();
  addEventListener("hashchange", () => { fromHash(); app.fresh = true; refresh(); });
  for (const tab of document.querySelectorAll("[data-platform-tab]")) {
    tab.addEventListener("click", () => app.go({ platform: tab.dataset.platformTab, ...remember[tab.dataset.platformTab] }));
    tab.addEventListener("keydown", (event) => {
      if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
      const other = tab.dataset.platformTab === "slack" ? "teams" : "slack";
      document.querySelector(`[data-platform-tab=${other}]`).focus();
      app.go({ platform: other, ...remember[other] });
    });
  }
  byId("me").addEventListener("change", (event) => app.go({ user: event.target.value }));
  app.guide = guide(app);
  wire.start();
  app.fresh = true;
  await refresh();
  const events = new EventSource("/playground/events");
  events.onmessage = refresh;
  events.onerror = () => { document.body.classList.add("offline"); };
  events.onopen = () => { document.body.classList.remove("offline"); refresh(); };
  document.body.dataset.ready = "yes";
}

start();
