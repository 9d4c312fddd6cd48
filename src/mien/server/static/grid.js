// The 7 x 7 grid as a heat map that answers to pointer and keys; neutral is its last row.
import { el } from "./dom.js";
import { percent, phraseOf, text, texts } from "./texts.js";

// A grid whose values can be shown again and again: { element, show(answer) }.
export function makeGrid() {
  const caption = el("p", { class: "grid-caption", "aria-live": "off" });
  const nouns = texts.emotions.nouns;
  const cells = [];
  const cell = (label, row, column, attributes = {}) => {
    const made = el("td", { role: "gridcell", tabindex: "-1", ...attributes });
    Object.assign(made.dataset, { label, row, column });
    cells.push(made);
    return made;
  };
  const head = el("tr", { role: "row" }, el("td", { class: "corner", role: "presentation" }),
    ...nouns.map((noun) => el("th", { scope: "col", role: "columnheader" }, el("span", {}, noun))));
  const rows = nouns.map((noun, row) => el("tr", { role: "row" },
    el("th", { scope: "row", role: "rowheader" }, noun),
    ...nouns.map((_, column) => cell(`${row + 1}_${column + 1}`, row, column))));
  const neutral = el("tr", { role: "row", class: "neutral" },
    el("th", { scope: "row", role: "rowheader" }, texts.emotions.neutral), cell("N_N", 7, 0, { colspan: "7" }));
  const table = el("table", { role: "grid", "aria-label": text("grid.label") },
    el("thead", { role: "rowgroup" }, head), el("tbody", { role: "rowgroup" }, ...rows, neutral));
  const axes = el("p", { class: "axes faint" }, el("span", {}, `→ ${text("grid.dominant")}`),
    el("span", {}, `↓ ${text("grid.complementary")}`));
  const element = el("div", { class: "grid" }, axes, table, caption);

  const tell = (at) => { caption.textContent = at ? at.dataset.told : text("grid.help"); };
  table.addEventListener("pointerover", (event) => tell(event.target.closest("[role=gridcell]")));
  table.addEventListener("pointerleave", () => tell(table.querySelector(":focus")));
  table.addEventListener("click", (event) => event.target.closest("[role=gridcell]")?.focus());
  table.addEventListener("focusin", (event) => {
    for (const one of cells) one.tabIndex = one === event.target ? 0 : -1;
    tell(event.target);
  });
  table.addEventListener("keydown", (event) => {
    const next = neighbour(cells, event);
    if (!next) return;
    event.preventDefault();
    next.focus();
  });

  const show = ({ matrix, neutral: share, label }) => {
    const highest = Math.max(share, ...matrix.flat());
    const focused = cells.some((one) => one === document.activeElement);
    for (const one of cells) {
      const value = one.dataset.label === "N_N" ? share : matrix[one.dataset.row][one.dataset.column];
      const depth = Math.sqrt(value / highest);
      one.style.setProperty("--depth", depth.toFixed(3));
      one.style.setProperty("--share", `${(100 * value).toFixed(1)}%`);
      one.classList.toggle("half", depth > 0.54); // where white is told from a cell better than black, or the other
      one.classList.toggle("deep", depth > 0.785); // way round: in dark and in light pages, 4.5 to 1 at least
      one.classList.toggle("best", one.dataset.label === label);
      one.textContent = value >= 0.005 ? `${Math.round(100 * value)}` : "·";
      one.setAttribute("aria-label", text("grid.cell", { phrase: phraseOf(one.dataset.label), percent: percent(value) }));
      one.dataset.told = told(one.dataset.label, value);
      if (!focused) one.tabIndex = one.dataset.label === label ? 0 : -1;
    }
    tell(table.querySelector("td:hover") ?? (focused ? document.activeElement : null));
  };
  return { element, show };
}

function told(label, value) {
  const values = { phrase: phraseOf(label), percent: percent(value) };
  if (label === "N_N") return text("grid.neutral", values);
  const [complementary, dominant] = label.split("_").map((digit) => texts.emotions.nouns[digit - 1]);
  if (complementary === dominant) return text("grid.plain", { ...values, emotion: dominant });
  return text("grid.pair", { ...values, complementary, dominant });
}

function neighbour(cells, event) {
  const { row, column } = event.target.dataset;
  if (row === undefined) return null;
  const at = { row: Number(row), column: Number(column) };
  const moves = {
    ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
    Home: [0, -7], End: [0, 7], PageUp: [-8, 0], PageDown: [8, 0],
  };
  const move = moves[event.key];
  if (!move) return null;
  const to = {
    row: Math.min(7, Math.max(0, at.row + move[0])),
    column: Math.min(6, Math.max(0, at.column + move[1])),
  };
  return cells.find((one) => Number(one.dataset.row) === to.row && (to.row === 7 || Number(one.dataset.column) === to.column));
}
