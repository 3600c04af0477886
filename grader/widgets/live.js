// Shows the PNG that Python sends, with alt text, and makes the sliders around it usable by keyboard.
function render({ model, el }) {
  const image = document.createElement("img");
  image.className = "nn-picture";
  image.draggable = false;
  el.append(image);
  let url = null;

  const showPicture = () => {
    const old = url;
    url = URL.createObjectURL(new Blob([model.get("value")], { type: "image/png" }));
    image.src = url;
    if (old) URL.revokeObjectURL(old);
  };
  const showText = () => {
    image.alt = model.get("alt");
    image.style.width = model.get("width") + "px";
  };
  model.on("change:value", showPicture);
  model.on("change:alt", showText);
  showText();
  showPicture();

  // Python draws as many pixels as are shown here: fewer are blurred, more cost time.
  let pause = null;
  const fit = () => {
    const style = getComputedStyle(image);
    const shown = image.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    if (!(shown > 0)) return;
    const ratio = Math.min(2, Math.round(shown * devicePixelRatio) / model.get("width"));
    if (Math.abs(ratio - model.get("ratio")) < 1e-4) return;
    model.set("ratio", ratio);
    model.save_changes();
  };
  const resized = new ResizeObserver(() => { clearTimeout(pause); pause = setTimeout(fit, 150); });
  resized.observe(image);

  // JupyterLab takes arrow keys for itself unless the focused element says otherwise, and a
  // slider's handle has no name for screen readers. The explorer around us is attached later.
  let tries = 0;
  const timer = setInterval(() => {
    const explorer = el.closest(".nn-explorer");
    const movable = ".noUi-handle, button, select, input";
    for (const element of explorer?.querySelectorAll(movable) ?? []) {
      element.dataset.lmSuppressShortcuts = "true";
      const label = element.closest(".widget-slider")?.querySelector(".widget-label");
      if (label) element.setAttribute("aria-label", label.textContent);
      const icon = element.querySelector("i.fa");  // the buttons of a player show nothing else
      if (icon && !element.textContent.trim())
        element.setAttribute("aria-label", icon.classList.contains("fa-stop") ? "stop" : "play");
    }
    if (++tries > 20) clearInterval(timer);
  }, 150);

  return () => {
    clearInterval(timer);
    clearTimeout(pause);
    resized.disconnect();
    model.off("change:value", showPicture);
    model.off("change:alt", showText);
    if (url) URL.revokeObjectURL(url);
  };
}
export default { render };
