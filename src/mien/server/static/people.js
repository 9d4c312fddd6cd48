// People who are kept: list, add, delete.
import * as api from "./api.js";
import { byId, el, say } from "./dom.js";
import { refreshCompare } from "./photos.js";
import { text } from "./texts.js";

export function startPeople() {
  byId("people-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const [name, photos, neutral] = [byId("person-name"), byId("person-photos"), byId("person-neutral")];
    const sent = [...photos.files].map((file) => ({ name: file.name, blob: file }));
    try {
      await api.enroll(name.value.trim(), sent, neutral.checked);
      say(text("people.kept", { name: name.value.trim() }));
      event.target.reset();
      await showPeople();
    } catch (error) {
      say(error.message, true);
    }
  });
}

export async function showPeople() {
  try {
    const known = await api.people();
    byId("people-list").replaceChildren(...(known.length ? known.map(entry) : [el("li", { class: "faint" }, text("people.none"))]));
    await refreshCompare();
  } catch (error) {
    say(error.message, true);
  }
}

function entry(person) {
  const about = person.usable
    ? text("people.about", { ...person, day: person.enrolled })
    : text("people.unusable");
  const remove = async () => {
    if (!window.confirm(text("people.confirm", person))) return;
    try {
      await api.forget(person.name);
      say(text("people.removed", person));
      await showPeople();
    } catch (error) {
      say(error.message, true);
    }
  };
  return el("li", {}, el("strong", {}, person.name), el("span", { class: "faint" }, about),
    el("button", { type: "button", class: "quiet", onclick: remove }, text("people.remove", person)));
}
