// Inside an LSTM: gates and cell over time, on numbers that are drawn or typed. Everything is
// computed here, so nothing waits for the kernel. Python sends the weights and the numbers, and
// what the learner's own step makes of them.
const NS = "http://www.w3.org/2000/svg";
const LEFT = 104, RIGHT = 14, WIDTH = 780;

const sigmoid = (a) => 1 / (1 + Math.exp(-a));

// All steps of the LSTM: blocks i, f, o, g along 4H; `shift` is added to the bias of f.
function run(p, x, shift) {
  const H = p.w.length;
  let h = Array(H).fill(0), c = Array(H).fill(0);
  return x.map((input) => {
    const a = p.b.map((b, k) => {
      let sum = b + (k >= H && k < 2 * H ? shift : 0);
      input.forEach((v, d) => (sum += v * p.Wx[d][k]));
      for (let j = 0; j < H; j++) sum += h[j] * p.Wh[j][k];
      return sum;
    });
    const i = a.slice(0, H).map(sigmoid), f = a.slice(H, 2 * H).map(sigmoid);
    const o = a.slice(2 * H, 3 * H).map(sigmoid), g = a.slice(3 * H).map(Math.tanh);
    const before = c;
    c = f.map((keep, k) => keep * before[k] + i[k] * g[k]);
    h = c.map((cell, k) => o[k] * Math.tanh(cell));
    const y = h.reduce((sum, v, k) => sum + v * p.w[k], p.w0);
    return { i, f, o, g, before, c, h, y };
  });
}

function show(x, digits = 2) {
  if (!Number.isFinite(x)) return String(x);
  let text = x.toFixed(digits);
  if (Number(text) === 0) text = text.replace("-", "");
  return text.replace(/-/g, "\u2212");
}

function element(tag, set = {}, ...children) {
  const e = document.createElement(tag);
  Object.assign(e, set);
  e.append(...children);
  return e;
}

function drawn(tag, set = {}, text) {
  const e = document.createElementNS(NS, tag);
  for (const key in set) e.setAttribute(key, set[key]);
  if (text !== undefined) e.textContent = text;
  return e;
}

const typed = (x) => x.map(([v, m]) => v.toFixed(1).replace(/\.0$/, "") + (m ? "*" : "")).join(" ");

function read(text, low) {
  const words = text.trim().split(/[\s,;]+/).filter(Boolean);
  const x = words.map((word) => [Number(word.replace("\u2212", "-").replace(/\*+$/, "")), word.endsWith("*") ? 1 : 0]);
  const odd = words.find((_, k) => !Number.isFinite(x[k][0]));
  if (odd !== undefined) return { problem: `“${odd}” is not a number. Write for example: 0.5 -0.3* 0.8` };
  if (x.length < 2 || x.length > 40) return { problem: "2 to 40 numbers, please." };
  return { x: x.map(([v, m]) => [Math.max(low, Math.min(1, v)), m]) };
}

