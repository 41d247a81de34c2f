"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const make = (tag, text, attributes = {}) => {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};
const fill = (select, names, chosen) => {
  select.replaceChildren(...names.map((name) => make("option", name, { value: name })));
  select.value = chosen;
};

// The table: a click sorts, first with the better end on top; the sets in turn.
const body = document.querySelector("#summary tbody");
document.querySelectorAll("#summary thead th").forEach((head, column) => {
  head.querySelector("button").addEventListener("click", () => {
    const first = head.dataset.better === "higher" ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    document.querySelectorAll("#summary thead th").forEach((th) => th.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const value = (row) => row.children[column].dataset.value;
    const compare = (a, b) => {
      if (a === "" || b === "") return (a === "") - (b === ""); // without a value: last
      const gap = column === 0 ? a.localeCompare(b) : a === b ? 0 : Number(a) - Number(b); // also of two infinities
      return sign * gap;
    };
    body.append(...[...body.rows].sort((one, two) => compare(value(one), value(two))));
  });
});
let shownSet = "";
byId("set-filter")?.addEventListener("change", (event) => {
  shownSet = event.target.value;
  for (const row of body.rows) row.hidden = row.dataset.set !== shownSet;
  showDifferences();
});

// Differences of any two rows.
function showDifferences() {
  if (!byId("differences")) return;
  const [a, b] = [byId("first-row").value, byId("second-row").value];
  const found = data.comparisons.filter(
    (c) => c.set === shownSet && ((c.a === a && c.b === b) || (c.a === b && c.b === a)));
  const rows = found.map((c) => {
    const turn = c.a === a ? 1 : -1;
    const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(c.decimals);
    const ends = c.low === null ? "n/a" : [turn * c.low, turn * c.high].sort((x, y) => x - y).map(signed).join(" to ");
    const better = c.better && (turn * c.mean > 0) === (c.better === "higher") ? a : b;
    let words = c.p < 0.05 ? `${c.better ? better + " is better" : "they differ"}, beyond chance`
      : `no difference is shown (${c.images} photos)`;
    if (c.mean === 0) words = "equal";
    const row = make("tr");
    row.append(make("th", c.title, { scope: "row" }), make("td", signed(turn * c.mean), { class: "number" }),
      make("td", ends, { class: "number" }),
      make("td", c.p < 0.001 ? "< 0.001" : c.p.toFixed(3), { class: "number" }), make("td", words));
    return row;
  });
  if (!rows.length) {
    const row = make("tr");
    row.append(make("td", a === b ? "Choose two rows." : "These two were not compared.", { colspan: 5 }));
    rows.push(row);
  }
  byId("differences").tBodies[0].replaceChildren(...rows);
}
if (byId("differences")) {
  fill(byId("first-row"), data.rows, data.rows[data.rows.length - 1]);
  fill(byId("second-row"), data.rows, data.rows[0]);
  byId("first-row").addEventListener("change", showDifferences);
  byId("second-row").addEventListener("change", showDifferences);
  showDifferences();
}

// Pictures. One view for all versions of a photo: zoom (1 fits), centre in parts of the picture.
const view = { zoom: 1, x: 0.5, y: 0.5, divider: 0.5 };
const MOST = 32;
let cases = [...data.cases], current = 0, grid = false;
const stage = byId("stage"), handle = byId("handle");
const limit = (value, low, high) => Math.min(Math.max(value, low), high);

function place() {
  const half = 0.5 / view.zoom;
  view.x = limit(view.x, half, 1 - half);
  view.y = limit(view.y, half, 1 - half);
  const shown = cases[current];
  for (const box of grid ? document.querySelectorAll(".pane") : [stage]) {
    box.classList.toggle("zoomed", view.zoom > 1);
    const magnified = box.clientWidth * view.zoom * devicePixelRatio / shown.size[0];
    for (const img of box.querySelectorAll("img")) {
      img.style.width = img.style.height = `${100 * view.zoom}%`;
      img.style.left = `${100 * (0.5 - view.x * view.zoom)}%`;
      img.style.top = `${100 * (0.5 - view.y * view.zoom)}%`;
      img.classList.toggle("pixels", magnified >= 2 || img.dataset.version === "LR");
    }
  }
  byId("left-layer").style.clipPath = `inset(0 ${100 * (1 - view.divider)}% 0 0)`;
  handle.style.left = `${100 * view.divider}%`;
  handle.setAttribute("aria-valuenow", Math.round(100 * view.divider));
  handle.setAttribute("aria-valuetext",
    `${Math.round(100 * view.divider)} % ${byId("left-version").value}, the rest ${byId("right-version").value}`);
}
function zoom(factor, x = view.x, y = view.y) {
  const next = limit(view.zoom * factor, 1, MOST), ratio = view.zoom / next;
  view.x = x + (view.x - x) * ratio; // what is under (x, y) stays there
  view.y = y + (view.y - y) * ratio;
  view.zoom = next;
  place();
}
function picture(img, tag, shown, version) {
  img.src = shown.versions[version] ?? "data:,";
  img.alt = `${shown.image}, ${version}`;
  img.dataset.version = version;
  tag.textContent = version;
}
function show() {
  const shown = cases[current];
  const names = Object.keys(shown.versions);
  const known = (name, otherwise) => (names.includes(name) ? name : otherwise);
  const last = data.rows.filter((row) => names.includes(row)).pop();
  const left = known(byId("left-version").value, known(data.rows[0], names[0]));
  const right = known(byId("right-version").value, last ?? names[names.length - 1]);
  fill(byId("left-version"), names, left);
  fill(byId("right-version"), names, right);
  const where = data.sets.length > 1 ? `${shown.set}/${shown.image}` : shown.image;
  byId("case-title").textContent = `${where}${shown.note ? ` (${shown.note})` : ""}`;
  for (const [layer, version] of [["left-layer", left], ["right-layer", right]]) {
    picture(byId(layer).querySelector("img"), byId(layer).querySelector(".tag"), shown, version);
  }
  const ratio = shown.size[0] / shown.size[1];
  stage.style.aspectRatio = `${shown.size[0]} / ${shown.size[1]}`;
  stage.style.width = `min(100%, ${75 * ratio}vh)`;
  stage.hidden = grid;
  byId("grid").hidden = !grid;
  byId("grid").replaceChildren(...(grid ? names.map((version) => {
    const pane = make("div", undefined, { class: "pane", tabindex: 0, role: "group", "aria-label": version });
    pane.style.aspectRatio = `${shown.size[0]} / ${shown.size[1]}`;
    pane.append(make("img"), make("span", undefined, { class: "tag" }));
    picture(pane.children[0], pane.children[1], shown, version);
    listen(pane);
    return pane;
  }) : []));
  values(shown);
  [...byId("strip").children].forEach((button, index) => {
    button.setAttribute("aria-selected", index === current);
    if (index === current) {
      byId("strip").scrollLeft = button.offsetLeft - byId("strip").clientWidth / 2;
    }
  });
  place();
}
function values(shown) {
  const rows = Object.entries(shown.values).map(([row, texts]) => {
    const line = make("tr");
    line.append(make("th", row, { scope: "row" }), ...texts.map((text) => make("td", text, { class: "number" })));
    return line;
  });
  const head = make("tr");
  head.append(make("th", "this photo"), ...data.columns.map((name) => make("th", name, { class: "number" })));
  const table = make("table");
  table.append(head, ...rows);
  const scroll = make("div", undefined, { class: "scroll", tabindex: 0, role: "region", "aria-label": "Values of this photo" });
  scroll.append(table);
  const errors = Object.entries(shown.errors).map(([row, text]) => make("p", `${row} failed: ${text}`, { class: "bad" }));
  byId("case-values").replaceChildren(...(data.columns.length ? [scroll] : []), ...errors);
}
function strip() {
  const order = byId("order").value;
  const name = (c) => `${c.set}/${c.image}`;
  if (order === "name") cases.sort((a, b) => name(a).localeCompare(name(b)));
  else {
    const sign = order === "worst" ? 1 : -1;
    cases.sort((a, b) => (a.gain === null) - (b.gain === null) || sign * (a.gain - b.gain));
  }
  byId("strip").replaceChildren(...cases.map((c, index) => {
    const button = make("button", undefined, { type: "button", role: "option", tabindex: -1, title: name(c) });
    button.append(make("img", undefined, { src: c.thumbnail, alt: "" }), make("span", c.image), make("span", c.caption));
    button.addEventListener("click", () => go(index));
    return button;
  }));
}
function go(index) {
  current = limit(index, 0, cases.length - 1);
  Object.assign(view, { zoom: 1, x: 0.5, y: 0.5 });
  show();
}
function swap() {
  const [left, right] = [byId("left-version"), byId("right-version")];
  [left.value, right.value] = [right.value, left.value];
  show();
}
function divide(to) {
  view.divider = limit(to, 0, 1);
  place();
}
function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = 0.1 / view.zoom;
  const move = (x, y) => { view.x += x; view.y += y; place(); };
  const plain = {
    "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), "0": () => zoom(1 / MOST),
    n: () => go(current + 1), p: () => go(current - 1), s: swap,
    ArrowLeft: () => (grid ? move(-step, 0) : divide(view.divider - 0.05)),
    ArrowRight: () => (grid ? move(step, 0) : divide(view.divider + 0.05)),
    Home: () => divide(0), End: () => divide(1),
  };
  const shifted = {
    ArrowLeft: () => move(-step, 0), ArrowRight: () => move(step, 0),
    ArrowUp: () => move(0, -step), ArrowDown: () => move(0, step),
  };
  const act = (event.shiftKey && shifted[event.key]) || plain[event.key] || plain[event.key.toLowerCase()];
  if (act) {
    event.preventDefault();
    act();
  }
}
function listen(box) {
  const pointers = new Map();
  let dividing = false;
  const spot = (event) => {
    const frame = box.getBoundingClientRect();
    return [(event.clientX - frame.left) / frame.width, (event.clientY - frame.top) / frame.height];
  };
  const inside = (x, y) => [view.x + (x - 0.5) / view.zoom, view.y + (y - 0.5) / view.zoom];
  box.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    pointers.set(event.pointerId, spot(event));
    dividing = event.target === handle;
    try { box.setPointerCapture(event.pointerId); } catch { /* a pointer that is gone already */ }
  });
  box.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = spot(event);
    if (dividing && pointers.size === 1) divide(now[0]);
    else if (pointers.size === 1) {
      view.x -= (now[0] - before[0]) / view.zoom;
      view.y -= (now[1] - before[1]) / view.zoom;
      place();
    } else {
      const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
      const frame = box.getBoundingClientRect();
      const apart = ([x, y]) => Math.hypot((x - other[0]) * frame.width, (y - other[1]) * frame.height);
      const centre = inside((now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      if (apart(before) > 1) zoom(apart(now) / apart(before), ...centre);
    }
    pointers.set(event.pointerId, now);
  });
  const end = (event) => pointers.delete(event.pointerId);
  for (const kind of ["pointerup", "pointercancel"]) box.addEventListener(kind, end);
  box.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return; // the page scrolls
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 300), ...inside(...spot(event)));
  }, { passive: false });
  box.addEventListener("dblclick", (event) => zoom(view.zoom > 1 ? 1 / MOST : 4, ...inside(...spot(event))));
  box.addEventListener("keydown", keys);
}
if (stage) {
  listen(stage);
  byId("zoom-in").addEventListener("click", () => zoom(1.5));
  byId("zoom-out").addEventListener("click", () => zoom(1 / 1.5));
  byId("zoom-fit").addEventListener("click", () => zoom(1 / MOST));
  byId("mode").addEventListener("click", () => {
    grid = !grid;
    byId("mode").setAttribute("aria-pressed", grid);
    show();
  });
  byId("left-version").addEventListener("change", show);
  byId("right-version").addEventListener("change", show);
  byId("order").addEventListener("change", () => { strip(); go(0); });
  byId("strip").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) { event.preventDefault(); go(current + step); }
  });
  addEventListener("resize", place);
  strip();
  go(0);
}
