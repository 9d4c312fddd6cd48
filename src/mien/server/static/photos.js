// Photos side by side: added, read one by one, compared with what was chosen, shown with their faces.
import * as api from "./api.js";
import { makeAnswer } from "./answer.js";
import { byId, el, onDrop, say } from "./dom.js";
import { saveCsv, saveJson } from "./downloads.js";
import { around, drawSquare, overlay } from "./face.js";
import { savePicture } from "./picture.js";
import * as reference from "./reference.js";
import { percent, phraseOf, text } from "./texts.js";

const AT_ONCE = 2;
const SAMPLES = [
  "asha-neutral", "asha-happily-surprised", "asha-surprised", "asha-fearfully-happy",
  "ben-neutral", "ben-disgusted", "ben-happy", "ben-surprised",
];
// { name, blob, bitmap, answer, before, problem, place, card }
let items = [];
let selected = null;
let neutralItem = null; // the one whose face was said to be neutral
let turn = 0; // readings of an earlier turn are passed over
let panel = null;
let figure = null;

export function startPhotos() {
  panel = makeAnswer();
  figure = makeFigure();
  byId("photo-answer").append(figure.element, panel.words, panel.grid);
  byId("photo-input").addEventListener("change", (event) => {
    add([...event.target.files].map((file) => ({ name: file.name, blob: file })));
    event.target.value = "";
  });
  onDrop(byId("photo-drop"), (files) => add(files.map((file) => ({ name: file.name, blob: file }))));
  onDrop(byId("photo-work"), (files) => add(files.map((file) => ({ name: file.name, blob: file }))));
  byId("samples").append(...SAMPLES.map(sampleButton));
  byId("clear").addEventListener("click", clear);
  byId("compare").addEventListener("change", (event) => {
    const [mode, ...name] = event.target.value.split(":");
    reference.choose(mode, name.join(":"));
  });
  byId("view-photos").addEventListener("click", download);
  reference.onChange(() => { fillCompare(); readAll(); });
}

// The names of enrolled people may have changed.
export async function refreshCompare() {
  const known = await api.people().catch(() => []);
  fillCompare.people = known.filter((person) => person.usable).map((person) => person.name);
  fillCompare();
}

function fillCompare() {
  const { mode, name } = reference.chosen();
  const session = reference.sessionReference();
  const option = (value, label) => el("option", { value, selected: value === (mode === "person" ? `person:${name}` : mode) }, label);
  byId("compare").replaceChildren(
    option("alone", text("reference.alone")),
    option("together", text("reference.together")),
    ...(session ? [option("session", text("reference.session", { name: session.name }))] : []),
    ...(fillCompare.people ?? []).map((one) => option(`person:${one}`, text("reference.person", { name: one }))));
}

function sampleButton(name) {
  const shown = name.replaceAll("-", " ");
  const take = async () => {
    const response = await fetch(`/static/samples/${name}.jpg`);
    add([{ name: `${name}.jpg`, blob: await response.blob() }]);
  };
  return el("li", {}, el("button", { type: "button", class: "sample", onclick: take, "aria-label": shown },
    el("img", { src: `/static/samples/${name}.jpg`, alt: "", width: 64, height: 64, loading: "lazy" })));
}

function add(given) {
  if (!given.length) return;
  const added = given.map((one) => ({ ...one, place: 0 }));
  items.push(...added);
  showWork(true);
  for (const item of added) makeCard(item);
  select(added[0]);
  say(text("photos.added", { count: added.length }));
  if (reference.chosen().mode === "together") readAll();
  else readSome(added);
}

function showWork(on) {
  byId("photo-work").hidden = !on;
  byId("steps").hidden = on;
  byId("photo-drop").classList.toggle("fresh", !on);
}

function clear() {
  turn += 1;
  items = [];
  selected = null;
  byId("cards").replaceChildren();
  showWork(false);
  reference.dropSession();
  byId("photo-input").focus();
}

function readAll() {
  turn += 1;
  for (const item of items) {
    item.before = item.answer ?? item.before;
    item.problem = null;
  }
  if (reference.chosen().mode === "together") readTogether();
  else readSome(items);
}

