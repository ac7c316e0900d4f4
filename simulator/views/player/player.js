"use strict";
/* The player. It walks along the steps in #journey, and draws them as map, ladder and wire with one cursor.
   All data enters the page as text nodes; there is no markup in it. */

/** @typedef {{number: number, kind: string, mark: string, from: string, to: string, at: number, until: number,
 *   lines: string[], full?: string[], why: string, sight: string, hop?: number, connection?: number, tls?: boolean,
 *   broken?: boolean, size?: number, stored?: boolean, link?: number, record?: number}} Step */
/** @typedef {{name: string, column: number, x: number, y: number, role: string, territory: string}} Host */
/** @typedef {{index: number, client: string, server: string, port: number, name: string, dns: boolean}} Link */
/** @typedef {{number: number, client: string, server: string, name: string, seen: string}} Connection */
/** @typedef {{connection: number, at: number, up: boolean, name: string, why: string, hex: string, size: number,
 *   kind: "clear"|"dns"|"hello"|"locked"}} WireRecord */
/** @typedef {{question: string, options: string[], place: number, chosen: number|null, open: boolean,
 *   explain: string, right: number|null}} Ask */
/** @typedef {{x: number, y: number}} Point */

const SVG = "http://www.w3.org/2000/svg";
const PANES = ["map", "ladder", "wire", "all"];
const PANE_NAMES = ["Map", "Ladder", "Wire", "Side by side"];
const WINDOW = 60, LEAP = 20;
const BOX = "box on the path";
const SPEEDS = { slow: 4000, normal: 2200, fast: 900 };
const STATES = {
  later: "not used yet", clear: "in clear", tls: "protected by TLS", dns: "in clear", failed: "no connection",
  closed: "closed, was in clear", "closed tls": "closed, was protected",
};

const source = JSON.parse(document.getElementById("journey").textContent);
const model = {
  /** @type {Step[]} */ steps: [],
  /** @type {Host[]} */ hosts: [],
  /** @type {Map<number, Link>} */ links: new Map(),
  /** @type {Map<number, Connection>} */ connections: new Map(),
  /** @type {Map<number, WireRecord[]>} */ records: new Map(),
  /** @type {{index: number, name: string, words: string, about: string}[]} */ lenses: [],
  /** @type {Ask[]} */ asks: [],
  parts: 0,
};
const state = { cursor: 0, lens: 0, pane: "map", playing: 0, speed: "normal", present: false };
/** @type {number[]} */ let visible = [];
/** @type {Record<string, any>} */ const ui = {};
const quiet = matchMedia("(prefers-reduced-motion: reduce)");

// --- data -----------------------------------------------------------------------------------------------------------

/** Take one part of the journey into the model. @param {any} part */
function takePart(part) {
  model.parts += 1;
  for (const answer of part.answers) Object.assign(model.asks[model.asks.length - 1] || {}, answer);
  for (const step of part.steps) model.steps.push(Object.assign(step, { why: part.reasons[step.why] }));
  model.hosts.push(...part.hosts);
  model.hosts.sort((a, b) => a.column - b.column);
  for (const link of part.links) model.links.set(link.index, link);
  for (const one of part.connections) model.connections.set(one.number, one);
  for (const record of part.records) {
    if (!model.records.has(record.connection)) model.records.set(record.connection, []);
    model.records.get(record.connection).push(record);
  }
  model.lenses.push(...part.lenses);
  model.lenses.sort((a, b) => a.index - b.index);
  for (const ask of part.asks)
    model.asks.push({ ...ask, place: model.steps.length, chosen: null, open: true, explain: "", right: null });
}

/** Read the next part, which lies in the page as base64. */
function revealNext() {
  const octets = Uint8Array.from(atob(source.parts[model.parts]), (c) => c.charCodeAt(0));
  takePart(JSON.parse(new TextDecoder().decode(octets)));
}

/** What the chosen party has of a step: "r" readable, "h" hidden, "a" absent. @param {Step} step */
const sightOf = (step) => step.sight[state.lens];

/** The words that the chosen party has. @param {Step} step @returns {string[]} */
function wordsOf(step) {
  if (sightOf(step) === "h") return [`(${count(step.size || 0, "octet")} inside TLS)`];
  return state.lens === 0 ? step.lines : step.full || step.lines;
}

/** @param {Step} step */
function whyOf(step) {
  if (sightOf(step) !== "h") return step.why;
  return "These octets travel inside TLS. Who listens here has their number, their direction and the time, no words.";
}

/** Which steps the chosen party has at all. */
function findVisible() {
  visible = [];
  model.steps.forEach((step, i) => { if (sightOf(step) !== "a") visible.push(i); });
}

/** @returns {Step|undefined} */
const current = () => model.steps[visible[state.cursor]];

/** The question that stands after the last visible step, or was answered there. @returns {Ask|undefined} */
function askHere() {
  const next = visible[state.cursor + 1] ?? model.steps.length;
  const here = visible[state.cursor] ?? -1;
  const last = state.cursor >= visible.length - 1;
  return model.asks.find((ask) => ask.open ? last : ask.chosen !== null && ask.place > here && ask.place <= next);
}

// --- words ----------------------------------------------------------------------------------------------------------

/** @param {number} n @param {string} word */
const count = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

/** Seconds as milliseconds. @param {number} seconds */
function ms(seconds) {
  const [whole, rest] = (Math.round(seconds * 1e6) / 1e3).toString().split(".");
  return `${whole.replace(/\B(?=(\d{3})+$)/g, "\u00a0")}${rest ? "." + rest : ""}\u00a0ms`;
}

/** Who says it to whom. @param {Step} step */
const ends = (step) => (step.from === step.to ? `at ${step.from}` : `${step.from} → ${step.to}`);

