"use strict";
/* Tiles of a strip, drawn from its picture: what the sliders and the enlargement share. */
const frames = {
  count: (image) => Number(image.dataset.tiles),
  draw(canvas, image, place) {
    const tile = Number(image.dataset.tile);
    const step = tile + Number(image.dataset.gap);
    const height = Number(image.getAttribute("height"));
    const paint = () => {
      canvas.width = tile;
      canvas.height = height;
      canvas.getContext("2d").drawImage(image, place * step, 0, tile, height, 0, 0, tile, height);
    };
    if (image.complete) paint(); else image.addEventListener("load", paint, { once: true });
  },
  captions: (strip) => [...strip.querySelectorAll(".captions span")].map((span) => span.textContent),
  flags: (strip) => [...strip.querySelectorAll(".marks span")].map((span) => span.classList.contains("flagged")),
};
