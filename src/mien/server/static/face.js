// A face with its points and arrows: a canvas for the pixels, and lines over it.
import { svg } from "./dom.js";

const REGIONS = [
  [0, 17, false], [17, 22, false], [22, 27, false], [27, 31, false], [31, 36, false],
  [36, 42, true], [42, 48, true], [48, 60, true], [60, 68, true],
];
const LEAST = 0.02; // of the distance between the eyes' outer corners
const JAW = new Set([0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16]); // slides along the cheek, so no arrows

// The square of a photo around a face: left, top and side in photo pixels.
export function around(face, margin = 0.62) {
  const xs = face.landmarks.map((point) => point[0]);
  const ys = face.landmarks.map((point) => point[1]);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const side = Math.max(right - left, bottom - top) * (1 + margin);
  return { left: (left + right - side) / 2, top: (top + bottom) / 2 - side * 0.55, side };
}

// Draw that square of a bitmap; what is outside of it stays clear.
export function drawSquare(canvas, bitmap, square, pixels) {
  canvas.width = canvas.height = pixels;
  const scale = pixels / square.side;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.setTransform(scale, 0, 0, scale, -square.left * scale, -square.top * scale);
  context.drawImage(bitmap, 0, 0);
  context.setTransform(1, 0, 0, 1, 0, 0);
}

// Arrows from where each landmark lies when the face is neutral to where it lies now: [from, to].
export function arrowsOf(face) {
  if (!face.neutral_landmarks) return [];
  const [right, left] = [face.landmarks[36], face.landmarks[45]];
  const least = LEAST * Math.hypot(left[0] - right[0], left[1] - right[1]);
  return face.landmarks
    .map((to, i) => [face.neutral_landmarks[i], to, i])
    .filter(([from, to, i]) => !JAW.has(i) && Math.hypot(to[0] - from[0], to[1] - from[1]) >= least);
}

export function linesOf(landmarks) {
  return REGIONS.map(([start, end, closed]) => {
    const points = landmarks.slice(start, end);
    return closed ? [...points, points[0]] : points;
  });
}

// The overlay of a face, in a box of photo pixels: { left, top, width, height }.
export function overlay(faces, box, { points = true, arrows = true } = {}) {
  const drawn = svg("svg", {
    class: "overlay", viewBox: `${box.left} ${box.top} ${box.width} ${box.height}`, "aria-hidden": "true",
    preserveAspectRatio: "xMidYMid meet",
  });
  for (const face of faces) {
    const unit = around(face, 0).side / 62;
    if (points) drawn.append(pointsOf(face, unit));
    if (arrows) drawn.append(arrowShapes(face, unit));
  }
  return drawn;
}

function pointsOf(face, unit) {
  const lines = linesOf(face.landmarks).map((line) => svg("polyline", { points: line.map((p) => p.join(",")).join(" ") }));
  const dots = face.landmarks.map(([x, y]) => svg("circle", { cx: x, cy: y, r: unit * 0.42 }));
  return svg("g", { class: "points", "stroke-width": unit * 0.22 }, ...lines, ...dots);
}

// Where an arrow's shaft ends, and the corners of its head, no larger than `most`.
export function headOf(from, to, most) {
  const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
  const [ux, uy] = [(to[0] - from[0]) / length, (to[1] - from[1]) / length];
  const head = Math.min(most, length * 0.75);
  const neck = [to[0] - ux * head, to[1] - uy * head];
  const wing = head * 0.5;
  return { neck, corners: [to, [neck[0] - uy * wing, neck[1] + ux * wing], [neck[0] + uy * wing, neck[1] - ux * wing]] };
}

function arrowShapes(face, unit) {
  const shapes = arrowsOf(face).map(([from, to]) => {
    const { neck, corners } = headOf(from, to, unit * 2.1);
    return svg("g", {},
      svg("line", { x1: from[0], y1: from[1], x2: neck[0], y2: neck[1] }),
      svg("polygon", { points: corners.map((p) => p.join(",")).join(" ") }));
  });
  return svg("g", { class: "arrows", "stroke-width": unit * 0.6 }, ...shapes);
}