/** Who could read a step, in words. @param {Step} step */
function protection(step) {
  if (sightOf(step) === "h") return "locked";
  if (step.kind === "tls") return "TLS begins";
  if (step.tls) return "inside TLS";
  return step.from === step.to ? "" : "in clear";
}

/** One word for the moving sign on the map. @param {Step} step */
function sign(step) {
  if (sightOf(step) === "h") return "locked";
  const words = { data: "letter", open: "connect", tls: "TLS", close: "close", question: "?", failed: "failed" };
  if (words[step.kind]) return words[step.kind];
  if (step.kind === "command" || step.kind === "reply") {
    const word = wordsOf(step)[0].split(/[ \-:]/)[0];
    return word.length > 10 ? word.slice(0, 9) + "…" : word;
  }
  return step.kind;
}

// --- making elements ------------------------------------------------------------------------------------------------

/** Make an element; strings become text. @param {string} tag @param {Record<string, any>} attributes */
function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an element of a drawing. @param {string} tag @param {Record<string, any>} attributes */
function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

/** @param {string} text */
const badge = (text) => text ? make("span", { class: "badge " + (text === "in clear" ? "clear" : "tls") }, text) : null;

// --- moving ---------------------------------------------------------------------------------------------------------

/** Go to a visible step. @param {number} cursor */
function go(cursor, animate = false) {
  const before = state.cursor;
  state.cursor = Math.max(0, Math.min(cursor, visible.length - 1));
  render(animate && state.cursor === before + 1);
}

function forward() {
  if (state.cursor < visible.length - 1) return go(state.cursor + 1, true);
  stop();
  const first = ui.ask.querySelector("button");
  if (first) first.focus();
}

/** Stop, and go to where a control points. @param {string} place */
function leap(place) {
  stop();
  if (place) go(Number(place));
}

const back = () => go(state.cursor - 1);

function play() {
  if (state.playing) return stop();
  const start = state.cursor >= visible.length - 1 && !askHere();
  state.playing = 1;
  if (start) go(0);
  renderControls();
  tick();
}

function tick() {
  clearTimeout(state.timer);
  state.timer = setTimeout(() => {
    if (!state.playing) return;
    if (state.cursor >= visible.length - 1) return stop();
    forward();
    tick();
  }, SPEEDS[state.speed]);
}

function stop() {
  clearTimeout(state.timer);
  state.playing = 0;
  renderControls();
}

/** Look with other eyes; the cursor stays at the same moment. @param {number} lens */
function look(lens) {
  const here = visible[state.cursor] ?? 0;
  state.lens = lens;
  findVisible();
  const place = visible.findIndex((i) => i > here);
  state.cursor = Math.max(0, (place < 0 ? visible.length : place) - 1);
  render();
}

/** @param {string} pane */
function show(pane) {
  state.pane = pane;
  render();
}

/** @param {Ask} ask @param {number} option -1: only look */
function answer(ask, option) {
  stop();
  ask.open = false;
  ask.chosen = option;
  revealNext();
  const here = visible[state.cursor];
  findVisible();
  state.cursor = Math.max(0, visible.indexOf(here));
  fillLenses();
  render();
  const next = ui.ask.querySelector("button");
  if (next) next.focus();
}

// --- the frame ------------------------------------------------------------------------------------------------------

const ICONS = {
  first: "M5 5v14M19 5L9 12l10 7z", back: "M16 4L6 12l10 8z", play: "M7 4l12 8-12 8z", pause: "M7 4h4v16h-4zM14 4h4v16h-4z",
  forward: "M8 4l10 8-10 8z", last: "M19 5v14M5 5l10 7-10 7z",
};

