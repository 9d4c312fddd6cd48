// Calls to the service beside the page. What goes wrong is a `Problem`, as RFC 9457 has it.
import { byId } from "./dom.js";
import { text } from "./texts.js";

export class Problem extends Error {
  constructor(content) {
    super(`${content.title}. ${content.remedy}`);
    this.content = content;
  }
}

async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(`/v1${path}`, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ title: text("problem.network"), remedy: "", status: 0 });
  }
  if (response.status === 401) {
    await signIn();
    return call(path, options);
  }
  if (!response.ok) throw new Problem(await response.json());
  return response.status === 204 ? null : response.json();
}

function form(photos, values = {}) {
  const body = new FormData();
  for (const [name, value] of Object.entries(values)) if (value) body.append(name, value);
  for (const { name, blob } of photos) body.append("photo", blob, name);
  return { method: "POST", body };
}

export const health = () => call("/health");
export const readPhoto = (photo, given) => call("/photos", form([photo], { faces: "all", ...given }));
export const readTogether = (photos) => call("/people-photos", form(photos));
export const makeReference = (photos) => call("/references", form(photos));
export const people = () => call("/people");
export const forget = (name) => call(`/people/${encodeURIComponent(name)}`, { method: "DELETE" });
export const enroll = (name, photos, neutral) =>
  call("/people", form(photos, { name, neutral: neutral ? "true" : "", replace: "true" }));
export const sendFilm = (file, signal) => call("/films", { method: "POST", body: file, signal });
export const filmAnswer = (film) => call(`/films/${film}/answer`);
export const forgetFilm = (film) => call(`/films/${film}`, { method: "DELETE" });
export const beginCamera = () => call("/cameras", { method: "POST" });
export const endCamera = (camera) => call(`/cameras/${camera}`, { method: "DELETE" });

export function readFrame(camera, body, given) {
  const query = new URLSearchParams(given).toString();
  return call(`/cameras/${camera}/frames${query ? `?${query}` : ""}`, {
    method: "POST", body, headers: { "Content-Type": "image/jpeg" },
  });
}

// How a film goes on: `told` is given each state; resolves when it is done.
export function followFilm(film, told) {
  return new Promise((resolve, reject) => {
    const source = new EventSource(`/v1/films/${film}/events`);
    const end = (event) => {
      source.close();
      const state = JSON.parse(event.data);
      if (state.status === "done") resolve(state);
      else reject(new Problem(state.problem));
    };
    source.addEventListener("progress", (event) => told(JSON.parse(event.data)));
    source.addEventListener("done", end);
    source.addEventListener("failed", end);
    source.addEventListener("error", () => { // it tries again by itself, unless it was refused
      if (source.readyState === EventSource.CLOSED) reject(new Problem({ title: text("problem.network"), remedy: "", status: 0 }));
    });
  });
}

let signingIn = null;

// Ask for the token until it is the right one.
export function signIn() {
  signingIn ??= new Promise((resolve) => {
    const dialog = byId("sign-in");
    const submit = async (event) => {
      event.preventDefault();
      const body = JSON.stringify({ token: byId("token").value });
      const headers = { "Content-Type": "application/json" };
      const response = await fetch("/v1/session", { method: "POST", headers, body });
      if (!response.ok) {
        byId("sign-in-problem").textContent = (await response.json()).detail;
        return;
      }
      dialog.removeEventListener("submit", submit);
      dialog.close();
      signingIn = null;
      resolve();
    };
    dialog.addEventListener("submit", submit);
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.showModal();
  });
  return signingIn;
}
