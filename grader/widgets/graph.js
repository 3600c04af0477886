// Walks through a computation graph, forward and backward. All numbers are computed here, so
// nothing waits for the kernel. Python sends the nodes with their places, formulas and inputs.
const NS = "http://www.w3.org/2000/svg";
const W = 98, H = 70; // size of a node; graph_program.py uses the same

// value, and the local derivative with respect to each parent
const OPS = {
  "+": { f: (a, b) => a + b, d: () => [1, 1] },
  "-": { f: (a, b) => a - b, d: () => [1, -1] },
  "*": { f: (a, b) => a * b, d: (v, a, b) => [b, a] },
  "/": { f: (a, b) => a / b, d: (v, a, b) => [1 / b, -a / (b * b)] },
  square: { f: (a) => a * a, d: (v, a) => [2 * a] },
  sigmoid: { f: (a) => 1 / (1 + Math.exp(-a)), d: (v) => [v * (1 - v)] },
  tanh: { f: Math.tanh, d: (v) => [1 - v * v] },
  relu: { f: (a) => Math.max(a, 0), d: (v, a) => [a > 0 ? 1 : 0] },
  exp: { f: Math.exp, d: (v) => [v] },
  log: { f: Math.log, d: (v, a) => [1 / a] },
};

function forward(nodes, inputs) {
  const v = {};
  for (const n of nodes) v[n.name] = n.op ? OPS[n.op].f(...n.parents.map((p) => v[p])) : inputs[n.name];
  return v;
}

// Gradients after the backward pass has walked through the last `count` operations.
function backward(ops, v, count) {
  const g = { [ops[ops.length - 1].name]: 1 };
  for (const n of ops.slice(ops.length - count).reverse()) {
    const local = OPS[n.op].d(v[n.name], ...n.parents.map((p) => v[p]));
    n.parents.forEach((p, i) => (g[p] = (g[p] ?? 0) + g[n.name] * local[i]));
  }
  return g;
}

