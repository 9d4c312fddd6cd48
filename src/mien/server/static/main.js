// The page: views by the address, light and dark, and the parts.
import { health, signIn } from "./api.js";
import { startCamera, stopCamera } from "./camera.js";
import { byId, fillTexts, say } from "./dom.js";
import { startFilm } from "./film.js";
import { showPeople, startPeople } from "./people.js";
import { refreshCompare, startPhotos } from "./photos.js";
import { text } from "./texts.js";

const root = document.documentElement;

function showTheme(theme) {
  root.dataset.theme = theme;
  byId("theme").textContent = theme === "dark" ? "☀" : "☾";
}

function startTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const saved = () => localStorage.getItem("theme");
  showTheme(saved() ?? (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", () => saved() || showTheme(dark.matches ? "dark" : "light"));
  byId("theme").addEventListener("click", () => {
    const theme = root.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("theme", theme);
    showTheme(theme);
  });
}

function showView(moveFocus) {
  const views = [...document.querySelectorAll("[data-view]")];
  const wanted = location.hash.slice(1);
  const name = views.some((view) => view.dataset.view === wanted) ? wanted : "photos";
  for (const view of views) view.hidden = view.dataset.view !== name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (name !== "camera") stopCamera();
  if (name === "people") showPeople();
  document.title = `${text(`nav.${name}`)} · mien`;
  if (moveFocus) byId("main").focus();
}

async function start() {
  fillTexts();
  startTheme();
  startPhotos();
  startFilm();
  startCamera();
  startPeople();
  addEventListener("hashchange", () => location.hash !== "#main" && showView(true));
  showView(false);
  const state = await health();
  if (!state.signed_in) await signIn();
  await refreshCompare();
  root.dataset.ready = "true";
}

start().catch((error) => say(error.message, true));
