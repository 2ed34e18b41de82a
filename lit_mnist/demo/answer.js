// What the network sees and says, put on the page.

const SIDE = 28;
const STILL_MS = 700; // without a new answer, before it is spoken
const byId = (id) => document.getElementById(id);

// 0.9998 is not yet 100 %
const percent = (part) =>
  part < 1 && part >= 0.9995 ? "> 99.9\u00a0%" : `${(100 * part).toFixed(1)}\u00a0%`;

let names = [];
let timer;

export function prepare(about) {
  names = about.names;
  document.title = document.querySelector("h1").textContent = `Draw ${about.what}`;
  const many = about.members > 1;
  byId("model").textContent = `${about.title}${many ? `, ${about.members} networks averaged` : ""}`;
  byId("bars").replaceChildren(...names.map(bar));
  byId("bars").classList.toggle("long", names.some((name) => name.length > 2));
  byId("ballot").hidden = !many;
  show(null);
}

// Shows an answer of the server's; null where nothing is drawn
export function show(answer) {
  const [verdict, best, text] = describe(answer);
  byId("verdict").dataset.verdict = verdict;
  byId("best").textContent = best;
  byId("best").classList.toggle("long", best.length > 2);
  byId("sureness").textContent = text;
  byId("time").textContent = answer ? `read in ${Math.max(1, Math.round(1000 * answer.seconds))} ms` : "";
  showImage(answer?.image);
  showBars(answer?.probabilities);
  showVotes(answer?.votes ?? [], answer?.best);
  clearTimeout(timer);
  timer = setTimeout(() => (byId("spoken").textContent = answer ? `${best}: ${text}` : ""), STILL_MS);
}

function describe(answer) {
  if (!answer) return ["none", "–", "nothing drawn yet"];
  if (!answer.probabilities) return ["no digit", "–", "no digit found"];
  const name = names[answer.best];
  const sure = percent(answer.probabilities[answer.best]);
  if (answer.verdict === "no digit") return ["no digit", "–", `no digit; most like ${name}, ${sure}`];
  return [answer.verdict, name, answer.verdict === "sure" ? sure : `not sure: ${sure}`];
}

function bar(name) {
  const item = document.createElement("li");
  for (const kind of ["name", "track", "percent"]) {
    const part = document.createElement("span");
    part.className = kind;
    item.append(part);
  }
  const fill = document.createElement("span");
  fill.className = "fill";
  item.children[0].textContent = name;
  item.children[1].append(fill);
  item.children[1].ariaHidden = "true";
  return item;
}

function showBars(probabilities) {
  const highest = probabilities ? Math.max(...probabilities) : NaN;
  [...byId("bars").children].forEach((item, place) => {
    const part = probabilities?.[place] ?? 0;
    item.classList.toggle("best", part === highest);
    item.querySelector(".fill").style.width = `${100 * part}%`;
    item.querySelector(".percent").textContent = probabilities ? percent(part) : "";
  });
}

function showVotes(votes, best) {
  const agreed = votes.filter((vote) => vote === best).length;
  byId("tally").textContent = votes.length ? `${agreed} of ${votes.length} for ${names[best]}` : "";
  byId("votes").replaceChildren(
    ...votes.map((vote, place) => {
      const item = document.createElement("li");
      item.textContent = names[vote];
      item.title = `network ${place + 1}`;
      item.className = vote === best ? "" : "other";
      return item;
    }),
  );
}

function showImage(image) {
  const context = byId("seen").getContext("2d");
  const pixels = context.createImageData(SIDE, SIDE);
  const greys = image ? Uint8Array.from(atob(image), (char) => char.charCodeAt(0)) : [];
  for (let place = 0; place < SIDE * SIDE; place++) {
    const grey = greys[place] ?? 0;
    pixels.data.set([grey, grey, grey, 255], 4 * place);
  }
  context.putImageData(pixels, 0, 0);
}
