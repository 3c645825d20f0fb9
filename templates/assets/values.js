"use strict";
/* Numbers read back from the lossless pictures, to within half a level of 255 of their scale. */
const values = (() => {
  const { scales, number, diverging } = frames;
  const LEVELS = 1000;
  const table = Array.from({ length: 2 * LEVELS + 1 }, (_, k) => diverging(k / LEVELS - 1));
  const signedOf = (colour) => {
    const distance = (entry) => entry.reduce((sum, value, c) => sum + Math.abs(value - colour[c]), 0);
    const nearest = (best, entry, k) => (distance(entry) < distance(table[best]) ? k : best);
    return table.reduce(nearest, 0) / LEVELS - 1;
  };
  const names = scales.channels === 3 ? ["red", "green", "blue"] : ["channel 1", "channel 2", "channel 3"];

  /* Of a pixel's colour in an image or, where `limit` is given, in a difference. */
  const printed = (colour, limit) => {
    if (scales.channels < 3) {
      const [low, high] = scales.range;
      return number(limit === null ? low + ((high - low) * colour[0]) / 255 : limit * signedOf(colour));
    }
    const [low, high] = scales.range;
    const one = (level) =>
      limit === null ? low + ((high - low) * level) / 255 : (limit * (level - 128)) / 127;
    return colour.map((level, c) => `${names[c]} ${number(one(level))}`).join(", ");
  };

  const limitOf = (image, place) =>
    image.dataset.signed !== undefined && place >= Number(image.dataset.signed)
      ? Number(image.dataset.limit)
      : null;

  /* A pixel of a tile in words; "" where the browser keeps pictures from scripts, as beside a page on
     disk. */
  const canvas = document.createElement("canvas");
  let drawn = { image: null, place: -1 };
  const at = (image, place, row, column) => {
    try {
      if (drawn.image !== image || drawn.place !== place) frames.draw(canvas, image, place);
      drawn = { image, place };
      const pixel = canvas.getContext("2d").getImageData(column, row, 1, 1).data;
      if (!pixel[3]) return "";
      const value = printed([...pixel.slice(0, 3)], limitOf(image, place));
      return `row ${row + 1}, column ${column + 1}: ${value}`;
    } catch { return ""; }
  };

  /* What is under the pointer, beside it. */
  const readout = document.createElement("p");
  readout.className = "readout";
  readout.hidden = true;
  readout.setAttribute("aria-hidden", "true");
  document.body.append(readout);
  document.addEventListener("pointermove", (event) => {
    readout.hidden = true;
    if (event.pointerType !== "mouse" || !event.target.matches?.(".strip .pixels")) return;
    const image = event.target;
    const box = image.getBoundingClientRect();
    const factor = box.width / Number(image.getAttribute("width"));
    const [x, y] = [(event.clientX - box.left) / factor, (event.clientY - box.top) / factor];
    const tile = Number(image.dataset.tile);
    const place = Math.floor(x / (tile + Number(image.dataset.gap)));
    const column = Math.floor(x - place * (tile + Number(image.dataset.gap)));
    if (column >= tile) return;
    const text = at(image, place, Math.floor(y), column);
    if (!text) return;
    const caption = frames.captions(image.parentElement)[place]?.replace(/^\+ | =$/g, "");
    readout.textContent = caption ? `${caption}, ${text}` : text;
    readout.hidden = false;
    readout.style.left = `${Math.min(event.clientX + 14, window.innerWidth - readout.offsetWidth - 8)}px`;
    readout.style.top = `${Math.min(event.clientY + 18, window.innerHeight - readout.offsetHeight - 8)}px`;
  }, { passive: true });
  document.addEventListener("scroll", () => { readout.hidden = true; }, { passive: true, capture: true });
  return { at, limitOf };
})();
