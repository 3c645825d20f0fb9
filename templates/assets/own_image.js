"use strict";
/* A picture of the reader's own, read as the report reads its pictures: scaled until it covers the model's
   size and cropped around the centre. Nothing of it leaves the page. */
const ownImage = (() => {
  const { percent } = frames;

  const pixelsOf = (canvas, [channels, height, width]) => {
    const levels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
    const [low, high] = frames.scales.range;
    /* Grey as Pillow makes it. */
    const grey = (k) => (levels[k] * 19595 + levels[k + 1] * 38470 + levels[k + 2] * 7471 + 32768) >> 16;
    return Float32Array.from({ length: channels * height * width }, (_, at) => {
      const [channel, k] = [Math.floor(at / (height * width)), 4 * (at % (height * width))];
      return low + ((high - low) * (channels === 1 ? grey(k) : levels[k + channel])) / 255;
    });
  };

  /* The file's place among the images, and what is to be said of it. */
  const read = async (file, loaded) => {
    const { shape } = loaded.data;
    const [, height, width] = shape;
    let picture;
    try { picture = await createImageBitmap(file); } catch {
      return { says: `${file.name} is no picture that this browser can read.` };
    }
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width, height];
    const factor = Math.max(width / picture.width, height / picture.height);
    const [across, down] = [picture.width * factor, picture.height * factor];
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, (width - across) / 2, (height - down) / 2, across, down);
    const pixels = pixelsOf(canvas, shape);
    painting.image(canvas, shape, pixels);
    const was = `${picture.width} × ${picture.height}`;
    return {
      place: loaded.add(file.name, pixels, canvas),
      says: factor === 1 ? "" : `${file.name} was brought from ${was} to ${width} × ${height} pixels.`,
    };
  };

  /* How well it is reconstructed, beside its own mean. */
  const judged = (pixels, image) => {
    const mean = pixels.reduce((total, value) => total + value, 0) / pixels.length;
    const squares = (from) => pixels.reduce((total, value, k) => total + (value - from(k)) ** 2, 0);
    const missed = squares((k) => image[k]) / squares(() => mean);
    return `The reconstruction misses ${percent(missed)} of your picture's variance.`;
  };

  /* `label` holds the control; pictures may be dropped on `area` too. */
  const offer = (label, area, loaded, taken) => {
    if (!loaded.encode || ![1, 3].includes(loaded.data.shape[0])) { label.remove(); return; }
    const take = async (file) => { if (file) taken(await read(file, loaded)); };
    label.querySelector("input").addEventListener("change", (event) => {
      take(event.target.files[0]);
      event.target.value = "";
    });
    area.addEventListener("dragover", (event) => event.preventDefault());
    area.addEventListener("drop", (event) => {
      event.preventDefault();
      take(event.dataTransfer.files[0]);
    });
  };
  return { offer, judged };
})();
