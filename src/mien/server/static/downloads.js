// Answers as files.
import { save } from "./dom.js";

const LABELS = ["N_N", ...Array.from({ length: 49 }, (_, i) => `${Math.floor(i / 7) + 1}_${(i % 7) + 1}`)];

function csvOf(rows) {
  const quoted = (value) => {
    let shown = value === null || value === undefined ? "" : String(value);
    if (typeof value === "string" && /^[=+\-@\t]/.test(shown)) shown = `'${shown}`; // no formula for a spreadsheet
    return /[",\n\r]/.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown;
  };
  const names = Object.keys(rows[0] ?? {});
  return [names, ...rows.map((row) => names.map((name) => row[name]))].map((row) => row.map(quoted).join(",")).join("\r\n");
}

const probabilitiesOf = (face) => Object.fromEntries(
  [face.neutral, ...face.matrix.flat()].map((value, i) => [`p_${LABELS[i]}`, value]));

function rowsOf(items) {
  return items.flatMap((item) => (item.answer?.faces ?? []).map((face) => ({
    photo: item.name,
    face: face.face.place,
    label: face.label,
    phrase: face.phrase,
    dominant: face.dominant,
    complementary: face.complementary,
    probability: face.probability,
    reference: face.reference.kind,
    reference_photos: face.reference.photos,
    flags: face.flags.join(", "),
    moved: face.movements.map((one) => `${one.part} ${one.change} ${Math.round(100 * one.amount)}`).join(", "),
    actions: face.actions.map((one) => `${one.unit} ${one.side} ${one.strength}`).join(", "),
    ...probabilitiesOf(face),
  })));
}

export function saveCsv(items) {
  save(new Blob(["\ufeff", csvOf(rowsOf(items))], { type: "text/csv" }), "mien.csv");
}

export function saveJson(items) {
  const content = items.map((item) => ({
    name: item.name, answer: item.answer ?? null, problem: item.problem?.content ?? null,
  }));
  save(new Blob([JSON.stringify(content, null, 1)], { type: "application/json" }), "mien.json");
}

export function saveFilmCsv(answer) {
  const names = new Map(answer.people.map((person) => [person.number, person.name]));
  const rows = answer.faces.map((face) => {
    const best = face.probabilities.indexOf(Math.max(...face.probabilities));
    return {
      frame: face.frame,
      time: face.time,
      person: names.get(face.person),
      label: LABELS[best],
      probability: face.probabilities[best],
      ...Object.fromEntries(face.probabilities.map((value, i) => [`p_${LABELS[i]}`, value])),
    };
  });
  save(new Blob(["\ufeff", csvOf(rows)], { type: "text/csv" }), "mien-film.csv");
}

export function saveFilmJson(answer) {
  save(new Blob([JSON.stringify(answer)], { type: "application/json" }), "mien-film.json");
}
