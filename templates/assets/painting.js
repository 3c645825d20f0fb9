"use strict";
/* Images and changes, painted as the report's own pictures are. */
const painting = (() => {
  const paint = (target, [, height, width], colour) => {
    [target.width, target.height] = [width, height];
    const context = target.getContext("2d");
    const pixels = context.createImageData(width, height);
    for (let k = 0; k < height * width; k++) {
      pixels.data.set(colour(k), 4 * k);
      pixels.data[4 * k + 3] = 255;
    }
    context.putImageData(pixels, 0, 0);
  };
  const channel = (values, shape, k, c) => values[k + (shape[0] < 3 ? 0 : c * shape[1] * shape[2])];
  const image = (target, shape, values, [low, high] = frames.scales.range) => {
    const level = (k, c) =>
      Math.round(255 * Math.min(1, Math.max(0, (channel(values, shape, k, c) - low) / (high - low))));
    paint(target, shape, (k) => [level(k, 0), level(k, 1), level(k, 2)]);
  };
  const change = (target, shape, values, limit) => {
    const signed = (k, c) => (limit > 0 ? channel(values, shape, k, c) / limit : 0);
    const grey = (value) => Math.round(128 + 127 * Math.min(1, Math.max(-1, value || 0)));
    const colour = (k) => [0, 1, 2].map((c) => grey(signed(k, c)));
    paint(target, shape, (k) => (shape[0] < 3 ? frames.diverging(signed(k, 0)) : colour(k)));
  };

  /* A canvas as a strip, which can be enlarged and read like any other; a change has a `limit`. It stays a
     canvas: some servers allow no pictures but files. */
  const framed = (canvas, alt, limit = null) => {
    const isGrey = frames.scales.channels < 3;
    const figure = document.createElement("figure");
    figure.className = `strip of-1${limit !== null && isGrey ? " signed-0" : ""}`;
    canvas.className = "pixels";
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", alt);
    Object.assign(canvas.dataset, { tile: canvas.width, gap: 0, tiles: 1, blank: 0 });
    if (limit !== null) Object.assign(canvas.dataset, { signed: 0, limit });
    figure.append(canvas);
    enlarge.attach(figure);
    return figure;
  };
  /* An image, or a change where `limit` is given, as a strip. */
  const strip = (shape, values, alt, limit = null) => {
    const canvas = document.createElement("canvas");
    if (limit === null) image(canvas, shape, values); else change(canvas, shape, values, limit);
    return framed(canvas, alt, limit);
  };
  return { image, change, framed, strip };
})();
