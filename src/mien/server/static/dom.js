// Building and finding elements; no HTML is ever parsed.
import { text } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

// An element: attributes, listeners (onclick), `style` as an object of custom properties, then children.
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Put the texts where the page names them.
export function fillTexts(root = document) {
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", text(element.dataset.label));
  }
}

// Say something to everybody, screen readers too.
export function say(message, isProblem = false) {
  const status = byId("status");
  status.textContent = message;
  status.classList.toggle("problem", isProblem);
  status.classList.add("shown");
  clearTimeout(say.timer);
  if (!isProblem) say.timer = setTimeout(() => status.classList.remove("shown"), 6000);
}

// Let files be dropped on an element.
export function onDrop(element, take) {
  let depth = 0;
  const mark = (on) => element.classList.toggle("over", on);
  element.addEventListener("dragenter", (event) => { event.preventDefault(); depth += 1; mark(true); });
  element.addEventListener("dragleave", () => { depth -= 1; if (depth <= 0) mark(false); });
  element.addEventListener("dragover", (event) => event.preventDefault());
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    mark(false);
    take([...event.dataTransfer.files]);
  });
}

export function save(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
