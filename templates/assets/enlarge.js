"use strict";
/* A picture at several times its size, tile by tile, and to keep. */
(() => {
  const dialog = document.querySelector("dialog.enlarged");
  const canvas = dialog.querySelector("canvas");
  const caption = dialog.querySelector(".enlarged-caption");
  let shown = null;
  let place = 0;
  const show = () => {
    const image = shown.querySelector("img");
    const names = frames.captions(shown);
    frames.draw(canvas, image, place);
    const tile = Number(image.dataset.tile);
    const factor = Math.max(1, Math.floor(Math.min(480, window.innerWidth * 0.8) / tile));
    canvas.style.width = `${tile * factor}px`;
    caption.textContent = `${place + 1} of ${frames.count(image)}${names[place] ? `, ${names[place]}` : ""}. ${image.alt}`;
    canvas.setAttribute("aria-label", caption.textContent);
  };
  const step = (by) => {
    place = (place + by + frames.count(shown.querySelector("img"))) % frames.count(shown.querySelector("img"));
    show();
  };
  for (const strip of document.querySelectorAll(".strip")) {
    const open = (at) => {
      shown = strip;
      place = at;
      show();
      dialog.showModal();
    };
    const button = document.createElement("button");
    button.type = "button";
    button.className = "enlarge";
    button.textContent = "Enlarge";
    button.setAttribute("aria-label", `Enlarge: ${strip.querySelector("img").alt.slice(0, 80)}`);
    button.addEventListener("click", () => open(0));
    strip.append(button);
    strip.querySelector("img").addEventListener("click", (event) => {
      const box = event.target.getBoundingClientRect();
      const tiles = frames.count(event.target);
      open(Math.min(tiles - 1, Math.floor(((event.clientX - box.left) / box.width) * tiles)));
    });
  }
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.hasAttribute("data-close")) dialog.close();
    if (event.target.dataset.step) step(Number(event.target.dataset.step));
    if (event.target.hasAttribute("data-save")) {
      const link = document.createElement("a");
      link.download = "picture.png";
      link.href = canvas.toDataURL("image/png");
      link.click();
    }
  });
})();
