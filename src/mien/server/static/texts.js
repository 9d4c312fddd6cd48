// All texts of the page. To translate it, translate this file and the `lang` of index.html.
export const texts = {
  skip: "Skip to the content",
  footer:
    "mien says what a face displays, not what a person feels. Everything is read on the machine that serves this page; " +
    "no photo is kept, and none leaves it.",
  nav: { label: "Views", photos: "Photos", film: "Film", camera: "Camera", people: "People" },
  theme: { change: "Change between light and dark", light: "Light", dark: "Dark" },
  photos: {
    title: "What does this face say?",
    lead:
      "Two emotions at a time, the stronger one and the one behind it, read from what has moved in a face since it " +
      "was neutral.",
    choose: "Choose photos",
    drop: "or drop them here",
    samples: "No photo at hand? These faces are synthetic; nobody looks like them.",
    cards: "Your photos, side by side",
    clear: "Remove all",
    remove: "Remove {name}",
    select: "{name}: {phrase}",
    reading: "Reading…",
    face: "Face {place} of {count}",
    was: "Before: {phrase}, {percent}",
    alt: "Face in {name}, with its landmarks",
    read: "{name} is read: {phrase}, {percent}.",
    added: "Added: {count}.",
  },
  answer: {
    unsure: "Hardly more likely than others",
    probability: "{percent} among 50 classes; chance is 2%.",
    topTitle: "The five likeliest",
    movedTitle: "What moved",
    movedNothing: "Nothing by more than a fiftieth of the distance between the eyes.",
    movedHelp: "in hundredths of the distance between the outer corners of the eyes",
    flagsTitle: "What speaks against it",
    gridTitle: "All 49 compounds, and neutral",
    points: "Points",
    arrows: "Arrows",
    none: "No face",
  },
  grid: {
    label: "Probability of each pair of emotions. Arrow keys move between the cells.",
    dominant: "dominant emotion",
    complementary: "complementary",
    cell: "{phrase}: {percent}",
    help: "Point at a cell, or use the arrow keys.",
    under: "under 1%",
    plain: "{phrase}: {percent}. {emotion} alone.",
    pair: "{phrase}: {percent}. {dominant} is dominant, with {complementary} behind it.",
    neutral: "neutral: {percent}. No emotion is displayed.",
  },
  reference: {
    compare: "Compare with",
    alone: "an estimate from the photo alone",
    together: "all these photos: they are one person",
    session: "the neutral face you chose ({name})",
    person: "{name}, enrolled",
    neutral: "This is me, neutral",
    neutralDone: "This is the neutral face",
    set: "Every face is now compared with the neutral face in {name}.",
    expressive: "Note: that photo reads as {phrase}, not as neutral.",
    kinds: {
      neutral: "Compared with the neutral face: {count}.",
      mean: "Compared with the mean of this person's photos: {count}.",
      estimated: "Compared with an estimate of this person's neutral face, from {count}.",
      single: "Compared with a guess of the neutral face, from this photo alone. A neutral photo of the same person helps.",
    },
    one: "1 photo",
    several: "{count} photos",
    worth: "With such a reference, of 100 synthetic people's photos {top5} have the right class among the first five.",
  },
  flags: {
    unsure: "unsure: no class stands out",
    "other person": "this may be another person than the reference",
    "doubtful person": "this may be somebody else",
    small: "the face is small",
    blurred: "the face is blurred",
    dark: "too little light",
    bright: "too much light",
    turned: "the head is turned",
    covered: "an eye, the nose or the mouth is covered",
    "hardly a face": "this is hardly seen as a face",
    repaired: "the file lacked its end",
  },
  moved: {
    brows: {
      lowered: "brows lowered",
      raised: "brows raised",
      "moved apart": "brows moved apart",
      "drawn together": "brows drawn together",
    },
    "right brow": {
      lowered: "right brow lowered",
      raised: "right brow raised",
    },
    "left brow": {
      lowered: "left brow lowered",
      raised: "left brow raised",
    },
    eyes: {
      "opened wider": "eyes opened wider",
      narrowed: "eyes narrowed",
    },
    "right eye": {
      "opened wider": "right eye opened wider",
      narrowed: "right eye narrowed",
    },
    "left eye": {
      "opened wider": "left eye opened wider",
      narrowed: "left eye narrowed",
    },
    nostrils: {
      widened: "nostrils widened",
      narrowed: "nostrils narrowed",
    },
    "lip corners": {
      lowered: "lip corners lowered",
      raised: "lip corners raised",
    },
    "right lip corner": {
      lowered: "right lip corner lowered",
      raised: "right lip corner raised",
    },
    "left lip corner": {
      lowered: "left lip corner lowered",
      raised: "left lip corner raised",
    },
    mouth: {
      widened: "mouth widened",
      narrowed: "mouth narrowed",
      opened: "mouth opened",
      closed: "mouth closed",
    },
    chin: {
      lowered: "chin lowered",
      raised: "chin raised",
    },
  },
  emotions: {
    neutral: "neutral",
    nouns: ["anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"],
    adjectives: ["angry", "contemptuous", "disgusted", "fearful", "happy", "sad", "surprised"],
    adverbs: ["angrily", "contemptuously", "disgustedly", "fearfully", "happily", "sadly", "surprisedly"],
    compound: "{adverb} {adjective}",
  },
  film: {
    title: "A film, face by face",
    lead: "Faces are followed, and each is compared with how the same person looks in the whole film.",
    choose: "Choose a film",
    drop: "or drop one here; up to five minutes",
    stop: "Stop",
    sending: "Sending…",
    waiting: "Waiting for another film…",
    reading: "Reading frame {done} of {total}",
    play: "Play",
    pause: "Pause",
    slider: "Time in the film",
    episodes: "Who displays what, and when",
    episode: "{start} to {end}, {name}: {phrase}",
    none: "Nobody displays an emotion for long.",
    nobody: "Nobody is seen at this moment.",
    done: "The film is read.",
    timeline: "Timeline of {name}",
    unplayable: "The browser cannot play this film; its reading is below all the same.",
  },
  camera: {
    title: "Live, from the camera",
    lead: "Frames are read and forgotten at once; none is stored.",
    start: "Start the camera",
    stop: "Stop the camera",
    rate: "{rate} answers a second",
    denied: "The camera cannot be used: {reason}. Allow it in the browser's settings, and open the page as localhost.",
    nobody: "Nobody is seen.",
    label: "Live picture of the camera, with landmarks",
  },
  people: {
    title: "People who are kept",
    lead: "A profile holds what a face looks like on average, never a picture. Keep only people who agreed to it.",
    none: "Nobody yet.",
    add: "Keep somebody",
    name: "Name",
    photos: "Photos of the person",
    neutral: "The face is neutral in all of them",
    keep: "Keep",
    kept: "{name} is kept.",
    about: "{photos} photos, {neutral} of them neutral, since {day}",
    unusable: "was made with other weights; keep the person again",
    remove: "Delete {name}",
    confirm: "Delete the profile of {name}?",
    removed: "{name} is deleted.",
  },
  steps: {
    one: "A stern face is not an angry one.",
    oneMore: "Faces differ when they are neutral. Take Ben, the fifth face above: read alone, he seems disgusted.",
    two: "Show mien the neutral face.",
    twoMore: "Choose it and press “This is me, neutral”. Every photo is then compared with it, and the answers change.",
    three: "See why.",
    threeMore: "Arrows show what moved, the grid shows all 49 pairs of emotions, and the page says how far to trust them.",
  },
  download: { title: "Save as", csv: "CSV", json: "JSON", png: "Picture" },
  signin: { title: "This server needs a token", lead: "Ask whoever started it.", token: "Token", go: "Sign in" },
  problem: { network: "The server does not answer. Is it still running?" },
};

// The text at a dotted path, with {names} replaced.
export function text(path, values = {}) {
  const found = path.split(".").reduce((part, key) => part?.[key], texts);
  return String(found ?? path).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// "C_D" or "N_N" in words.
export function phraseOf(label) {
  const { neutral, adjectives, adverbs, compound } = texts.emotions;
  if (label === "N_N") return neutral;
  const [complementary, dominant] = label.split("_").map((digit) => Number(digit) - 1);
  if (complementary === dominant) return adjectives[dominant];
  return compound.replace("{adverb}", adverbs[complementary]).replace("{adjective}", adjectives[dominant]);
}

export function percent(share) {
  return share >= 0.005 ? `${Math.round(100 * share)}%` : texts.grid.under;
}

export function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}.${Math.floor(10 * (seconds - whole))}`;
}
