// Points and arrows drawn into a canvas: for pictures to keep, and for the camera, where lines over it cost too much.
import { arrowsOf, headOf, linesOf } from "./face.js";

const [POINT, ARROW] = ["#ffe08a", "#ff5a3c"];

// `at` takes a point of the photo to one of the canvas; `unit` is the width of an arrow there, in pixels.
export function drawMarks(context, face, at, unit) {
  Object.assign(context, { lineWidth: 0.6 * unit, strokeStyle: POINT, fillStyle: POINT, lineJoin: "round" });
  context.beginPath();
  for (const line of linesOf(face.landmarks)) trace(context, line.map(at));
  context.stroke();
  context.beginPath();
  for (const [x, y] of face.landmarks.map(at)) {
    context.moveTo(x + unit, y);
    context.arc(x, y, unit, 0, 2 * Math.PI);
  }
  context.fill();
  Object.assign(context, { lineWidth: unit, strokeStyle: ARROW, fillStyle: ARROW });
  for (const [from, to] of arrowsOf(face)) {
    const { neck, corners } = headOf(at(from), at(to), 5 * unit);
    context.beginPath();
    trace(context, [at(from), neck]);
    context.stroke();
    context.beginPath();
    trace(context, corners);
    context.fill();
  }
}

function trace(context, points) {
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
}