async function readSome(some) {
  const [now, waiting] = [turn, [...some]];
  for (const item of waiting) mark(item, true);
  const work = async () => {
    while (waiting.length && now === turn) {
      const item = waiting.shift();
      try {
        take(item, now, await api.readPhoto(item, reference.given()));
      } catch (error) {
        take(item, now, null, error);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

async function readTogether() {
  if (!items.length) return;
  const [now, some] = [turn, [...items]];
  for (const item of some) mark(item, true);
  try {
    const read = await api.readTogether(some);
    read.photos.forEach((one, i) => take(some[i], now, one.answer, one.problem && new api.Problem(one.problem)));
  } catch (error) {
    for (const item of some) take(item, now, null, error);
  }
}

async function take(item, now, answer, problem = null) {
  if (now !== turn || !items.includes(item)) return;
  item.answer = answer;
  item.problem = problem;
  item.bitmap ??= await createImageBitmap(item.blob).catch(() => null);
  item.place = Math.min(item.place, Math.max(0, (answer?.faces.length ?? 1) - 1));
  mark(item, false);
  if (item === selected) {
    show();
    const face = faceOf(item);
    if (face) say(text("photos.read", { name: item.name, phrase: phraseOf(face.label), percent: percent(face.probability) }));
  }
}

const faceOf = (item) => item.answer?.faces[item.place] ?? null;
const faceBefore = (item) => item.before?.faces[item.place] ?? null;

function makeCard(item) {
  const canvas = el("canvas", { width: 8, height: 8, "aria-hidden": "true" });
  const phrase = el("span", { class: "card-phrase" });
  const note = el("span", { class: "card-note faint" });
  const button = el("button", { type: "button", class: "card", "aria-pressed": "false", onclick: () => select(item) },
    canvas, phrase, note);
  const remove = el("button", {
    type: "button", class: "remove", "aria-label": text("photos.remove", { name: item.name }), onclick: () => removeItem(item),
  }, "×");
  item.card = el("li", {}, button, remove);
  byId("cards").append(item.card);
}

function removeItem(item) {
  items = items.filter((one) => one !== item);
  item.card.remove();
  if (!items.length) return clear();
  if (item === selected) select(items[0]);
  if (reference.chosen().mode === "together") readAll();
  return null;
}

// Show in its card how far a photo is.
function mark(item, isReading) {
  item.card.classList.toggle("reading", isReading);
  const [phrase, note] = item.card.querySelectorAll(".card-phrase, .card-note");
  const face = faceOf(item);
  item.card.classList.toggle("failed", Boolean(item.problem));
  if (isReading && !face) phrase.textContent = text("photos.reading");
  else if (item.problem) phrase.textContent = item.problem.content?.title ?? String(item.problem);
  else if (face) phrase.textContent = `${phraseOf(face.label)} ${percent(face.probability)}`;
  note.textContent = item.name;
  if (!item.bitmap) return;
  const { width, height } = item.bitmap;
  const side = Math.min(width, height);
  const square = face ? around(face.face, 0.8) : { left: (width - side) / 2, top: (height - side) / 2, side };
  drawSquare(item.card.querySelector("canvas"), item.bitmap, square, 240);
}

function select(item) {
  selected = item;
  for (const one of items) one.card.querySelector(".card").setAttribute("aria-pressed", String(one === item));
  show();
}

function show() {
  const face = faceOf(selected);
  byId("photo-answer").classList.toggle("empty", !face);
  figure.show(selected);
  if (!face) return;
  const before = faceBefore(selected);
  panel.show(face, before && before.reference.kind !== face.reference.kind ? before : null);
}

// The face large, with its points and arrows, and what can be done with it.
function makeFigure() {
  const options = { points: true, arrows: true };
  const canvas = el("canvas", { role: "img" });
  const stage = el("div", { class: "stage square" }, canvas);
  const faces = el("div", { class: "faces" });
  const problem = el("p", { class: "problem", role: "alert" });
  const toggle = (key) => el("button", {
    type: "button", class: "quiet", "aria-pressed": "true",
    onclick: (event) => {
      options[key] = !options[key];
      event.target.setAttribute("aria-pressed", String(options[key]));
      show();
    },
  }, text(`answer.${key}`));
  const neutral = el("button", { type: "button", class: "button", id: "photo-neutral", onclick: chooseNeutral },
    text("reference.neutral"));
  const element = el("figure", { class: "figure" }, stage, problem, faces,
    el("div", { class: "bar" }, neutral, el("span", { class: "spring" }), toggle("points"), toggle("arrows")));

  const shown = (item) => {
    const face = faceOf(item);
    problem.hidden = !item.problem;
    problem.textContent = item.problem ? item.problem.message : "";
    const isNeutral = item === neutralItem && reference.chosen().mode === "session";
    neutral.textContent = text(isNeutral ? "reference.neutralDone" : "reference.neutral");
    neutral.disabled = !face || isNeutral || item.place > 0; // a reference is made of the largest face
    stage.querySelector("svg")?.remove();
    stage.hidden = !item.bitmap;
    if (!item.bitmap) return;
    const { width, height } = item.bitmap;
    const side = Math.max(width, height);
    const square = face ? around(face.face) : { left: (width - side) / 2, top: (height - side) / 2, side };
    drawSquare(canvas, item.bitmap, square, 1000);
    canvas.setAttribute("aria-label", text("photos.alt", { name: item.name }));
    if (face) stage.append(overlay([face.face], { ...square, width: square.side, height: square.side }, options));
    const count = item.answer?.faces.length ?? 0;
    faces.replaceChildren(...(count > 1 ? item.answer.faces : []).map((_, place) => el("button", {
      type: "button", class: "quiet", "aria-pressed": String(place === item.place),
      onclick: () => { item.place = place; mark(item, false); show(); },
    }, text("photos.face", { place: place + 1, count }))));
  };
  return { element, show: shown };
}

async function chooseNeutral() {
  const item = selected;
  try {
    const made = await api.makeReference([item]);
    neutralItem = item;
    reference.keepSession(made.reference, item.name);
    show();
    say(made.expressive.length
      ? text("reference.expressive", { phrase: made.expressive[0].phrase })
      : text("reference.set", { name: item.name }));
  } catch (error) {
    say(error.message, true);
  }
}

function download(event) {
  const kind = event.target.dataset?.download;
  if (kind === "csv") saveCsv(items);
  else if (kind === "json") saveJson(items);
  else if (kind === "png" && selected && faceOf(selected)) savePicture(selected, faceOf(selected));
}