/** @param {string} name */
const icon = (name) => draw("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, draw("path", { d: ICONS[name] }));

/** A button whose sign is a drawing. */
function button(id, label, action) {
  return (ui[id] = make("button", { type: "button", id, "aria-label": label, title: label, click: action }, icon(id)));
}

function build() {
  ui.lens = make("select", { id: "lens", change: () => look(Number(ui.lens.value)) });
  ui.jump = make("select", { id: "jump", change: () => leap(ui.jump.value) });
  ui.speed = make("select", { id: "speed", change: () => { state.speed = ui.speed.value; if (state.playing) tick(); } },
    ...Object.keys(SPEEDS).map((name) => make("option", { value: name, selected: name === "normal" }, name)));
  ui.tabs = PANES.map((pane, i) => make("button", {
    type: "button", role: "tab", id: "tab-" + pane, "aria-controls": pane === "all" ? "panes" : "pane-" + pane,
    title: `Key ${i + 1}`,
    // After a click with a pointer the arrow keys are for the steps again.
    click: (event) => { show(pane); if (event.detail) event.currentTarget.blur(); },
  }, PANE_NAMES[i]));
  const tabs = make("div", { role: "tablist", "aria-label": "Views", keydown: tabKeys }, ...ui.tabs);
  ui.map = panel("map"); ui.ladder = panel("ladder"); ui.wire = panel("wire");
  ui.panes = make("div", { id: "panes", class: "panes" }, ui.map, ui.ladder, ui.wire);
  ui.live = make("div", { class: "said", id: "explanation", "aria-live": "polite", "aria-atomic": "true" });
  ui.more = make("pre", { class: "more", tabindex: "0", role: "region", "aria-label": "All lines of this step" });
  ui.now = make("section", { class: "now", "aria-label": "This step" }, ui.live, ui.more);
  ui.ask = make("section", { class: "ask", "aria-label": "Question", hidden: true });
  document.body.append(make("div", { class: "player" }, head(tabs), make("main", {}, ui.panes, ui.ask, ui.now),
    controls()));
  document.addEventListener("keydown", keys);
  swipes(ui.panes);
  fillLenses();
}

/** @param {string} name */
function panel(name) {
  return make("section", { class: "pane " + name, id: "pane-" + name, role: "tabpanel", "aria-labelledby": "tab-" + name });
}

/** @param {Element} tabs */
function head(tabs) {
  ui.present = make("button", { type: "button", id: "present", click: () => { state.present = !state.present; render(); } },
    "Larger text");
  ui.title = make("h1", {}, source.title);
  ui.about = make("span", { class: "about", id: "about" });
  return make("header", {}, make("div", { class: "name" }, ui.title, ui.about),
    make("div", { class: "choices" }, tabs,
      make("label", {}, make("span", {}, "Seen by"), ui.lens), ui.present));
}

function controls() {
  ui.range = make("input", { type: "range", id: "scrub", min: 0, "aria-label": "Step",
    input: () => leap(ui.range.value) });
  ui.time = make("output", { class: "time", for: "scrub" });
  return make("footer", { "aria-label": "Playing" },
    make("div", { class: "buttons" },
      button("first", "First step (Home)", () => { stop(); go(0); }),
      button("back", "Step back (left arrow)", () => { stop(); back(); }),
      button("play", "Play (space)", play),
      button("forward", "Step (right arrow)", () => { stop(); forward(); }),
      button("last", "Last step (End)", () => { stop(); go(visible.length - 1); })),
    ui.range, ui.time,
    make("div", { class: "choices" },
      make("label", {}, make("span", {}, "Jump to"), ui.jump), make("label", {}, make("span", {}, "Speed"), ui.speed)));
}

function fillLenses() {
  ui.lens.replaceChildren(...model.lenses.map((lens) =>
    make("option", { value: lens.index, selected: lens.index === state.lens }, lens.words)));
}

/** Arrow keys inside the tabs. @param {KeyboardEvent} event */
function tabKeys(event) {
  const steps = { ArrowRight: 1, ArrowLeft: -1 };
  if (!(event.key in steps)) return;
  event.preventDefault();
  event.stopPropagation();
  const next = (PANES.indexOf(state.pane) + steps[event.key] + PANES.length) % PANES.length;
  show(PANES[next]);
  ui.tabs[next].focus();
}

/** @param {KeyboardEvent} event */
function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const at = event.target instanceof Element ? event.target : document.body;
  if (at.matches("select, input")) return;
  if (event.key === " " && at.matches("button, summary")) return;
  const scrolls = at.matches(".more, .records, .scroll, pre") && ["Home", "End"].includes(event.key) && event.shiftKey;
  const actions = {
    " ": play, ArrowRight: () => { stop(); forward(); }, ArrowLeft: () => { stop(); back(); },
    Home: () => { stop(); go(0); }, End: () => { stop(); go(visible.length - 1); },
    1: () => show("map"), 2: () => show("ladder"), 3: () => show("wire"), 4: () => show("all"),
  };
  if (scrolls || !actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
}

/** A swipe to the left goes on, one to the right goes back. @param {Element} place */
function swipes(place) {
  /** @type {Touch|null} */ let start = null;
  place.addEventListener("touchstart", (event) => { start = event.touches.length === 1 ? event.touches[0] : null; },
    { passive: true });
  place.addEventListener("touchend", (event) => {
    if (!start) return;
    const end = event.changedTouches[0], x = end.clientX - start.clientX, y = end.clientY - start.clientY;
    if (Math.abs(x) > 50 && Math.abs(y) < 40) { stop(); if (x < 0) forward(); else back(); }
    start = null;
  }, { passive: true });
}

// --- drawing everything ---------------------------------------------------------------------------------------------

function render(animate = false) {
  document.documentElement.classList.toggle("present", state.present);
  ui.panes.dataset.pane = state.pane;
  for (const [i, pane] of PANES.entries()) {
    ui.tabs[i].setAttribute("aria-selected", String(state.pane === pane));
    ui.tabs[i].tabIndex = state.pane === pane ? 0 : -1;
    if (pane !== "all") ui[pane].hidden = state.pane !== pane && state.pane !== "all";
  }
  ui.about.textContent = model.lenses.find((lens) => lens.index === state.lens)?.about || "";
  renderAsk();
  renderNow();
  renderControls();
  if (!ui.map.hidden) renderMap(animate);
  if (!ui.ladder.hidden) renderLadder();
  if (!ui.wire.hidden) renderWire();
}

function renderNow() {
  const step = current();
  ui.live.setAttribute("aria-live", state.playing ? "off" : "polite");
  if (!step) {
    ui.live.replaceChildren(make("p", {}, "Nothing passes by this party so far."));
    ui.more.hidden = true;
    return;
  }
  const words = wordsOf(step);
  ui.live.replaceChildren(
    make("p", { class: "where" }, make("strong", {}, `Step ${state.cursor + 1} of ${visible.length}`), make("span", {},
      ms(step.at)), make("span", {}, ends(step)), badge(protection(step)), step.broken ? badge("broke off") : null),
    make("p", { class: "line" + (sightOf(step) === "h" ? " hatch" : "") }, make("code", {}, words[0] || "(empty line)"),
      words.length > 1 ? make("span", { class: "count" }, ` and ${words.length - 1} more`) : null),
    make("p", { class: "why" }, whyOf(step)));
  ui.more.hidden = words.length < 2;
  ui.more.textContent = words.slice(1).join("\n");
  ui.more.scrollTop = 0;
}

function renderControls() {
  const last = Math.max(0, visible.length - 1), step = current();
  ui.range.max = last;
  ui.range.value = state.cursor;
  ui.range.setAttribute("aria-valuetext", step ? `step ${state.cursor + 1} of ${visible.length}, ${ms(step.at)}` : "none");
  ui.time.textContent = step ? `${ms(step.at)}` : "";
  ui.play.replaceChildren(icon(state.playing ? "pause" : "play"));
  const label = state.playing ? "Pause (space)" : "Play (space)";
  ui.play.setAttribute("aria-label", label);
  ui.play.title = label;
  ui.present.setAttribute("aria-pressed", String(state.present));
  for (const id of ["first", "back"]) ui[id].setAttribute("aria-disabled", String(state.cursor === 0));
  for (const id of ["forward", "last"]) ui[id].setAttribute("aria-disabled", String(state.cursor >= last));
  fillJumps();
}

const LANDMARKS = { open: "connection to", tls: "TLS with", data: "letter to", store: "in the mailbox at",
  route: "route chosen by", failed: "no connection to", path: "interference", "tls failed": "TLS fails with" };

function fillJumps() {
  const key = `${state.lens} ${model.parts}`;
  if (ui.jump.dataset.key === key) { ui.jump.value = ""; return; }
  ui.jump.dataset.key = key;
  /** @type {Element[]} */ const options = [];
  visible.forEach((i, place) => {
    const step = model.steps[i];
    const words = sightOf(step) === "h" ? "" : LANDMARKS[step.kind];
    if (words && options.length < 300)
      options.push(make("option", { value: place }, `${ms(step.at)}: ${words}${step.kind === "path" ? "" : " " + step.to}`));
  });
  ui.jump.replaceChildren(make("option", { value: "" }, "a moment …"), ...options);
}

function renderAsk() {
  const ask = askHere();
  ui.ask.hidden = !ask;
  if (!ask) return ui.ask.replaceChildren();
  const parts = [make("h2", {}, ask.question)];
  if (ask.open) {
    const options = ask.options.map((text, i) => make("button", { type: "button", click: () => answer(ask, i) }, text));
    const look = make("button", { type: "button", class: "plain", click: () => answer(ask, -1) }, "Show what happens");
    parts.push(make("div", { class: "options" }, ...options, look));
  } else {
    parts.push(make("p", { role: "status" }, verdict(ask)));
    if (state.cursor < visible.length - 1)
      parts.push(make("div", { class: "options" }, make("button", { type: "button", click: forward }, "Go on")));
  }
  ui.ask.replaceChildren(...parts);
}

/** @param {Ask} ask */
function verdict(ask) {
  const said = ask.chosen >= 0 ? `You said: ${ask.options[ask.chosen]}. ` : "";
  let judged = "";
  if (ask.right !== null && ask.chosen >= 0)
    judged = ask.right === ask.chosen ? "That is right. " : `The answer is: ${ask.options[ask.right]}. `;
  else if (ask.right !== null) judged = `The answer is: ${ask.options[ask.right]}. `;
  return said + judged + ask.explain;
}

// --- the ladder -----------------------------------------------------------------------------------------------------

/** Middle of a host's column, in percent. @param {string} name */
function column(name) {
  return ((model.hosts.findIndex((host) => host.name === name) + 0.5) / model.hosts.length) * 100;
}

function renderLadder() {
  if (!ui.rows) buildLadder();
  const names = model.hosts.map((host) => host.name).join(" ");
  if (ui.heads.dataset.names !== names) {
    ui.heads.dataset.names = names;
    ui.heads.replaceChildren(...model.hosts.map((host) => make("div", { class: "head" }, ...hostName(host.name))));
    ui.rails.replaceChildren(...model.hosts.map((host) => {
      const rail = make("div", { class: "rail" });
      rail.style.left = column(host.name) + "%";
      return rail;
    }));
  }
  const start = Math.max(0, Math.floor(state.cursor / LEAP) * LEAP - LEAP), end = Math.min(visible.length, start + WINDOW);
  ui.rows.replaceChildren(...visible.slice(start, end).map((i, k) => row(model.steps[i], start + k)));
  more(ui.earlier, start, `${count(start, "earlier step")}`, () => go(start - 1));
  more(ui.later, visible.length - end, `${count(visible.length - end, "later step")}`, () => go(end));
  const now = ui.rows.querySelector(".current");
  if (now) keepInSight(ui.scroll, now);
}

function buildLadder() {
  ui.heads = make("div", { class: "heads" });
  ui.rails = make("div", { class: "rails", "aria-hidden": "true" });
  ui.earlier = make("button", { type: "button", class: "plain" });
  ui.later = make("button", { type: "button", class: "plain" });
  ui.rows = make("ol", { class: "rows" });
  ui.scroll = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Ladder: all steps in order" },
    make("div", { class: "rung" }, ui.rails, ui.earlier, ui.rows, ui.later));
  ui.ladder.append(make("div", { class: "headline" }, make("div", { class: "corner" }, "time"), ui.heads), ui.scroll);
}