function render({ model, el }) {
  const root = element("div", { className: "nn-lstm" });
  el.append(root);
  if (model.get("predict")) {
    const text = element("div", { className: "predict" });
    text.append(element("b", { textContent: "Predict first. " }), model.get("predict"));
    root.append(text);
  }
  const H = model.get("params").w.length;
  const put = (name, value) => { model.set(name, value); model.save_changes(); };

  // --- the bar: unit, forget bias, sequence ---
  const units = element("div", { className: "bar" });
  units.setAttribute("role", "group");
  units.setAttribute("aria-label", "unit to look at");
  units.append(element("span", { textContent: "unit" }));
  const unitButtons = Array.from({ length: H }, (_, k) => {
    const b = element("button", { type: "button", textContent: model.get("units")[k] ?? String(k + 1) });
    b.addEventListener("click", () => put("unit", k));
    units.append(b);
    return b;
  });
  const shift = element("input", { type: "range", min: -12, max: 4, step: 0.5 });
  shift.setAttribute("aria-label", "added to the bias of the forget gate");
  shift.addEventListener("input", () => put("shift", +shift.value));
  const shown = element("output");
  const button = (text, title, act) => {
    const b = element("button", { type: "button", textContent: text, title });
    b.addEventListener("click", act);
    return b;
  };
  const fresh = button("New numbers", "draw new numbers and two marks", () => {
    const low = model.get("low"), T = model.get("x").length, half = Math.floor(T / 2);
    const first = Math.floor(Math.random() * half), second = half + Math.floor(Math.random() * (T - half));
    const x = Array.from({ length: T }, (_, t) => [Math.round(10 * (low + (1 - low) * Math.random())) / 10, t === first || t === second ? 1 : 0]);
    put("x", x);
  });
  const bare = button("No marks", "take all marks away", () => put("x", model.get("x").map(([v]) => [v, 0])));
  const label = element("label", {}, "forget bias +", shift);
  root.append(units, element("div", { className: "bar" }, label, shown, fresh, bare));

  // --- the picture ---
  const card = element("div", { className: "card", tabIndex: 0 });
  card.setAttribute("role", "application");
  card.setAttribute("aria-roledescription", "sequence");
  const say = element("div", { className: "say" });
  say.setAttribute("aria-live", "polite");
  const text = element("input", { type: "text", className: "typed", spellcheck: false });
  const odd = element("div", { className: "problem" });
  text.addEventListener("change", () => {
    const { x, problem } = read(text.value, model.get("low"));
    odd.textContent = problem ?? "";
    if (x) { put("at", Math.min(model.get("at"), x.length - 1)); put("x", x); }
  });
  const note = element("div", { className: "note", textContent: "Drag the bars, click the dots below them, or use the keys: left and right for the step, up and down for its number, space for its mark." });
  const problem = element("div", { className: "problem" });
  root.append(card, say, element("label", { className: "line" }, "numbers, * for a mark ", text), odd, note, problem);

  const edit = (t, value, mark) => {
    const x = model.get("x").map((pair) => [...pair]);
    if (value !== undefined) x[t][0] = Math.max(model.get("low"), Math.min(1, Math.round(value * 10) / 10));
    if (mark !== undefined) x[t][1] = mark;
    put("x", x);
  };
  card.addEventListener("keydown", (event) => {
    const t = model.get("at"), x = model.get("x");
    const moves = { ArrowLeft: -1, ArrowRight: 1 }, lifts = { ArrowUp: 0.1, ArrowDown: -0.1 };
    if (event.key in moves) put("at", Math.max(0, Math.min(x.length - 1, t + moves[event.key])));
    else if (event.key in lifts) edit(t, x[t][0] + lifts[event.key]);
    else if (event.key === " ") edit(t, undefined, 1 - x[t][1]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  const INPUT = { y: 10, h: 66 }, MARK = { y: 84, h: 18 };
  let dragging = false;
  const placed = (event) => {
    const box = card.querySelector("svg").getBoundingClientRect(), T = model.get("x").length;
    const px = ((event.clientX - box.left) / box.width) * WIDTH, py = ((event.clientY - box.top) / box.width) * WIDTH;
    const t = Math.floor(((px - LEFT) / (WIDTH - LEFT - RIGHT)) * T);
    return { t: px < LEFT ? -1 : Math.min(T - 1, t), py };
  };
  const draws = (event) => {
    const { t, py } = placed(event);
    if (t >= 0) { put("at", t); edit(t, 1 - ((1 - model.get("low")) * (py - INPUT.y)) / INPUT.h); }
  };
  card.addEventListener("pointerdown", (event) => {
    const { t, py } = placed(event);
    if (t < 0) return;
    put("at", t);
    if (py < INPUT.y + INPUT.h + 4) { dragging = true; card.setPointerCapture(event.pointerId); draws(event); }
    else if (py < MARK.y + MARK.h + 4) edit(t, undefined, 1 - model.get("x")[t][1]);
  });
  card.addEventListener("pointermove", (event) => { if (dragging) draws(event); });
  for (const end of ["pointerup", "pointercancel"]) card.addEventListener(end, () => (dragging = false));

  function draw(x, steps, own) {
    const T = x.length, unit = model.get("unit"), at = model.get("at");
    const dx = (WIDTH - LEFT - RIGHT) / T, bar = Math.max(3, dx - 5);
    const left = (t) => LEFT + t * dx + (dx - bar) / 2, mid = (t) => LEFT + (t + 0.5) * dx;
    const svg = drawn("svg", { role: "img", "aria-label": model.get("alt") });
    const goal = [];
    x.forEach(([v, m], t) => goal.push((goal[t - 1] ?? 0) + v * m));
    svg.append(drawn("rect", { x: LEFT + at * dx, y: 2, width: dx, height: 452, class: "cursor" }));

    // A row of bars from the zero line; `low` is 0 for gates and -1 for signed values.
    const row = (y, height, low, high, name, more, kind, values) => {
      const place = (v) => y + height - ((Math.max(low, Math.min(high, v)) - low) / (high - low)) * height;
      svg.append(drawn("text", { x: LEFT - 10, y: y + height / 2 - 2, class: `label ${kind}` }, name));
      svg.append(drawn("text", { x: LEFT - 10, y: y + height / 2 + 13, class: "more" }, more));
      if (low === 0) svg.append(drawn("rect", { x: LEFT, y, width: WIDTH - LEFT - RIGHT, height, class: "room" }));
      const zero = place(0);
      svg.append(drawn("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: zero, y2: zero, class: "axis" }));
      values?.forEach((v, t) => svg.append(drawn("rect", { x: left(t), y: Math.min(zero, place(v)), width: bar, height: Math.max(1, Math.abs(place(v) - zero)), class: `bar ${kind}` })));
      return place;
    };
    const path = (place, values, kind) => {
      const d = values.map((v, t) => `${t ? "L" : "M"}${mid(t)},${place(v)}`).join("");
      svg.append(drawn("path", { d, class: `path ${kind}` }));
    };
    const of = (name) => steps.map((s) => s[name][unit]);

    row(INPUT.y, INPUT.h, model.get("low"), 1, "number", "drag", "input", x.map(([v]) => v));
    svg.append(drawn("text", { x: LEFT - 10, y: MARK.y + 13, class: "label input" }, "mark"));
    x.forEach(([, m], t) => svg.append(drawn("circle", { cx: mid(t), cy: MARK.y + 9, r: Math.min(7, dx / 2 - 1), class: m ? "mark on" : "mark" })));
    row(118, 36, 0, 1, "i", "take in", "i", of("i"));
    row(164, 36, 0, 1, "f", "keep", "f", of("f"));
    row(210, 36, 0, 1, "o", "show", "o", of("o"));
    row(256, 44, -1, 1, "g", "candidate", "g", of("g"));
    const cells = of("c"), ownCells = (own.c ?? []).slice(0, T).map((c) => c[unit]);
    const top = Math.max(0.05, ...[...cells, ...ownCells].map(Math.abs)) * 1.1;
    const place = row(312, 56, -top, top, "cell c", `\u00b1${show(top)}`, "c", cells);
    path(place, of("h"), "h");
    if (ownCells.length) path(place, ownCells, "own");
    const all = [...steps.map((s) => s.y), ...goal];
    const far = Math.max(0.5, ...all.map(Math.abs)) * 1.1;
    const answer = row(382, 66, -far, far, "answer", `\u00b1${show(far)}`, "y");
    const stairs = goal.map((v, t) => `${t ? "L" : "M"}${LEFT + t * dx},${answer(v)}H${LEFT + (t + 1) * dx}`).join("");
    svg.append(drawn("path", { d: stairs, class: "path goal" }));
    path(answer, steps.map((s) => s.y), "y");
    if (own.y?.length) path(answer, own.y.slice(0, T), "own");
    const names = [["sum of the marked numbers", "goal"], ["the LSTM's answer", "y"], ["hidden h", "h"]];
    if (own.y?.length) names.push([model.get("own_name"), "own"]);
    let lx = LEFT;
    for (const [name, kind] of names) {
      svg.append(drawn("line", { x1: lx, x2: lx + 24, y1: 464, y2: 464, class: `path ${kind}` }));
      svg.append(drawn("text", { x: lx + 30, y: 468, class: "legend" }, name));
      lx += 46 + 6.6 * name.length;
    }
    svg.setAttribute("viewBox", `0 0 ${WIDTH} 476`);
    card.replaceChildren(svg);
    return goal;
  }

  function update() {
    const x = model.get("x"), unit = model.get("unit"), at = Math.min(model.get("at"), x.length - 1);
    const steps = run(model.get("params"), x, model.get("shift"));
    const goal = draw(x, steps, model.get("own"));
    const s = steps[at], k = unit, n = (v) => show(v, 3);
    say.textContent = `Step ${at + 1} of ${x.length}, number ${show(x[at][0], 1)}, ${x[at][1] ? "marked" : "no mark"}. ` +
      `c = f \u00d7 old c + i \u00d7 g = ${n(s.f[k])} \u00d7 (${n(s.before[k])}) + ${n(s.i[k])} \u00d7 (${n(s.g[k])}) = ${n(s.c[k])}. ` +
      `h = o \u00d7 tanh(c) = ${n(s.h[k])}. Answer ${show(s.y)}, right would be ${show(goal[at])}.`;
    unitButtons.forEach((b, j) => b.setAttribute("aria-pressed", j === unit));
    shift.value = model.get("shift");
    shown.textContent = show(model.get("shift"), 1);
    if (document.activeElement !== text) text.value = typed(x);
    problem.textContent = model.get("problem");
    card.setAttribute("aria-label", "Sequence. Left and right choose a step, up and down change its number, space its mark.");
  }

  // JupyterLab takes arrow keys for itself unless the focused element says otherwise.
  for (const e of [card, ...root.querySelectorAll("input, button")]) e.dataset.lmSuppressShortcuts = "true";
  const watched = ["x", "unit", "at", "shift", "own", "problem"].map((t) => "change:" + t);
  for (const event of watched) model.on(event, update);
  update();
  return () => { for (const event of watched) model.off(event, update); };
}
export default { render };
