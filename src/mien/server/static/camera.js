// The camera: one frame after the other is sent, answered, shown and forgotten.
import * as api from "./api.js";
import { makeAnswer } from "./answer.js";
import { byId, say } from "./dom.js";
import { around } from "./face.js";
import { drawMarks } from "./marks.js";
import * as reference from "./reference.js";
import { text } from "./texts.js";

const WIDTH = 400; // of the frames that are sent
const AT_ONCE = 3; // one is read while the next is on its way
const WORDS = 400; // milliseconds for which words and grid stay, so that they can be read
let running = null; // { stream, camera, stamps, last, told }
let starting = null; // of the start under way
let panel = null;

export function startCamera() {
  panel = makeAnswer();
  byId("camera-answer").append(panel.words, panel.grid);
  byId("camera-start").addEventListener("click", () => (running || starting ? stopCamera() : start()));
  byId("camera-neutral").addEventListener("click", chooseNeutral);
}

async function start() {
  const video = byId("camera-video");
  const mine = {};
  starting = mine;
  let [stream, camera] = [null, null];
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480, frameRate: { ideal: 20 }, facingMode: "user" } });
    if (starting === mine) ({ camera } = await api.beginCamera());
  } catch (error) {
    end(stream, camera);
    if (starting !== mine) return;
    starting = null;
    say(error instanceof api.Problem ? error.message : text("camera.denied", { reason: error.message ?? error.name }), true);
    return;
  }
  if (starting !== mine) { // stopped, or left, while the browser asked
    end(stream, camera);
    return;
  }
  starting = null;
  running = { stream, camera, stamps: [], last: -1, told: 0 };
  video.srcObject = stream;
  await video.play();
  byId("camera-work").hidden = false;
  byId("camera-neutral").disabled = false;
  byId("camera-start").textContent = text("camera.stop");
  for (let i = 0; i < AT_ONCE && running; i += 1) loop(running);
}

function end(stream, camera) {
  stream?.getTracks().forEach((track) => track.stop());
  if (camera) api.endCamera(camera).catch(() => null);
}

export function stopCamera() {
  starting = null;
  if (!running) return;
  end(running.stream, running.camera);
  running = null;
  byId("camera-work").hidden = true;
  byId("camera-neutral").disabled = true;
  byId("camera-rate").textContent = "";
  byId("camera-start").textContent = text("camera.start");
}

async function loop(mine) {
  while (running === mine) {
    try {
      const frame = await grab();
      const answer = await api.readFrame(mine.camera, frame, reference.given());
      if (running === mine) show(mine, answer);
    } catch (error) {
      if (running !== mine) return;
      if (error.content?.status !== 429 && error.content?.status !== 503) {
        say(error.message, true);
        stopCamera();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

// A frame as a JPEG.
function grab(most = WIDTH) {
  const video = byId("camera-video");
  const width = Math.min(most, video.videoWidth);
  const canvas = new OffscreenCanvas(width, Math.round((video.videoHeight * width) / video.videoWidth));
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(video, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 });
}

function show(mine, answer) {
  const now = performance.now();
  const isOvertaken = answer.number < mine.last;
  mine.last = Math.max(mine.last, answer.number);
  mine.stamps = [...mine.stamps.filter((stamp) => now - stamp < 3000), now];
  if (mine.stamps.length > 1) {
    const rate = (1000 * (mine.stamps.length - 1)) / (now - mine.stamps[0]);
    byId("camera-rate").textContent = text("camera.rate", { rate: rate.toFixed(0) });
    byId("camera-rate").dataset.rate = rate.toFixed(1);
  }
  if (isOvertaken) return;
  drawFaces(answer);
  if (now - mine.told < WORDS) return;
  mine.told = now;
  byId("camera-answer").classList.toggle("empty", !answer.faces.length);
  if (answer.faces.length) panel.show(answer.faces[0]);
}

function drawFaces({ width, height, faces }) {
  const canvas = byId("camera-marks");
  const sharp = Math.min(2, canvas.clientWidth / width || 1);
  [canvas.width, canvas.height] = [Math.round(width * sharp), Math.round(height * sharp)];
  const context = canvas.getContext("2d");
  for (const { face } of faces) {
    drawMarks(context, face, ([x, y]) => [x * sharp, y * sharp], (sharp * around(face, 0).side) / 110);
  }
}

async function chooseNeutral() {
  if (!running) return;
  try {
    const blob = await grab(1280);
    const made = await api.makeReference([{ name: "camera.jpg", blob }]);
    reference.keepSession(made.reference, text("nav.camera"));
    say(made.expressive.length
      ? text("reference.expressive", { phrase: made.expressive[0].phrase })
      : text("reference.set", { name: text("nav.camera") }));
  } catch (error) {
    say(error.message, true);
  }
}
