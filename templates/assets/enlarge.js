"use strict";
/* A picture at several times its size: tile by tile, pixel by pixel, and to keep. */
const enlarge = (() => {
  const dialog = document.querySelector("dialog.enlarged");
  const canvas = dialog.querySelector("canvas");
  const cursor = dialog.querySelector(".enlarged-cursor");
  const caption = dialog.querySelector(".enlarged-caption");
  const value = dialog.querySelector(".enlarged-value");
  const lightness = dialog.querySelector("[data-lightness]");
  let shown = null;
  let place = 0;
  let pixel = null;
  let factor = 1;

  const image = () => frames.picture(shown);
  /* The pictures of one sum are gone through as the tiles of a strip are. */
  const sum = () => [...(shown.closest(".sum")?.querySelectorAll(".strip") ?? [])];
  const isChange = () => values.limitOf(image(), place) !== null;

  /* Lightness alone, on the diverging map: Rec. 709 weights of the three channels. */
  const inLightness = () => {
    const context = canvas.getContext("2d");
    try {
      const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
      for (let k = 0; k < pixels.data.length; k += 4) {
        const [red, green, blue] = pixels.data.slice(k, k + 3);
        pixels.data.set(frames.diverging((0.2126 * red + 0.7152 * green + 0.0722 * blue - 128) / 127), k);
      }
      context.putImageData(pixels, 0, 0);
    } catch { /* The picture is kept from scripts, and stays as it is. */ }
  };
  const point = (row, column) => {
    pixel = [Math.min(canvas.height - 1, Math.max(0, row)), Math.min(canvas.width - 1, Math.max(0, column))];
    value.textContent = values.at(image(), place, ...pixel);
    cursor.hidden = value.textContent === "";
    cursor.style.width = cursor.style.height = `${factor}px`;
    cursor.style.left = `${canvas.offsetLeft + pixel[1] * factor}px`;
    cursor.style.top = `${canvas.offsetTop + pixel[0] * factor}px`;
  };
  const show = () => {
    const names = frames.captions(shown);
    frames.draw(canvas, image(), place);
    const tile = Number(image().dataset.tile);
    factor = Math.max(1, Math.floor(Math.min(448, window.innerWidth * 0.8) / tile));
    canvas.style.width = `${tile * factor}px`;
    const blank = Number(image().dataset.blank ?? 0);
    const [at, of] = sum().length
      ? [sum().indexOf(shown), sum().length]
      : [place - blank, frames.count(image()) - blank];
    const called = names[place] ? `, ${names[place]}` : "";
    caption.textContent = `${at + 1} of ${of}${called}. ${frames.alt(image())}`;
    canvas.setAttribute("aria-label", caption.textContent);
    /* What was made in the page is one picture and no file of its own. */
    dialog.querySelector('[data-save="strip"]').hidden = !image().src;
    lightness.hidden = frames.scales.channels < 3 || !isChange();
    const isLightness = !lightness.hidden && lightness.getAttribute("aria-pressed") === "true";
    if (isLightness) inLightness();
    canvas.classList.toggle("signed", isChange() && (frames.scales.channels < 3 || isLightness));
    if (pixel) point(...pixel);
  };
  const step = (by) => {
    const [blank, tiles] = [Number(image().dataset.blank ?? 0), frames.count(image())];
    if (sum().length) shown = sum()[(sum().indexOf(shown) + by + sum().length) % sum().length];
    else place = blank + ((place - blank + by + tiles - blank) % (tiles - blank));
    show();
  };
  const save = (href, ending) => {
    const link = document.createElement("a");
    const name = [document.querySelector("h1").textContent, caption.textContent].join(" ");
    link.download = `${name.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-/, "").slice(0, 60)}.${ending}`;
    link.href = href;
    link.click();
  };
  const attach = (strip) => {
    const open = (at) => {
      shown = strip;
      place = at;
      pixel = null;
      value.textContent = value.dataset.hint;
      cursor.hidden = true;
      dialog.showModal();
      dialog.querySelector('[data-step="1"]').focus();
      show();
    };
    const picture = frames.picture(strip);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "enlarge";
    button.textContent = "Enlarge";
    button.setAttribute("aria-label", `Enlarge: ${frames.alt(picture).slice(0, 80)}`);
    button.addEventListener("click", () => open(Number(picture.dataset.blank ?? 0)));
    strip.append(button);
    picture.addEventListener("click", (event) => {
      const box = picture.getBoundingClientRect();
      const tiles = frames.count(picture);
      const at = Math.floor(((event.clientX - box.left) / box.width) * tiles);
      open(Math.max(Number(picture.dataset.blank ?? 0), Math.min(tiles - 1, at)));
    });
  };
  for (const strip of document.querySelectorAll(".strip:not(.choices *, summary *)")) attach(strip);
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    point(Math.floor((event.clientY - box.top) / factor), Math.floor((event.clientX - box.left) / factor));
  }, { passive: true });
  dialog.addEventListener("keydown", (event) => {
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const [down, across] = steps[event.key] ?? [0, 0];
    if (event.target === canvas && (down || across)) {
      event.preventDefault();
      const middle = [Math.floor(canvas.height / 2) - down, Math.floor(canvas.width / 2) - across];
      const [row, column] = pixel ?? middle;
      point(row + down, column + across);
    } else if (across) step(across);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.hasAttribute("data-close")) dialog.close();
    if (event.target.dataset.step) step(Number(event.target.dataset.step));
    if (event.target === lightness) {
      lightness.setAttribute("aria-pressed", String(lightness.getAttribute("aria-pressed") !== "true"));
      show();
    }
    if (event.target.dataset.save === "strip" && image().src) save(image().src, "webp");
    if (event.target.dataset.save === "tile") {
      try { save(canvas.toDataURL("image/png"), "png"); } catch { save(image().src, "webp"); }
    }
  });
  return { attach };
})();