function show(x, digits = 3) {
  if (!Number.isFinite(x)) return String(x);
  const small = x !== 0 && Math.abs(x) < 0.001;
  let text = small || Math.abs(x) >= 1e5 ? x.toExponential(2) : x.toFixed(digits);
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

function render({ model, el }) {
  const nodes = model.get("nodes");
  const ops = nodes.filter((n) => n.op);
  const leaves = nodes.filter((n) => !n.op);
  const out = ops[ops.length - 1].name;
  const byName = Object.fromEntries(nodes.map((n) => [n.name, n]));
  const K = ops.length, LAST = 2 * K + 1; // K forward, the seed dL/dL = 1, K backward
  const id = "nn" + Math.random().toString(36).slice(2);
  let chosen = leaves[0].name, timer = null;

  const root = element("div", { className: "nn-graph" });
  el.append(root);
  if (model.get("predict")) {
    const text = element("div", { className: "predict" });
    text.append(element("b", { textContent: "Predict first. " }), model.get("predict"));
    root.append(text);
  }

  // --- the bar: walk ---
  const button = (text, title, act) => {
    const b = element("button", { type: "button", textContent: text, title });
    b.addEventListener("click", () => { if (act !== toggle) stop(); act(); });
    return b;
  };
  const go = (step) => { model.set("step", Math.max(0, Math.min(LAST, step))); model.save_changes(); };
  const stop = () => { clearInterval(timer); timer = null; play.textContent = "▶ Play"; };
  const toggle = () => {
    if (timer) return stop();
    if (model.get("step") >= LAST) go(0);
    play.textContent = "Pause";
    timer = setInterval(() => (model.get("step") < LAST ? go(model.get("step") + 1) : stop()), 1100);
  };
  const first = button("Start", "to the start", () => go(0));
  const back = button("◀ Back", "one step back", () => go(model.get("step") - 1));
  const next = button("Step ▶", "one step on", () => go(model.get("step") + 1));
  const play = button("▶ Play", "play or pause", toggle);
  play.classList.add("play");
  const end = button("End", "to the end", () => go(LAST));
  const range = element("input", { type: "range", min: 0, max: LAST, step: 1, className: "steps" });
  range.setAttribute("aria-label", "step of the walk");
  range.addEventListener("input", () => { stop(); go(+range.value); });
  const where = element("output");
  root.append(element("div", { className: "bar" }, first, back, next, play, end, range, where));

  // --- the picture ---
  const [width, height] = model.get("size");
  const card = element("div", { className: "card" });
  const say = element("div", { className: "say" });
  say.setAttribute("aria-live", "polite");
  root.append(card, say);

  // --- inputs and nudge test, one row for each input ---
  const ownName = model.get("own_name");
  const head = ["input", "slider", "value", `∂${out}/∂input, backward pass`, `nudge test: Δ${out} / h`];
  if (ownName) head.push(ownName);
  const body = element("tbody"), rows = {};
  for (const { name } of leaves) {
    const slide = element("input", { type: "range", min: -3, max: 3, step: 0.05 });
    slide.setAttribute("aria-label", `input ${name}`);
    slide.addEventListener("input", () => {
      chosen = name;
      model.set("inputs", { ...model.get("inputs"), [name]: +slide.value });
      model.save_changes();
    });
    const cells = [0, 1, 2, 3].map((i) => element("td", { className: ["value", "grad", "", ""][i] }));
    const row = element("tr", {}, element("th", { scope: "row", textContent: name }));
    row.append(element("td", {}, slide), ...cells.slice(0, ownName ? 4 : 3));
    row.addEventListener("pointerenter", () => { chosen = name; update(); });
    slide.addEventListener("focus", () => { chosen = name; update(); });
    body.append(row);
    rows[name] = { row, slide, cells };
  }
  const table = element("table", {}, element("thead", {}, element("tr", {}, ...head.map((t) => element("th", { scope: "col", textContent: t })))), body);
  const power = element("input", { type: "range", min: -6, max: 0, step: 0.5 });
  power.setAttribute("aria-label", "size of the nudge h, as a power of ten");
  power.addEventListener("input", () => { model.set("power", +power.value); model.save_changes(); });
  const size = element("output");
  const label = element("label", {}, "nudge h ", power);
  const note = element("div", { className: "note" });
  const problem = element("div", { className: "problem" });
  root.append(table, element("div", { className: "bar" }, label, size), note, problem);

  function path(p, n, lane) {
    const x0 = p.x + W, y0 = p.y + H / 2, x1 = n.x, y1 = n.y + H / 2, mid = (x0 + x1) / 2;
    if (lane !== null) {
      const d = `M${x0 + 3},${y0} C${x0 + 44},${y0} ${x0 + 10},${lane} ${x0 + 70},${lane} L${x1 - 73},${lane} C${x1 - 16},${lane} ${x1 - 50},${y1} ${x1 - 3},${y1}`;
      return { d, mid: x1 - 42, y: (lane + y1) / 2 + 12 };
    }
    return { d: `M${x0 + 3},${y0} C${x0 + 30},${y0} ${x1 - 30},${y1} ${x1 - 3},${y1}`, mid, y: (y0 + y1) / 2 };
  }

  function draw(step, v, g) {
    const walked = Math.max(0, step - K - 1); // operations the backward pass is through with
    const at = step >= 1 && step <= K ? ops[step - 1].name : step === K + 1 ? out : step > K ? ops[LAST - step].name : "";
    const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": model.get("alt") });
    const defs = drawn("defs");
    for (const kind of ["edge", "fresh", "walked", "hot"]) {
      const marker = drawn("marker", { id: `${id}-${kind}`, viewBox: "0 0 10 10", refX: 8, refY: 5, orient: "auto-start-reverse", markerUnits: "userSpaceOnUse", markerWidth: kind === "hot" ? 15 : 12, markerHeight: kind === "hot" ? 15 : 12 });
      const colour = { edge: "var(--line)", fresh: "var(--value)", walked: "var(--grad)", hot: "var(--grad)" }[kind];
      marker.append(drawn("path", { d: "M0,1 L9,5 L0,9 z", style: `fill:${colour}` }));
      defs.append(marker);
    }
    svg.append(defs);
    const labels = [];
    for (const n of ops) {
      const k = ops.indexOf(n), passed = K - k <= walked, hot = passed && n.name === at;
      const local = OPS[n.op].d(v[n.name], ...n.parents.map((p) => v[p]));
      n.parents.forEach((name, i) => {
        const { d, mid, y } = path(byName[name], n, n.lanes[i]);
        const kind = hot ? "hot" : passed ? "walked" : n.name === at && step <= K ? "fresh" : "edge";
        const end = passed ? "marker-start" : "marker-end"; // on the way back the arrow turns round
        svg.append(drawn("path", { d, class: `edge ${kind}`, [end]: `url(#${id}-${kind})` }));
        if (hot) {
          labels.push(drawn("rect", { x: mid - 27, y: y - 19, width: 54, height: 38, rx: 6, class: "pill" }));
          labels.push(drawn("text", { x: mid, y: y - 4, class: "local" }, `∂${n.name}/∂${name}`));
          labels.push(drawn("text", { x: mid, y: y + 13, class: "local" }, show(local[i])));
        }
      });
    }
    for (const n of nodes) {
      const known = !n.op || ops.indexOf(n) < step, now = n.name === at;
      const group = drawn("g", { class: `${n.op ? "" : "input "}${now ? "now " : ""}${step > K ? "back" : ""}` });
      group.append(drawn("rect", { x: n.x, y: n.y, width: W, height: H, rx: n.op ? 8 : 22, class: "box" }));
      const x = n.x + W / 2;
      group.append(drawn("text", { x, y: n.y + 20, class: "name" }, n.op ? `${n.name} = ${n.formula}` : n.name));
      group.append(drawn("text", { x, y: n.y + 40, class: "value" }, known ? show(v[n.name]) : "?"));
      if (step > K && g[n.name] !== undefined) group.append(drawn("text", { x, y: n.y + 59, class: "grad" }, `∂${out}/∂${n.name}  ${show(g[n.name])}`));
      svg.append(group);
    }
    svg.append(...labels);
    card.replaceChildren(svg);
  }

  function uses(name) {
    return ops.flatMap((n) => n.parents.filter((p) => p === name).map(() => n));
  }

  function sentence(step, v, g) {
    if (step === 0) return "The inputs are known. Press Step: each node computes its value from the nodes to its left.";
    if (step <= K) {
      const n = ops[step - 1];
      const numbers = n.parents.map((p) => (v[p] < 0 ? `(${show(v[p])})` : show(v[p])));
      const filled = n.template.replace(/\{(\d)\}/g, (_, i) => numbers[i]);
      return `Forward: ${n.name} = ${n.formula} = ${filled} = ${show(v[n.name])}.`;
    }
    if (step === K + 1) return `Backward starts at the end: ∂${out}/∂${out} = 1. A nudge of ${out} moves ${out} by as much.`;
    const n = ops[LAST - step];
    const local = OPS[n.op].d(v[n.name], ...n.parents.map((p) => v[p]));
    // A value that is used in several places collects one share of its gradient from each.
    const lead = (p) => (uses(p).length > 1 ? `∂${out}/∂${p} gains` : `∂${out}/∂${p} =`);
    const parts = n.parents.map((p, i) => `${lead(p)} ∂${out}/∂${n.name} × ∂${n.name}/∂${p} = ${show(g[n.name])} × ${show(local[i])} = ${show(g[n.name] * local[i])}` + (n.local[i] ? `, because ∂${n.name}/∂${p} is ${n.local[i]}` : ""));
    return `Backward through ${n.name} = ${n.formula}: ${parts.join(". ")}.`;
  }

  function update() {
    const step = model.get("step"), inputs = model.get("inputs"), h = 10 ** model.get("power");
    const v = forward(nodes, inputs), g = backward(ops, v, Math.max(0, step - K - 1));
    draw(step, v, g);
    say.textContent = sentence(step, v, g);
    range.value = step;
    where.textContent = step <= K ? `forward ${step} of ${K}` : `backward ${step - K - 1} of ${K}`;
    // aria-disabled keeps the focus where it is; `disabled` would throw it out of the widget.
    for (const b of [first, back]) b.setAttribute("aria-disabled", step === 0);
    for (const b of [next, end]) b.setAttribute("aria-disabled", step === LAST);
    power.value = model.get("power");
    size.textContent = `h = ${show(h, 3)}`;
    for (const { name } of leaves) {
      const { row, slide, cells } = rows[name];
      const moved = forward(nodes, { ...inputs, [name]: inputs[name] + h })[out];
      row.className = name === chosen ? "chosen" : "";
      slide.value = inputs[name];
      cells[0].textContent = show(inputs[name], 2);
      const waiting = uses(name).some((n) => K - ops.indexOf(n) > step - K - 1);
      const arrived = step > K && g[name] !== undefined;
      cells[1].textContent = arrived ? show(g[name], 4) + (waiting ? " so far" : "") : "not there yet";
      cells[1].className = arrived ? "grad" : "";
      cells[2].textContent = show((moved - v[out]) / h, 4);
      const own = model.get("own")[name];
      cells[3].textContent = own === undefined || own === null ? "–" : show(own, 4);
      if (name === chosen) note.textContent = `Nudge ${name} from ${show(inputs[name], 2)} by ${show(h, 3)}: ${out} goes from ${show(v[out], 6)} to ${show(moved, 6)}. The change divided by h is ${show((moved - v[out]) / h, 4)}.`;
    }
    problem.textContent = model.get("problem");
  }

  // JupyterLab takes arrow keys for itself unless the focused element says otherwise.
  for (const e of root.querySelectorAll("input, button")) e.dataset.lmSuppressShortcuts = "true";

  const watched = ["step", "inputs", "power", "own", "problem"].map((t) => "change:" + t);
  for (const event of watched) model.on(event, update);
  update();
  return () => {
    stop();
    for (const event of watched) model.off(event, update);
  };
}
export default { render };
