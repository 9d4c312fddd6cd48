// An answer in words: the phrase, the top five, what moved, the reference, the flags; and the grid.
import { el } from "./dom.js";
import { makeGrid } from "./grid.js";
import { percent, phraseOf, text, texts } from "./texts.js";

// A panel whose answer can be shown again and again: { words, grid, show(answer, before) }.
export function makeAnswer() {
  const phrase = el("p", { class: "phrase" });
  const sure = el("p", { class: "sure faint" });
  const before = el("p", { class: "before faint" });
  const reference = el("p", { class: "reference" });
  const top = el("ol", { class: "top5" });
  const moved = el("ul", { class: "moved" });
  const movedHelp = el("p", { class: "faint small" }, text("answer.movedHelp"));
  const flags = el("ul", { class: "flags" });
  const movedPart = el("section", { class: "part" }, heading("answer.movedTitle"), moved, movedHelp);
  const flagsPart = el("section", { class: "part" }, heading("answer.flagsTitle"), flags);
  const words = el("div", { class: "words" }, phrase, sure, before, reference,
    el("section", { class: "part" }, heading("answer.topTitle"), top), movedPart, flagsPart);
  const made = makeGrid();
  const grid = el("section", { class: "part grid-part" }, heading("answer.gridTitle"), made.element);

  const show = (answer, earlier = null) => {
    phrase.textContent = phraseOf(answer.label);
    sure.textContent = text("answer.probability", { percent: percent(answer.probability) });
    before.hidden = !earlier;
    if (earlier) {
      before.textContent = text("photos.was", { phrase: phraseOf(earlier.label), percent: percent(earlier.probability) });
    }
    reference.hidden = !answer.reference;
    if (answer.reference) reference.replaceChildren(...referenceTexts(answer.reference));
    const highest = answer.top[0].probability;
    top.replaceChildren(...answer.top.map((one) => el("li", { style: { "--share": `${(100 * one.probability) / highest}%` } },
      el("span", { class: "name" }, phraseOf(one.label)), el("span", { class: "value" }, percent(one.probability)))));
    movedPart.hidden = !answer.movements;
    if (answer.movements) moved.replaceChildren(...movedItems(answer.movements));
    movedHelp.hidden = !answer.movements?.length;
    flagsPart.hidden = !answer.flags?.length;
    flags.replaceChildren(...(answer.flags ?? []).map((flag) => el("li", {}, texts.flags[flag] ?? flag)));
    made.show(answer);
  };
  return { words, grid, show };
}

function heading(path) {
  return el("h2", {}, text(path));
}

function referenceTexts({ kind, photos, top5 }) {
  const form = kind === "estimated" && photos === 1 ? "single" : kind;
  const parts = [text(`reference.kinds.${form}`, {
    count: photos === 1 ? text("reference.one") : text("reference.several", { count: photos }),
  })];
  if (top5 !== undefined) parts.push(text("reference.worth", { top5: Math.round(100 * top5) }));
  return parts.map((part, i) => (i ? el("span", { class: "faint" }, ` ${part}`) : el("strong", {}, part)));
}

function movedItems(found) {
  if (!found.length) return [el("li", { class: "nothing faint" }, text("answer.movedNothing"))];
  return found.map(({ part, change, amount }) => el("li", {},
    el("span", {}, texts.moved[part]?.[change] ?? `${part} ${change}`), el("span", { class: "value" }, `${Math.round(100 * amount)}`)));
}

// An answer from the probabilities of the 50 classes alone, as films have them.
export function answerOf(probabilities) {
  const labels = ["N_N"];
  for (let row = 1; row <= 7; row += 1) for (let column = 1; column <= 7; column += 1) labels.push(`${row}_${column}`);
  const order = probabilities.map((_, i) => i).sort((a, b) => probabilities[b] - probabilities[a]);
  const top = order.slice(0, 5).map((i) => ({ label: labels[i], probability: probabilities[i] }));
  const matrix = Array.from({ length: 7 }, (_, row) => probabilities.slice(1 + 7 * row, 8 + 7 * row));
  return { label: top[0].label, probability: top[0].probability, top, matrix, neutral: probabilities[0] };
}
