// A kernel laid over a picture, by hand: the window, its arithmetic and the whole map. All numbers
// are computed here, so nothing waits for the kernel. Python sends the picture and the start.
const KERNELS = {
  "nothing": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
  "blur": [[1 / 9, 1 / 9, 1 / 9], [1 / 9, 1 / 9, 1 / 9], [1 / 9, 1 / 9, 1 / 9]],
  "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
  "vertical edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
  "horizontal edges": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
  "spots": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
  "corners": [[1, -2, 1], [-2, 4, -2], [1, -2, 1]],
};

function show(x, digits = 2) {
  let text = x.toFixed(digits);
  if (Number(text) === 0) text = text.replace("-", "");
  return text.replace("-", "\u2212");
}

function element(tag, set = {}, ...children) {
  const e = document.createElement(tag);
  Object.assign(e, set);
  e.append(...children);
  return e;
}

// The map of a kernel over the padded picture; cells outside the picture are 0.
export function convolve(picture, H, W, kernel, { stride, pad, dilation }) {
  const kh = kernel.length, kw = kernel[0].length;
  const places = (n, k) => Math.floor((n + 2 * pad - dilation * (k - 1) - 1) / stride) + 1;
  const h = Math.max(0, places(H, kh)), w = Math.max(0, places(W, kw)), out = new Float64Array(h * w);
  for (let k = 0; k < kh; k++) for (let l = 0; l < kw; l++) {
    const weight = kernel[k][l];
    if (weight === 0) continue;
    for (let i = 0; i < h; i++) {
      const r = i * stride + k * dilation - pad;
      if (r < 0 || r >= H) continue;
      for (let j = 0; j < w; j++) {
        const c = j * stride + l * dilation - pad;
        if (c >= 0 && c < W) out[i * w + j] += weight * picture[r * W + c];
      }
    }
  }
  return { out, h, w };
}

