// What faces are compared with, for the whole page while it is open.
const events = new EventTarget();

// mode: alone, together, session or person
let current = { mode: "alone" };
let session = null;

export const chosen = () => current;
export const sessionReference = () => session;

export function choose(mode, name = "") {
  current = { mode, name };
  events.dispatchEvent(new Event("change"));
}

// A neutral face that was just chosen: its reference, and the name of its photo.
export function keepSession(reference, name) {
  session = { reference, name };
  choose("session");
}

export function dropSession() {
  session = null;
  choose("alone");
}

// What a request is given.
export function given() {
  if (current.mode === "session" && session) return { reference: session.reference };
  return current.mode === "person" ? { person: current.name } : {};
}

export const onChange = (react) => events.addEventListener("change", react);
