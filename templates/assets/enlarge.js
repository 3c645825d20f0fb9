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
    const blank = Number(image.dataset.blank);
    caption.textContent = `${place - blank + 1} of ${frames.count(image) - blank}${names[place] ? `, ${names[place]}` : ""}. ${image.alt}`;
    canvas.setAttribute("aria-label", caption.textContent);
  };
  const step = (by) => {
    const image = shown.querySelector("img");
    const [blank, tiles] = [Number(image.dataset.blank), frames.count(image)];
    place = blank + ((place - blank + by + tiles - blank) % (tiles - blank));
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
    button.addEventListener("click", () => open(Number(strip.querySelector("img").dataset.blank)));
    strip.append(button);
    strip.querySelector("img").addEventListener("click", (event) => {
      const box = event.target.getBoundingClientRect();
      const tiles = frames.count(event.target);
      const at = Math.floor(((event.clientX - box.left) / box.width) * tiles);
      open(Math.max(Number(event.target.dataset.blank), Math.min(tiles - 1, at)));
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