function render({ model, el }) {
  const [H, W] = model.get("size");
  const bytes = model.get("pixels");
  const picture = Float64Array.from(new Uint8Array(bytes.buffer, bytes.byteOffset, H * W), (v) => v / 255);
  let map = null, timer = null, shape = "";

  const root = element("div", { className: "nn-conv" });
  el.append(root);
  if (model.get("predict")) {
    root.append(element("div", { className: "predict" }, element("b", { textContent: "Predict first. " }), model.get("predict")));
  }
  const set = (values) => { for (const key in values) model.set(key, values[key]); model.save_changes(); };
  const kernel = () => model.get("kernel");

  // --- ready-made kernels, and the three settings ---
  const ready = element("div", { className: "bar" });
  for (const name in KERNELS) {
    const b = element("button", { type: "button", textContent: name });
    b.addEventListener("click", () => set({ kernel: KERNELS[name] }));
    ready.append(b);
  }
  const flip = element("button", { type: "button", textContent: "flip it", title: "turn the kernel by 180 degrees" });
  flip.addEventListener("click", () => set({ kernel: kernel().map((r) => [...r].reverse()).reverse() }));
  ready.append(flip);
  const settings = element("div", { className: "bar" }), sliders = {};
  const play = element("button", { type: "button", textContent: "▶ Slide", className: "play" });
  play.addEventListener("click", () => (timer ? stop() : start()));
  settings.append(play);
  for (const [name, low, high] of [["size", 1, 5], ["stride", 1, 4], ["pad", 0, 4], ["dilation", 1, 4]]) {
    const range = element("input", { type: "range", min: low, max: high, step: name === "size" ? 2 : 1 });
    const said = element("output");
    range.addEventListener("input", () => (name === "size" ? resize(+range.value) : set({ [name]: +range.value })));
    settings.append(element("label", {}, `${name === "size" ? "kernel" : name} `, range, said));
    sliders[name] = { range, said };
  }
  root.append(ready, settings);

  function resize(n) {
    const old = kernel(), at = (m) => Math.floor((n - m) / 2);
    const cell = (i, j) => old[i - at(old.length)]?.[j - at(old[0].length)] ?? 0;
    set({ kernel: Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => cell(i, j))) });
  }

  // --- the picture and its map ---
  const left = element("canvas", { tabIndex: 0 }), right = element("canvas", { tabIndex: 0 });
  left.setAttribute("role", "application");
  right.setAttribute("role", "application");
  const leftSays = element("figcaption"), rightSays = element("figcaption");
  root.append(element("div", { className: "pair" }, element("figure", {}, left, leftSays), element("figure", {}, right, rightSays)));
  const move = (i, j) => set({ row: Math.max(0, Math.min(map.h - 1, i)), column: Math.max(0, Math.min(map.w - 1, j)) });
  for (const canvas of [left, right]) {
    canvas.addEventListener("keydown", (event) => {
      const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!by && event.key !== "Home") return;
      event.preventDefault();
      stop();
      const many = event.shiftKey ? 8 : 1;
      by ? move(model.get("row") + many * by[0], model.get("column") + many * by[1]) : move(0, 0);
    });
    const point = (event) => {
      const box = canvas.getBoundingClientRect(), p = model.get("pad"), s = model.get("stride");
      const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height;
      stop();
      if (canvas === right) return move(Math.floor(y * map.h), Math.floor(x * map.w));
      const d = model.get("dilation"), k = kernel();
      move(Math.round((y * (H + 2 * p) - (d * (k.length - 1) + 1) / 2) / s), Math.round((x * (W + 2 * p) - (d * (k[0].length - 1) + 1) / 2) / s));
    };
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); point(event); });
    canvas.addEventListener("pointermove", (event) => event.buttons && point(event));
  }

  // --- the arithmetic: window x kernel = products ---
  const grids = { window: element("div", { className: "grid" }), kernel: element("div", { className: "grid" }), product: element("div", { className: "grid" }) };
  const sum = element("div", { className: "sum" });
  const part = (title, grid) => element("div", { className: "part" }, element("div", { className: "title", textContent: title }), grid);
  const sign = (text) => element("div", { className: "sign", textContent: text });
  root.append(element("div", { className: "arithmetic" }, part("window", grids.window), sign("×"), part("kernel: type or drag", grids.kernel), sign("="), part("products", grids.product), sign("Σ ="), part("pixel of the map", sum)));
  const say = element("div", { className: "say" }), sizes = element("div", { className: "note" });
  say.setAttribute("aria-live", "polite");
  root.append(say, sizes);
  let cells = [];

  function build(kh, kw) {
    shape = `${kh},${kw}`;
    cells = [];
    for (const grid of Object.values(grids)) {
      grid.replaceChildren();
      grid.style.gridTemplateColumns = `repeat(${kw}, ${kw > 3 ? 39 : 50}px)`;
      grid.classList.toggle("small", kw > 3);
    }
    for (let k = 0; k < kh; k++) for (let l = 0; l < kw; l++) {
      const input = element("input", { type: "number", step: 0.25 });
      input.setAttribute("aria-label", `kernel, row ${k}, column ${l}`);
      input.dataset.lmSuppressShortcuts = "true";
      const write = (value) => set({ kernel: kernel().map((r, i) => r.map((v, j) => (i === k && j === l ? value : v))) });
      input.addEventListener("input", () => { if (input.value !== "" && Number.isFinite(+input.value)) write(+input.value); });
      let from = null;
      input.addEventListener("pointerdown", (event) => {
        input.blur(); // selected text would be dragged as text
        from = { y: event.clientY, value: kernel()[k][l], dragged: false };
      });
      input.addEventListener("pointermove", (event) => {
        if (!from || !event.buttons) return;
        if (!from.dragged && Math.abs(event.clientY - from.y) < 5) return;
        if (!from.dragged) { from.dragged = true; input.setPointerCapture(event.pointerId); }
        event.preventDefault();
        write(from.value + 0.25 * Math.round((from.y - event.clientY) / 8));
        input.value = kernel()[k][l];
      });
      input.addEventListener("pointerup", () => (from = null));
      const cell = { k, l, input, seen: element("div", { className: "cell" }), product: element("div", { className: "cell" }) };
      grids.window.append(cell.seen);
      grids.kernel.append(input);
      grids.product.append(cell.product);
      cells.push(cell);
    }
  }

  const shade = (v, reach, signed) => Math.round(255 * Math.max(0, Math.min(1, signed ? 0.5 + v / (2 * reach) : v / reach)));

  function paint(canvas, h, w, values, scale) {
    const small = document.createElement("canvas");
    small.width = w;
    small.height = h;
    const image = new ImageData(w, h);
    for (let n = 0; n < h * w; n++) {
      const [r, g, b] = values(n);
      image.data.set([r, g, b, 255], 4 * n);
    }
    small.getContext("2d").putImageData(image, 0, 0);
    if (canvas.width !== w * scale || canvas.height !== h * scale) { canvas.width = w * scale; canvas.height = h * scale; }
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, w * scale, h * scale);
    return context;
  }

  function outline(context, x, y, w, h, scale, thick) {
    for (const [colour, width] of [["#000", thick + 3], ["#ffb000", thick]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.strokeRect(x * scale, y * scale, w * scale, h * scale);
    }
  }

  function update() {
    const k = kernel(), kh = k.length, kw = k[0].length;
    const [stride, pad, dilation] = ["stride", "pad", "dilation"].map((name) => model.get(name));
    if (shape !== `${kh},${kw}`) build(kh, kw);
    map = convolve(picture, H, W, k, { stride, pad, dilation });
    const row = Math.max(0, Math.min(map.h - 1, model.get("row"))), column = Math.max(0, Math.min(map.w - 1, model.get("column")));
    const top = row * stride, first = column * stride; // in the padded picture
    const at = (r, c) => (r < pad || c < pad || r >= H + pad || c >= W + pad ? 0 : picture[(r - pad) * W + c - pad]);

    // the picture with its border of zeros
    const PH = H + 2 * pad, PW = W + 2 * pad, scale = 8;
    const context = paint(left, PH, PW, (n) => {
      const r = Math.floor(n / PW), c = n % PW;
      if (r < pad || c < pad || r >= H + pad || c >= W + pad) return (r + c) % 2 ? [0, 32, 70] : [0, 44, 92];
      const v = 255 * picture[(r - pad) * W + c - pad];
      return [v, v, v];
    }, scale);
    if (dilation > 1) for (const { k: i, l: j } of cells) outline(context, first + j * dilation, top + i * dilation, 1, 1, scale, 2);
    outline(context, first, top, dilation * (kw - 1) + 1, dilation * (kh - 1) + 1, scale, 3);

    // the map: black to white; mid-grey is 0 where a weight is negative
    const signed = k.flat().some((v) => v < 0);
    let reach = 1e-9;
    for (const v of map.out) reach = Math.max(reach, Math.abs(v));
    const other = paint(right, map.h, map.w, (n) => { const v = shade(map.out[n], reach, signed); return [v, v, v]; }, Math.max(1, Math.round((scale * PH) / map.h)));
    outline(other, column, row, 1, 1, right.width / map.w, 3);
    leftSays.textContent = `Picture, ${H} × ${W}` + (pad ? `, with ${pad} of zeros (blue) on each side` : "") + ". Drag the window, or press the arrow keys.";
    rightSays.textContent = `Map, ${map.h} × ${map.w}. ` + (signed ? `Black is ${show(-reach, 1)}, grey 0, white ${show(reach, 1)}.` : `Black is 0, white ${show(reach, 1)}.`);
    left.setAttribute("aria-label", `picture with the window at row ${top - pad}, column ${first - pad}; arrow keys move it`);
    right.setAttribute("aria-label", `map with the pixel at row ${row}, column ${column}; arrow keys move it`);

    // the arithmetic of this place
    let total = 0;
    const terms = [];
    const largest = Math.max(1e-9, ...cells.map(({ k: i, l: j }) => Math.abs(k[i][j] * at(top + i * dilation, first + j * dilation))));
    for (const { k: i, l: j, input, seen, product } of cells) {
      const v = at(top + i * dilation, first + j * dilation), value = k[i][j] * v;
      total += value;
      if (k[i][j] !== 0) terms.push(`${show(v)}·${k[i][j] < 0 ? `(${show(k[i][j])})` : show(k[i][j])}`);
      seen.textContent = show(v);
      const grey = Math.round(255 * v);
      seen.style.background = `rgb(${grey},${grey},${grey})`;
      seen.style.color = v > 0.5 ? "#000" : "#fff";
      product.textContent = show(value);
      product.style.background = `color-mix(in srgb, ${value < 0 ? "#0072b2" : "#e69f00"} ${Math.round((60 * Math.abs(value)) / largest)}%, transparent)`;
      if (input.getRootNode().activeElement !== input || +input.value !== k[i][j]) input.value = +k[i][j].toFixed(3);
    }
    sum.textContent = show(total, 3);
    const short = terms.length > 0 && terms.length <= 9 ? `${terms.join(" + ")} = ` : "";
    say.textContent = `map[${row}, ${column}] = ${short}${show(total, 3)}`;
    const size = (n, m, h) => `1 + (${n} + 2·${pad} − ${dilation}·(${m} − 1) − 1) // ${stride} = ${h}`;
    const n = kh * kw;
    sizes.textContent = `Size: ${size(H, kh, map.h)} rows, ${size(W, kw, map.w)} columns. ${n} weight${n > 1 ? "s" : ""}, used at ${map.h * map.w} places: ${n * map.h * map.w} multiplications.`;
    for (const name in sliders) {
      const value = name === "size" ? kh : model.get(name);
      sliders[name].range.value = value;
      sliders[name].said.textContent = name === "size" ? `${kh} × ${kw}` : value;
    }
  }

  const stop = () => { clearInterval(timer); timer = null; play.textContent = "▶ Slide"; };
  function start() {
    play.textContent = "Pause";
    timer = setInterval(() => {
      const next = (model.get("row") * map.w + model.get("column") + 1) % (map.h * map.w);
      move(Math.floor(next / map.w), next % map.w);
    }, 120);
  }

  // JupyterLab takes arrow keys for itself unless the focused element says otherwise.
  for (const e of root.querySelectorAll("input, button, canvas")) e.dataset.lmSuppressShortcuts = "true";
  const watched = ["kernel", "stride", "pad", "dilation", "row", "column"].map((t) => "change:" + t);
  let asked = false; // several traits change at once: draw once
  const soon = () => {
    if (asked) return;
    asked = true;
    queueMicrotask(() => { asked = false; update(); });
  };
  for (const event of watched) model.on(event, soon);
  update();
  return () => {
    stop();
    for (const event of watched) model.off(event, soon);
  };
}
export default { render };