/** A name that may break at its dots. @param {string} name */
function hostName(name) {
  return name.split(/(?=\.)/).flatMap((part, i) => (i ? [make("wbr"), part] : [make("b", {}, part)]));
}

function more(element, number, text, action) {
  element.hidden = number <= 0;
  element.textContent = number > 0 ? `… ${text}` : "";
  element.onclick = action;
}

/** @param {Step} step @param {number} place */
function row(step, place) {
  const now = place === state.cursor, hidden = sightOf(step) === "h";
  const words = wordsOf(step), a = column(step.from), b = column(step.to);
  const said = ["command", "reply", "data"].includes(step.kind);
  const classes = ["row", step.kind.replace(" ", "-"), said ? "spoken" : "happened", step.tls ? "inside" : "",
    hidden ? "locked" : "", now ? "current" : "", place > state.cursor ? "later" : ""];
  const text = make("div", { class: "text" + (hidden ? " hatch" : "") }, ...(hidden ? [badge("locked")] : [
    step.tls ? badge("TLS") : null]), ...lineNodes(words, now), step.broken ? badge("broke off") : null);
  const left = (a + b) / 2 <= 50;
  text.style.setProperty("--start", left ? Math.max(0, Math.min(a, b) - 2) + "%" : "auto");
  text.style.setProperty("--end", left ? "0" : Math.max(0, 98 - Math.max(a, b)) + "%");
  const lane = make("div", { class: "lane" }, text, step.from === step.to ? dot(a) : arrow(a, b));
  const item = make("li", { class: classes.filter(Boolean).join(" "), "aria-current": now ? "step" : null,
    "aria-posinset": place + 1, "aria-setsize": visible.length, click: () => { stop(); go(place); } },
    make("div", { class: "when" }, ms(step.at)), make("span", { class: "unseen" }, ends(step) + ": "), lane);
  return item;
}

