// The camera: one frame after the other is sent, answered, shown and forgotten.
import * as api from "./api.js";
import { makeAnswer } from "./answer.js";
import { byId, say } from "./dom.js";
import { overlay } from "./face.js";
import * as reference from "./reference.js";
import { text } from "./texts.js";

const WIDTH = 480; // of the frames that are sent
const AT_ONCE = 2; // one is read while the next is on its way
let running = null; // { stream, camera, canvas, stamps, last }
let panel = null;

export function startCamera() {
  panel = makeAnswer();
  byId("camera-answer").append(panel.words, panel.grid);
  byId("camera-start").addEventListener("click", () => (running ? stopCamera() : start()));
  byId("camera-neutral").addEventListener("click", chooseNeutral);
}

async function start() {
  const video = byId("camera-video");
  let stream = null;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480, facingMode: "user" } });
    const { camera } = await api.beginCamera();
    running = { stream, camera, canvas: document.createElement("canvas"), stamps: [], last: -1 };
  } catch (error) {
    stream?.getTracks().forEach((track) => track.stop());
    say(error instanceof api.Problem ? error.message : text("camera.denied", { reason: error.message ?? error.name }), true);
    return;
  }
  video.srcObject = stream;
  await video.play();
  byId("camera-work").hidden = false;
  byId("camera-neutral").disabled = false;
  byId("camera-start").textContent = text("camera.stop");
  for (let i = 0; i < AT_ONCE; i += 1) loop(running);
}

export function stopCamera() {
  if (!running) return;
  running.stream.getTracks().forEach((track) => track.stop());
  api.endCamera(running.camera).catch(() => null);
  running = null;
  byId("camera-work").hidden = true;
  byId("camera-neutral").disabled = true;
  byId("camera-rate").textContent = "";
  byId("camera-start").textContent = text("camera.start");
}

async function loop(mine) {
  while (running === mine) {
    try {
      const frame = await grab(mine);
      const answer = await api.readFrame(mine.camera, frame, reference.given());
      if (running === mine && answer.number > mine.last) show(mine, answer);
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

function grab({ canvas }, width = WIDTH) {
  const video = byId("camera-video");
  canvas.width = Math.min(width, video.videoWidth);
  canvas.height = Math.round((video.videoHeight * canvas.width) / video.videoWidth);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
}

function show(mine, answer) {
  const now = performance.now();
  mine.last = answer.number;
  mine.stamps = [...mine.stamps.filter((stamp) => now - stamp < 3000), now];
  if (mine.stamps.length > 1) {
    const rate = (1000 * (mine.stamps.length - 1)) / (now - mine.stamps[0]);
    byId("camera-rate").textContent = text("camera.rate", { rate: rate.toFixed(0) });
    byId("camera-rate").dataset.rate = rate.toFixed(1);
  }
  const stage = byId("camera-stage");
  stage.querySelector("svg")?.remove();
  const faces = answer.faces.map((one) => one.face);
  stage.append(overlay(faces, { left: 0, top: 0, width: answer.width, height: answer.height }));
  byId("camera-answer").classList.toggle("empty", !faces.length);
  if (faces.length) panel.show(answer.faces[0]);
}

async function chooseNeutral() {
  if (!running) return;
  try {
    const blob = await grab({ canvas: document.createElement("canvas") }, 1280);
    const made = await api.makeReference([{ name: "camera.jpg", blob }]);
    reference.keepSession(made.reference, text("nav.camera"));
    say(made.expressive.length
      ? text("reference.expressive", { phrase: made.expressive[0].phrase })
      : text("reference.set", { name: text("nav.camera") }));
  } catch (error) {
    say(error.message, true);
  }
}
