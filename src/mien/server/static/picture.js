// A picture of one reading, to keep: the face with points and arrows, the words, and the grid.
import { save } from "./dom.js";
import { around, drawSquare } from "./face.js";
import { drawMarks } from "./marks.js";
import { percent, phraseOf, text, texts } from "./texts.js";

const [WIDTH, HEIGHT, GAP, PHOTO, CELL] = [1240, 800, 40, 560, 56];
const [PAPER, INK, FAINT, DEEP, LIGHT, WARM] = ["#ffffff", "#1d2733", "#52616f", [31, 90, 138], [238, 242, 246], "#ff5a3c"];
const FONT = "system-ui, sans-serif";

export function savePicture(item, answer) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [WIDTH, HEIGHT];
  const context = canvas.getContext("2d");
  context.fillStyle = PAPER;
  context.fillRect(0, 0, WIDTH, HEIGHT);
  write(context, phraseOf(answer.label), GAP, 76, `600 44px ${FONT}`, INK);
  write(context, text("answer.probability", { percent: percent(answer.probability) }), GAP, 112, `19px ${FONT}`, FAINT);
  if (item.bitmap) drawFace(context, item.bitmap, answer.face);
  write(context, texts.footer.split(". ")[0], GAP, HEIGHT - 28, `15px ${FONT}`, FAINT);
  drawGrid(context, answer, WIDTH - GAP - 7 * CELL, 250);
  canvas.toBlob((blob) => save(blob, `${item.name.replace(/\.\w+$/, "")}-mien.png`), "image/png");
}

function write(context, words, x, y, font, colour, align = "left") {
  context.font = font;
  context.fillStyle = colour;
  context.textAlign = align;
  context.fillText(words, x, y);
}

function drawFace(context, bitmap, face) {
  const square = around(face);
  const photo = document.createElement("canvas");
  drawSquare(photo, bitmap, square, PHOTO);
  const [left, top, scale] = [GAP, 140, PHOTO / square.side];
  const at = ([x, y]) => [left + (x - square.left) * scale, top + (y - square.top) * scale];
  context.fillStyle = "#e9edf0";
  context.fillRect(left, top, PHOTO, PHOTO);
  context.drawImage(photo, left, top);
  drawMarks(context, face, at, 2.5);
}

function drawGrid(context, answer, left, top) {
  const highest = Math.max(answer.neutral, ...answer.matrix.flat());
  const cell = (value, x, y, width, isBest) => {
    const depth = Math.sqrt(value / highest);
    context.fillStyle = `rgb(${LIGHT.map((low, i) => Math.round(low + (DEEP[i] - low) * depth)).join(" ")})`;
    context.fillRect(x, y, width - 3, CELL - 3);
    if (isBest) {
      [context.strokeStyle, context.lineWidth] = [WARM, 3];
      context.strokeRect(x + 1, y + 1, width - 5, CELL - 5);
    }
    const words = value >= 0.005 ? Math.round(100 * value) : "·";
    write(context, words, x + width / 2 - 2, y + CELL / 2 + 5, `16px ${FONT}`, depth > 0.79 ? "#fff" : "#000", "center");
  };
  texts.emotions.nouns.forEach((noun, i) => {
    write(context, noun, left - 12, top + i * CELL + CELL / 2 + 5, `16px ${FONT}`, INK, "right");
    context.save();
    context.translate(left + i * CELL + CELL / 2, top - 10);
    context.rotate(-Math.PI / 4);
    write(context, noun, 0, 0, `16px ${FONT}`, INK);
    context.restore();
    answer.matrix[i].forEach((value, j) => cell(value, left + j * CELL, top + i * CELL, CELL, answer.label === `${i + 1}_${j + 1}`));
  });
  write(context, texts.emotions.neutral, left - 12, top + 7.2 * CELL + CELL / 2 + 5, `16px ${FONT}`, INK, "right");
  cell(answer.neutral, left, top + 7.2 * CELL, 7 * CELL, answer.label === "N_N");
}