/** One line, or all of them where the cursor is. @param {string[]} words @param {boolean} open */
function lineNodes(words, open) {
  if (open) return [make("code", {}, words.join("\n") || "(empty line)")];
  const rest = words.length - 1;
  return [make("code", {}, words[0] || "(empty line)"), rest > 0 ? make("span", { class: "count" }, ` and ${rest} more`) : null];
}

function arrow(a, b) {
  const line = make("div", { class: "arrow " + (a < b ? "right" : "left"), "aria-hidden": "true" });
  line.style.left = Math.min(a, b) + "%";
  line.style.width = Math.abs(a - b) + "%";
  return line;
}

function dot(a) {
  const point = make("div", { class: "dot", "aria-hidden": "true" });
  point.style.left = a + "%";
  return point;
}

/** Scroll a box, and nothing around it, so that an element stands in its middle. */
function keepInSight(box, element) {
  const outer = box.getBoundingClientRect(), inner = element.getBoundingClientRect();
  const room = Math.max(0, (outer.height - inner.height) / 2);
  box.scrollTop += inner.top - outer.top - room;
}

// --- the wire -------------------------------------------------------------------------------------------------------

/** The connection of the cursor, or the last one before it. @returns {[Connection|undefined, number]} */
function connectionHere() {
  for (let place = state.cursor; place >= 0; place -= 1) {
    const step = model.steps[visible[place]];
    if (step && step.connection !== undefined) {
      const one = model.connections.get(step.connection);
      if (one && one.seen[state.lens] === "1") return [one, recordAt(place, step.connection)];
    }
  }
  return [undefined, -1];
}

/** The record of the last step at or before a place on a connection. */
function recordAt(place, connection) {
  for (let i = place; i >= 0; i -= 1) {
    const step = model.steps[visible[i]];
    if (step.connection === connection && step.record !== undefined) return step.record;
  }
  return -1;
}

function renderWire() {
  const [one, place] = connectionHere();
  if (!one) {
    ui.wire.replaceChildren(make("p", { class: "empty" }, "This party has no octets of a wire at this moment."));
    return;
  }
  const records = model.records.get(one.number) || [];
  const start = Math.max(0, Math.floor(Math.max(place, 0) / LEAP) * LEAP - LEAP);
  const end = Math.min(records.length, start + WINDOW);
  const largest = records.reduce((most, record) => Math.max(most, record.size), 1);
  const list = make("ol", { class: "records", start: start + 1, tabindex: "0", "aria-label": "Records of this connection" },
    ...records.slice(start, end).map((record, k) => recordRow(one, record, start + k === place, largest)));
  ui.wire.replaceChildren(
    make("h2", {}, `${one.client} ↔ ${one.server}`, make("span", {}, `${one.name}: ${count(records.length, "record")}`)),
    make("div", { class: "split" }, list, recordDetail(records[place])));
  const now = list.querySelector(".current");
  if (now) keepInSight(list, now);
}

/** @param {Connection} one @param {WireRecord} record @param {boolean} now @param {number} largest */
function recordRow(one, record, now, largest) {
  const bar = make("span", { class: "bar" + (record.kind === "locked" ? " hatch" : ""), "aria-hidden": "true" });
  bar.style.width = Math.max(1, (record.size / largest) * 100) + "%";
  return make("li", { class: "record" + (now ? " current" : ""), "aria-current": now ? "true" : null },
    make("span", { class: "when" }, ms(record.at)),
    make("span", { class: "way" }, (record.up ? "→ " : "← ") + (record.up ? one.server : one.client)),
    make("span", { class: "what" }, make(record.kind === "clear" ? "code" : "span", {}, record.name), make("span", { class: "count" },
      `, ${count(record.size, "octet")}${record.kind === "locked" ? ", locked" : ""}`)), bar);
}

/** @param {WireRecord|undefined} record */
function recordDetail(record) {
  if (!record) return make("div", { class: "detail" }, make("p", {}, "Nothing was on this wire yet but the opening."));
  const octets = (record.hex.match(/../g) || []).map((pair) => parseInt(pair, 16));
  const kept = octets.length < record.size ? ` (the first ${octets.length} of ${record.size})` : "";
  return make("div", { class: "detail" },
    make("p", {}, badge({ locked: "locked", hello: "TLS" }[record.kind] || "in clear"), " ",
      record.why),
    ...(record.kind === "clear" ? [make("h3", {}, "Text" + kept), make("pre", { class: "hex", tabindex: "0", role: "region",
      "aria-label": "The octets as text" }, textOf(octets))] : []),
    make("h3", {}, "Octets" + kept),
    make("pre", { class: "hex", tabindex: "0", role: "region", "aria-label": "Octets as hexadecimal numbers and as text" },
      hexLines(octets)));
}

