// Brings explorers to life that compute in the browser. Python has left the state and the script
// of each beside its picture; this is the small part of a Jupyter model that they use.
class Model {
  constructor(state) {
    this.state = state;
    this.heard = new Map();
  }
  get(name) { return this.state[name]; }
  set(name, value) {
    if (JSON.stringify(value) === JSON.stringify(this.state[name])) return;
    this.state[name] = value;
    for (const act of [...(this.heard.get(`change:${name}`) ?? [])]) act();
  }
  save_changes() {} // there is no kernel to tell
  on(event, act) { this.heard.set(event, [...(this.heard.get(event) ?? []), act]); }
  off(event, act) { this.heard.set(event, (this.heard.get(event) ?? []).filter((a) => a !== act)); }
}

function bytes(base64) {
  return new DataView(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).buffer);
}

async function wake(place) {
  const { state, bytes: packed } = JSON.parse(place.querySelector("script").textContent);
  for (const name in packed) state[name] = bytes(packed[name]);
  const address = URL.createObjectURL(new Blob([state._esm], { type: "text/javascript" }));
  const { default: widget } = await import(address);
  URL.revokeObjectURL(address);
  const style = document.createElement("style"), el = document.createElement("div");
  style.textContent = state._css;
  el.dataset.alive = "";
  await widget.render({ model: new Model(state), el });
  place.replaceChildren(style, el); // until here, and if anything fails, the picture stands
}

// The widgets' style sheets ask for JupyterLab's theme.
const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => (document.body.dataset.jpThemeLight = String(!dark.matches));
dark.addEventListener("change", paint);
paint();
document.querySelectorAll(".explorer").forEach(wake);

// What is wider than its place can be scrolled with the keyboard, too.
const reach = () => {
  for (const e of document.querySelectorAll("pre, .output, .formula, main > table")) {
    if (e.scrollWidth > e.clientWidth) e.tabIndex = 0;
    else e.removeAttribute("tabindex");
  }
};
addEventListener("resize", reach);
document.addEventListener("toggle", reach, true); // an answer was opened
addEventListener("load", reach);
