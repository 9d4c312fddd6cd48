// A film: sent, followed while it is read, then shown with a timeline to scrub.
import * as api from "./api.js";
import { answerOf, makeAnswer } from "./answer.js";
import { byId, el, onDrop, say } from "./dom.js";
import { saveFilmCsv, saveFilmJson } from "./downloads.js";
import { overlay } from "./face.js";
import { clock, phraseOf, text } from "./texts.js";

const NEAR = 0.12; // seconds from a moment within which a face is there
let answer = null; // see FilmAnswer
let times = []; // of answer.faces
let panel = null;
let ending = null;

export function startFilm() {
  panel = makeAnswer();
  byId("film-answer").append(panel.words, panel.grid);
  byId("film-input").addEventListener("change", (event) => {
    if (event.target.files[0]) read(event.target.files[0]);
    event.target.value = "";
  });
  onDrop(byId("film-drop"), (files) => files[0] && read(files[0]));
  byId("film-stop").addEventListener("click", () => ending?.abort());
  byId("film-csv").addEventListener("click", () => answer && saveFilmCsv(answer));
  byId("film-json").addEventListener("click", () => answer && saveFilmJson(answer));
  const [video, slider, play] = [byId("film-video"), byId("film-slider"), byId("film-play")];
  slider.addEventListener("input", () => { video.pause(); go(Number(slider.value)); });
  play.addEventListener("click", () => (video.paused ? video.play() : video.pause()));
  const tell = () => { play.textContent = text(video.paused ? "film.play" : "film.pause"); };
  for (const event of ["play", "pause", "ended"]) video.addEventListener(event, tell);
  video.addEventListener("error", () => video.src && say(text("film.unplayable"), true));
  for (const event of ["loadeddata", "seeked"]) video.addEventListener(event, () => answer && show(video.currentTime));
  tell();
  const step = () => {
    if (!video.paused) show(video.currentTime);
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

async function read(file) {
  ending?.abort();
  ending = new AbortController();
  const { signal } = ending;
  const [box, bar, status] = [byId("film-progress"), byId("film-bar"), byId("film-status")];
  byId("film-work").hidden = true;
  box.hidden = false;
  bar.removeAttribute("value");
  status.textContent = text("film.sending");
  let film = null;
  try {
    const sent = await api.sendFilm(file, signal);
    film = sent.film;
    signal.addEventListener("abort", () => api.forgetFilm(film).catch(() => null));
    await api.followFilm(film, (state) => {
      status.textContent = state.status === "waiting" ? text("film.waiting") : text("film.reading", state);
      if (state.total) [bar.max, bar.value] = [state.total, state.done];
    });
    answer = await api.filmAnswer(film);
    open(file);
    say(answer.problem ?? text("film.done"), Boolean(answer.problem));
  } catch (error) {
    if (!signal.aborted) say(error.message, true);
  } finally {
    if (ending.signal === signal) box.hidden = true; // else it shows the next film
    if (film && !signal.aborted) api.forgetFilm(film).catch(() => null);
  }
}

function open(file) {
  const video = byId("film-video");
  if (open.url) URL.revokeObjectURL(open.url);
  open.url = URL.createObjectURL(file);
  video.src = open.url;
  times = answer.faces.map((face) => face.time);
  byId("film-slider").max = answer.duration;
  byId("film-work").hidden = false;
  drawTimeline();
  listEpisodes();
  go(answer.episodes[0]?.start ?? 0);
}

function go(time) {
  byId("film-video").currentTime = time;
  show(time);
}

function facesAt(time) {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < time) low = middle + 1;
    else high = middle;
  }
  const nearest = [times[low], times[low - 1]].filter((one) => one !== undefined)
    .sort((a, b) => Math.abs(a - time) - Math.abs(b - time))[0];
  if (nearest === undefined || Math.abs(nearest - time) > NEAR) return [];
  return answer.faces.slice(times.indexOf(nearest), times.lastIndexOf(nearest) + 1);
}

function show(time) {
  const [video, stage, slider] = [byId("film-video"), byId("film-stage"), byId("film-slider")];
  slider.value = time;
  byId("film-clock").textContent = `${clock(time)} / ${clock(answer.duration)}`;
  for (const cursor of document.querySelectorAll(".timeline .cursor")) {
    cursor.style.setProperty("--at", `${(100 * time) / Math.max(answer.duration, 0.01)}%`);
  }
  const faces = facesAt(time);
  stage.querySelector("svg")?.remove();
  if (video.videoWidth) {
    const box = { left: 0, top: 0, width: video.videoWidth, height: video.videoHeight };
    stage.append(overlay(faces, box, { arrows: false }));
  }
  byId("film-answer").classList.toggle("empty", !faces.length);
  slider.setAttribute("aria-valuetext", `${clock(time)}: ${faces.length ? describe(faces) : text("film.nobody")}`);
  if (!faces.length) return;
  const person = answer.people.find((one) => one.number === faces[0].person);
  panel.show({ ...answerOf(faces[0].probabilities), reference: person.reference });
}

const nameOf = (number) => answer.people.find((person) => person.number === number)?.name ?? "";
const describe = (faces) => faces
  .map((face) => `${nameOf(face.person)} ${phraseOf(answerOf(face.probabilities).label)}`).join(", ");

// A lane a person; an episode is as long as it lasts, coloured by its dominant emotion and named in it.
function drawTimeline() {
  const share = (time) => `${(100 * time) / Math.max(answer.duration, 0.01)}%`;
  const lanes = answer.people.map((person) => {
    const parts = answer.episodes.filter((episode) => episode.person === person.number).map((episode) => el("button", {
      type: "button", tabindex: "-1", class: "episode", title: describeEpisode(episode),
      "data-emotion": episode.label.split("_")[1],
      style: { "--from": share(episode.start), "--width": share(episode.end - episode.start) },
      onclick: () => go(episode.start),
    }, el("span", {}, episode.phrase)));
    return el("div", { class: "lane" }, el("span", { class: "lane-name" }, person.name),
      el("div", { class: "lane-line", role: "group", "aria-label": text("film.timeline", { name: person.name }) },
        ...parts, el("span", { class: "cursor" })));
  });
  byId("film-timeline").replaceChildren(...lanes);
}

const describeEpisode = (episode) => text("film.episode", {
  start: clock(episode.start), end: clock(episode.end), name: nameOf(episode.person), phrase: phraseOf(episode.label),
});

function listEpisodes() {
  byId("film-episodes").replaceChildren(...(answer.episodes.length
    ? answer.episodes.map((episode) => el("li", {},
      el("button", { type: "button", class: "quiet", onclick: () => go(episode.start) }, describeEpisode(episode))))
    : [el("li", { class: "faint" }, text("film.none"))]));
}