/** @param {number[]} octets */
function textOf(octets) {
  const text = new TextDecoder().decode(Uint8Array.from(octets));
  return text.replace(/\r\n/g, "\n").replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/g, "·").replace(/\n$/, "");
}

/** @param {number[]} octets */
function hexLines(octets) {
  const pane = ui.wire.clientWidth, share = innerWidth <= 900 ? 1 : 0.53;
  const room = (pane * share) / rem() / 0.62 - 8;
  const wide = room > 72 ? 16 : room > 40 ? 8 : 4;
  const lines = [];
  for (let at = 0; at < octets.length; at += wide) {
    const some = octets.slice(at, at + wide);
    const hex = some.map((o) => o.toString(16).padStart(2, "0")).join(" ").padEnd(wide * 3 - 1);
    const text = some.map((o) => (o > 31 && o < 127 ? String.fromCharCode(o) : "·")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${hex}  ${text}`);
  }
  return lines.join("\n");
}

// --- the map --------------------------------------------------------------------------------------------------------

const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

/** Where everything stands, in pixels. @param {number} width @param {number} height */
function layOut(width, height) {
  const names = [...new Set(model.hosts.map((host) => host.territory))].filter(Boolean);
  const tall = width < Math.max(2, names.length) * 13.5 * rem();
  return tall ? layOutTall(width, names) : layOutWide(width, height, names);
}

function layOutWide(width, height, names) {
  /** @type {Map<string, Point>} */ const points = new Map();
  const ys = model.hosts.map((host) => host.y), low = Math.min(...ys), high = Math.max(...ys);
  const top = 6.1 * rem(), span = height - top - 4.2 * rem();
  const xs = model.hosts.map((host) => host.x), left = Math.min(...xs), right = Math.max(...xs);
  const side = Math.max(...model.hosts.map((host) => textWidth(host.name, true))) / 2 + rem();
  // The first and the last host stand as near to the edge as their names allow.
  const across = (x) => (right > left ? side + ((x - left) / (right - left)) * (width - 2 * side) : x * width);
  for (const host of model.hosts)
    points.set(host.name, { x: right - left > 0.5 ? across(host.x) : Math.max(side, host.x * width), y: top + (high > low ? (host.y - low) / (high - low) : 0.5) * span });
  const room = gaps(points), edge = Math.min(...[...points.values()].map((at) => Math.min(at.x, width - at.x))) - 4;
  const grounds = names.map((name) => {
    const x = points.get(model.hosts.find((host) => host.territory === name).name).x;
    const half = Math.min(9.5 * rem(), width / (names.length * 2) - 6, edge);
    return { name, x: x - half, y: 0.5 * rem(), width: half * 2, height: height - rem() };
  });
  return { points, grounds, tall: false, roles: room > 4.1 * rem(), height };
}

/** The smallest distance between two hosts that stand above each other. @param {Map<string, Point>} points */
function gaps(points) {
  const all = [...points.values()];
  return Math.min(...all.flatMap((a, i) => all.slice(i + 1).filter((b) => Math.abs(a.x - b.x) < 40)
    .map((b) => Math.abs(a.y - b.y))));
}

function layOutTall(width, names) {
  /** @type {Map<string, Point>} */ const points = new Map();
  const grounds = [];
  let y = 0.3 * rem();
  for (const [place, name] of [...names, ""].entries()) {
    const shift = place % 2 ? 0.08 : 0; // so that a link does not run through a host on its way
    const hosts = model.hosts.filter((host) => host.territory === name);
    if (!hosts.length) continue;
    const start = y;
    y += (name ? 2.9 : 1) * rem();
    hosts.forEach((host, i) => {
      points.set(host.name, { x: width * (hosts.length === 1 ? 0.5 : i % 2 ? 0.74 - shift : 0.26 + shift), y });
      y += 3.9 * rem();
    });
    if (name) grounds.push({ name, x: 2, y: start, width: width - 4, height: y - start - 0.6 * rem() });
  }
  return { points, grounds, tall: true, roles: false, height: y };
}

/** How every link stands at the cursor. @returns {Map<number, string>} */
function linkStates() {
  /** @type {Map<number, string>} */ const states = new Map();
  for (const index of model.links.keys()) states.set(index, "later");
  for (let place = 0; place <= state.cursor && place < visible.length; place += 1) {
    const step = model.steps[visible[place]];
    if (step.link === undefined) continue;
    const before = states.get(step.link);
    if (step.kind === "open") states.set(step.link, "clear");
    else if (step.kind === "tls") states.set(step.link, "tls");
    else if (step.kind === "failed") states.set(step.link, "failed");
    else if (step.kind === "close") states.set(step.link, before === "tls" ? "closed tls" : "closed");
    else if (step.kind === "question" || step.kind === "answer") states.set(step.link, "dns");
    else if (before === "later") states.set(step.link, step.tls ? "tls" : "clear");
  }
  return states;
}

function renderMap(animate = false) {
  if (!ui.svg) buildMap();
  const width = Math.max(280, ui.canvas.clientWidth), room = Math.max(14.5 * rem(), ui.canvas.clientHeight - 0.8 * rem());
  const plan = layOut(width, Math.min(room, width * 0.62)), states = linkStates();
  fill(ui.svg, { viewBox: `0 0 ${width} ${plan.height}`, width, height: plan.height }, []);
  const taken = [], [back, links, ways, hosts, labels, signs] = Array.from({ length: 6 }, () => draw("g"));
  ui.drawing.replaceChildren(back, links, ways, hosts, labels, signs);
  for (const ground of plan.grounds) drawGround(back, ground, taken);
  for (const host of model.hosts) drawHost(hosts, host, plan, taken);
  const here = current();
  const order = [...model.links.values()].sort((a, b) => Number(b.index === here?.link) - Number(a.index === here?.link));
  for (const link of order) drawLink(links, link, plan, states.get(link.index));
  if (here) drawStep(ways, signs, here, plan, taken, animate);
  for (const link of order) labelLink(labels, link, plan, states.get(link.index), taken);
  ui.legend.replaceChildren(...legend(new Set(states.values())));
  const told = [...model.links.values()].map((link) =>
    `${link.client} to ${link.server}, ${link.name}: ${STATES[states.get(link.index)]}.`);
  ui.words.replaceChildren(...told.map((text) => make("li", {}, text)));
  const spot = here && plan.points.get(here.to);
  if (spot) for (const box of [ui.canvas, ui.map]) box.scrollTop = spot.y - box.clientHeight / 2;
  ui.desc.textContent = here ? `Now: ${ends(here)}.` : "";
}

function buildMap() {
  ui.desc = draw("desc", { id: "map-desc" });
  ui.drawing = draw("g");
  ui.svg = draw("svg", { role: "img", "aria-labelledby": "map-title map-desc" },
    draw("title", { id: "map-title" }, "Map: the hosts, and who speaks to whom"), ui.desc, ui.drawing);
  ui.canvas = make("div", { class: "canvas", tabindex: "0", role: "region", "aria-label": "Map" }, ui.svg);
  ui.words = make("ul", {});
  ui.legend = make("ul", { class: "legend" });
  ui.map.append(ui.canvas, make("div", { class: "below" }, ui.legend,
    make("details", { class: "words" }, make("summary", {}, "The map in words"), ui.words)));
  // The words below the map may change its height while something moves: it goes on moving.
  new ResizeObserver(() => { if (!ui.map.hidden) renderMap(performance.now() - (ui.movedAt || -1e9) < 500); }).observe(ui.canvas);
}

function drawGround(to, ground, taken) {
  to.append(draw("rect", { class: "ground", x: ground.x, y: ground.y, width: ground.width, height: ground.height, rx: 14 }),
    draw("text", { class: "territory", x: ground.x + ground.width / 2, y: ground.y + 1.45 * rem() }, ground.name));
  taken.push({ x: ground.x, y: ground.y, width: ground.width, height: 2 * rem() });
}

function drawHost(to, host, plan, taken) {
  const { x, y } = plan.points.get(host.name), box = host.name === BOX, size = 0.62 * rem(), here = current();
  const now = here && (here.from === host.name || here.to === host.name);
  const shape = box
    ? draw("rect", { x: x - size, y: y - size, width: size * 2, height: size * 2 })
    : draw("circle", { cx: x, cy: y, r: size });
  fill(shape, { class: "host" + (now ? " now" : "") + (box ? " box" : "") }, []);
  to.append(shape);
  const above = !plan.tall && host.y < 0.5 && !box, below = [1.75 * rem(), 2.95 * rem()];
  const up = [(plan.roles ? -2.5 : -1.2) * rem(), -1.3 * rem()];
  const rows = above ? up : below, wide = textWidth(host.name, true);
  // A role is a second line: where it is narrow, the name is enough.
  if (plan.roles) to.append(draw("text", { class: "role", x, y: y + rows[1] }, host.role));
  to.append(draw("text", { class: "hostname", x, y: y + rows[0] }, host.name));
  const top = above ? y - (plan.roles ? 3.4 : 2.1) * rem() : y - size;
  taken.push({ x: x - wide / 2, y: top, width: wide, height: (plan.roles ? 4.1 : 2.7) * rem() });
}

const pen = document.createElement("canvas").getContext("2d");

/** @param {string} text */
function textWidth(text, bold = false) {
  pen.font = `${bold ? 600 : 400} ${rem()}px system-ui, sans-serif`;
  return pen.measureText(text).width;
}

function drawLink(to, link, plan, how) {
  const a = plan.points.get(link.client), b = plan.points.get(link.server);
  if (a && b) to.append(draw("line", { class: "link " + how, x1: a.x, y1: a.y, x2: b.x, y2: b.y }));
}

/** Write what a link is, where there is room. */
function labelLink(to, link, plan, how, taken) {
  if (how === "later" || plan.tall) return;
  const a = plan.points.get(link.client), b = plan.points.get(link.server);
  if (!a || !b) return;
  const first = link.name, second = link.dns ? "" : STATES[how];
  const width = Math.max(textWidth(first), textWidth(second)) + 1.2 * rem(), height = (second ? 2.9 : 1.7) * rem();
  const area = labelPlace(link, plan, { width, height }, taken, true) || labelPlace(link, plan, { width, height }, taken, false);
  if (!area) return;
  taken.push(area);
  const x = area.x + width / 2, y = area.y + height / 2;
  to.append(draw("rect", { class: "label " + how, ...area, rx: 6 }),
    draw("text", { class: "linkname", x, y: y + (second ? -0.15 : 0.35) * rem() }, first));
  if (second) to.append(draw("text", { class: "linkname how", x, y: y + 1.05 * rem() }, second));
}

/** Find room for a label on its line, or beside it; if `strict`, where it covers no other line. */
function labelPlace(link, plan, { width, height }, taken, strict) {
  const a = plan.points.get(link.client), b = plan.points.get(link.server), long = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  const others = [...model.links.values()].filter((other) => other.client !== link.client || other.server !== link.server);
  for (const aside of [0, -1.6, 1.6, -2.6, 2.6, 3.6, -3.6]) {
    for (const share of [0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73, 0.2, 0.8]) {
      const x = a.x + (b.x - a.x) * share - ((b.y - a.y) / long) * aside * rem();
      const y = a.y + (b.y - a.y) * share + ((b.x - a.x) / long) * aside * rem();
      const area = { x: x - width / 2, y: y - height / 2, width, height };
      if (inside(area, plan) && !taken.some((other) => overlap(area, other))
        && !(strict && others.some((other) => crosses(area, plan.points.get(other.client), plan.points.get(other.server)))))
        return area;
    }
  }
  return null;
}

/** Tell whether a line goes through an area; looked at in twenty-five points. */
function crosses(area, a, b) {
  if (!a || !b) return false;
  return Array.from({ length: 25 }, (_, i) => (i + 0.5) / 25).some((share) => {
    const x = a.x + (b.x - a.x) * share, y = a.y + (b.y - a.y) * share;
    return x > area.x && x < area.x + area.width && y > area.y && y < area.y + area.height;
  });
}

const inside = (area, plan) => area.x > 2 && area.y > 2 && area.x + area.width < ui.canvas.clientWidth - 2
  && area.y + area.height < plan.height - 2;

const overlap = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/** Draw the current step: an arrow, and what travels along it. */
function drawStep(to, signs, step, plan, taken, animate) {
  const a = plan.points.get(step.from), b = plan.points.get(step.to);
  if (!a || !b) return;
  const how = step.tls || step.kind === "tls" ? "tls" : "clear";
  if (step.from === step.to) {
    to.append(draw("circle", { class: "ring", cx: a.x, cy: a.y, r: 1.05 * rem() }));
    return;
  }
  const long = Math.hypot(b.x - a.x, b.y - a.y) || 1, ux = (b.x - a.x) / long, uy = (b.y - a.y) / long, gap = 0.95 * rem();
  const end = { x: b.x - ux * gap, y: b.y - uy * gap }, head = 0.85 * rem();
  to.append(draw("line", { class: "way " + how, x1: a.x + ux * gap, y1: a.y + uy * gap, x2: end.x - ux * head * 0.8, y2: end.y - uy * head * 0.8 }),
    draw("polygon", { class: "point " + how, points: [[0, 0], [-1, 0.5], [-1, -0.5]].map(([p, q]) =>
      `${end.x + (p * ux - q * uy) * head},${end.y + (p * uy + q * ux) * head}`).join(" ") }));
  const place = freePlace(a, b, sign(step), taken, plan);
  const sent = signFor(step, how, place);
  signs.append(sent);
  if (!animate) return;
  ui.movedAt = performance.now();
  if (!quiet.matches)
    sent.animate([{ transform: `translate(${a.x - place.x}px, ${a.y - place.y}px)` }, { transform: "none" }],
      { duration: Math.min(900, SPEEDS[state.speed] * 0.4), easing: "cubic-bezier(.3,.1,.3,1)" });
}

/** Find a point of the way where the sign covers no name. @returns {Point} */
function freePlace(a, b, text, taken, plan) {
  const width = textWidth(text, true) + 2 * rem(), height = 1.9 * rem();
  const long = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  for (const aside of [0, -1.3, 1.3, -2.2, 2.2]) {
    for (const share of [0.5, 0.58, 0.42, 0.66, 0.34, 0.74, 0.26]) {
      const x = a.x + (b.x - a.x) * share - ((b.y - a.y) / long) * aside * rem();
      const y = a.y + (b.y - a.y) * share + ((b.x - a.x) / long) * aside * rem();
      const area = { x: x - width / 2, y: y - height / 2, width, height };
      if (inside(area, plan) && !taken.some((other) => overlap(area, other))) {
        taken.push(area);
        return { x, y };
      }
    }
  }
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

/** @param {Step} step @param {string} how @param {Point} at */
function signFor(step, how, at) {
  const text = sign(step), letter = text === "letter", width = textWidth(text, true) + (letter ? 3 : 1.4) * rem();
  const height = 1.9 * rem(), left = at.x - width / 2, top = at.y - height / 2;
  const group = draw("g", { class: "sign " + how }, draw("rect", { x: left, y: top, width, height, rx: height / 2 }));
  if (letter) {
    const w = 1.2 * rem(), h = 0.85 * rem(), x = left + 0.8 * rem(), y = at.y - h / 2;
    group.append(draw("path", { class: "envelope", d: `M${x} ${y}h${w}v${h}h${-w}zl${w / 2} ${h * 0.6}l${w / 2} ${-h * 0.6}` }));
  }
  group.append(draw("text", { x: at.x + (letter ? 0.8 * rem() : 0), y: at.y + 0.35 * rem() }, text));
  return group;
}

/** @param {Set<string>} used */
function legend(used) {
  const entries = [["tls", "protected by TLS"], ["clear", "readable by anyone on the path"], ["dns", "DNS, readable"],
    ["closed tls", "closed, was protected"], ["closed", "closed, was readable"], ["failed", "no connection"]];
  return entries.filter(([how]) => used.has(how)).map(([how, text]) => make("li", {},
    draw("svg", { class: "sample", viewBox: "0 0 40 8", "aria-hidden": "true" },
      draw("line", { class: "link " + how, x1: 1, y1: 4, x2: 39, y2: 4 })), text));
}

// --- start ----------------------------------------------------------------------------------------------------------

function start() {
  takePart(source.parts[0]);
  state.lens = (model.lenses.find((lens) => lens.name === source.lens) || model.lenses[0]).index;
  state.present = source.present;
  document.documentElement.classList.toggle("present", state.present);
  state.pane = source.pane || (innerWidth >= 100 * rem() ? "all" : "map");
  findVisible();
  build();
  render();
  addEventListener("resize", () => render());
}

start();
