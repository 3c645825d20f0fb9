"use strict";
/* The model in the page, once it is unpacked: its decoder, codes of images, and what they are made of.
   `model.ready` gives null where the page does not carry it or the browser cannot unpack it. */
const model = (() => {
  const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const squares = (values) => values.reduce((sum, value) => sum + value * value, 0);

  /* Parts of z − z0 that sum to it, one for each player. */
  const partsOfUnits = ({ members }, change) => members.map((places) => {
    const part = new Float64Array(change.length);
    for (const place of places) part[place] = change[place];
    return part;
  });
  const partsOfDirections = ({ coordinates }, { readout, drawn }, change) => {
    const count = readout.length / coordinates.length;
    const rest = Float64Array.from(change);
    const parts = Array.from({ length: count }, (_, j) => {
      const along = coordinates.reduce((sum, place, m) => sum + change[place] * readout[m * count + j], 0);
      const part = new Float64Array(change.length);
      coordinates.forEach((place, m) => {
        part[place] = along * drawn[j * coordinates.length + m];
        rest[place] -= part[place];
      });
      return part;
    });
    return [...parts, rest];
  };

  /* What sliders move a code along: a unit, by its value, or a direction, by its length in sd. `own` is
     where a code stands, and `add` moves it. */
  const alongUnits = ({ walked }) => walked.map((unit) => ({
    ...unit,
    key: `u${unit.index}`,
    title: `unit ${unit.name}`,
    own: (code) => unit.members.reduce((sum, place) => sum + code[place], 0) / unit.members.length,
    add: (code, by) => { for (const place of unit.members) code[place] += by; },
  }));
  const alongDirections = ({ names, coordinates, walked = [] }, { baseline, readout, drawn }) =>
    walked.map((direction, j) => ({
      ...direction,
      key: `d${j + 1}`,
      name: String(j + 1),
      title: names[j],
      /* Directions are uncorrelated, so that the others leave each its whole sd. */
      deviation: 1,
      own: (code) => coordinates.reduce(
        (sum, place, m) => sum + (code[place] - baseline[place]) * readout[m * walked.length + j],
        direction.baseline),
      add: (code, by) => {
        coordinates.forEach((place, m) => { code[place] += by * drawn[j * coordinates.length + m]; });
      },
    }));

  /* Lets the page answer in between; raises where the answer is no longer wanted. */
  const SLICE = 16;
  const channel = new MessageChannel();
  const waiting = [];
  channel.port1.onmessage = () => waiting.shift()();
  const pausing = (isWanted) => {
    let since = performance.now();
    return async () => {
      if (performance.now() - since < SLICE) return;
      await new Promise((resume) => { waiting.push(resume); channel.port2.postMessage(null); });
      if (!isWanted()) throw new DOMException("another image was chosen", "AbortError");
      since = performance.now();
    };
  };

  /* Aumann–Shapley contributions along z0 → z, as in docs/methods.md: in each of `steps` steps the parts
     move one at a time, in this order and in the reverse; φ is the mean of the two. */
  const contributions = async (decode, baseline, code, parts, order, steps, pause) => {
    const at = (step) => {
      if (step === steps) return Float64Array.from(code);
      const mixed = Float64Array.from(baseline);
      for (const part of parts) part.forEach((value, place) => { mixed[place] += (step / steps) * value; });
      return mixed;
    };
    const decoded = (mixed) => decode(Float32Array.from(mixed));
    const start = decoded(baseline);
    const phi = parts.map(() => new Float64Array(start.length));
    let before = start;
    for (let step = 0; step < steps; step++) {
      const after = decoded(at(step + 1));
      for (const walk of [order, [...order].reverse()]) {
        const mixed = at(step);
        let last = before;
        for (const [moved, part] of walk.entries()) {
          parts[part].forEach((value, place) => { mixed[place] += value / steps; });
          const next = moved === walk.length - 1 ? after : decoded(mixed);
          const sum = phi[part];
          for (let k = 0; k < sum.length; k++) sum[k] += (next[k] - last[k]) / 2;
          last = next;
          await pause();
        }
      }
      before = after;
    }
    return { start, image: before, phi };
  };

  /* Shares, sizes and how far the parts are from summing to the change, over the pixel range. */
  const measured = ({ start, image, phi }) => {
    const change = image.map((value, k) => value - start[k]);
    const energy = squares(change);
    const inner = (part) => part.reduce((sum, value, k) => sum + value * change[k], 0);
    const missed = change.map((value, k) => value - phi.reduce((sum, part) => sum + part[k], 0));
    const [low, high] = frames.scales.range;
    return {
      start,
      image,
      phi,
      shares: phi.map((part) => inner(part) / energy),
      sizes: phi.map((part) => Math.sqrt(squares(part) / energy)),
      missed: largest(missed) / (high - low),
    };
  };

  /* An image at a place as the mean image and its principal components, as `explain` gives its parts; null
     where the page cannot tell its scores. */
  const byComponents = ({ pca_mean: mean, pca_components: all, ...arrays }, count, own) => {
    const component = (k) => all.subarray(k * mean.length, (k + 1) * mean.length);
    const scores = (place) => {
      const { pca_levels: levels, pca_low: low, pca_step: step } = arrays;
      if (place < count) return Array.from(low, (at, k) => at + step[k] * levels[place * low.length + k]);
      const { pixels } = own.get(place);
      if (pixels.length !== mean.length) return null;
      return Array.from(low, (_, k) => component(k).reduce(
        (sum, value, at) => sum + value * (pixels[at] - mean[at]), 0));
    };
    return (place) => {
      const along = mean ? scores(place) : null;
      if (!along) return null;
      const phi = along.map((score, k) => Float64Array.from(component(k), (value) => score * value));
      const start = Float64Array.from(mean);
      const image = start.map((value, at) => phi.reduce((sum, part) => sum + part[at], value));
      const energy = squares(along);
      const shares = along.map((score) => score ** 2 / energy);
      return { start, image, phi, shares, sizes: shares.map(Math.sqrt) };
    };
  };

  const unpacked = async (text) => {
    const data = await live.unpack(text);
    const { arrays, gallery } = data;
    const decode = live.decoder(data.steps, arrays.weights);
    const size = arrays.low.length;
    const count = arrays.levels.length / size;
    const encode = data.encoder_steps ? live.decoder(data.encoder_steps, arrays.encoder_weights) : null;
    /* The reader's own images come after those that travel with the page. */
    const own = new Map();
    const code = (place) => own.get(place)?.code
      ?? Float32Array.from(arrays.low, (low, k) => low + arrays.step[k] * arrays.levels[place * size + k]);
    const add = (name, pixels, canvas) => {
      const place = gallery.names.push(name) - 1;
      gallery.classes?.push("your own");
      own.set(place, { code: encode(pixels), pixels, canvas });
      return place;
    };
    const players = (way) => (way === "unit" ? gallery.units : gallery.directions);
    const axes = {
      unit: alongUnits(data),
      direction: gallery?.directions ? alongDirections(gallery.directions, arrays) : [],
    };
    /* By what the page's choice takes images apart, as far as it does so here: `state.way` is the other. */
    const other = gallery?.lead === "direction" ? "unit" : "direction";
    const wayOf = (state) => {
      const chosen = gallery && (state.way ? other : gallery.lead);
      return chosen && players(chosen) ? chosen : "unit";
    };
    /* What a code is made of, by "unit" or "direction", in the order of the path of the image at a place. */
    const explain = async (z, way, place, isWanted) => {
      const change = Float64Array.from(z, (value, k) => value - arrays.baseline[k]);
      const parts = way === "unit"
        ? partsOfUnits(gallery.units, change)
        : partsOfDirections(gallery.directions, arrays, change);
      const orders = arrays[`${way}_orders`];
      const order = place >= count
        ? parts.map((_, k) => k)
        : [...orders.slice(place * parts.length, (place + 1) * parts.length)];
      const pause = pausing(isWanted);
      return measured(await contributions(decode, arrays.baseline, z, parts, order, gallery.steps, pause));
    };
    /* Squared Mahalanobis distance of a code from those of real images; NaN where it is not carried. */
    const distance = (z) => {
      if (!gallery?.cloud) return NaN;
      const { members, mean } = gallery.cloud;
      const centred = members.map((places, j) =>
        places.reduce((sum, place) => sum + z[place], 0) / places.length - mean[j]);
      const across = (j) => centred.reduce(
        (sum, value, k) => sum + arrays.precision[j * centred.length + k] * value, 0);
      return centred.reduce((sum, value, j) => sum + value * across(j), 0);
    };
    /* The same of a code that went by `moves` from that of the image at a place, where `distance` is NaN. */
    const distanceNear = (place, way, moves) => {
      const [distances, slopes, precision] = ["distances", "slopes", "precision"].map(
        (name) => arrays[`${way}_${name}`]);
      if (!(place < distances?.length)) return NaN;
      return moves.reduce((sum, move, j) => {
        const across = moves.reduce((total, by, k) => total + precision[j * moves.length + k] * by, 0);
        return sum + move * (2 * slopes[place * moves.length + j] + across);
      }, distances[place]);
    };
    return {
      data, gallery, decode, encode, own, add, code, count, players, axes, other, wayOf, explain, distance,
      distanceNear, byPca: byComponents(arrays, count, own),
      components: { names: Array.from(arrays.pca_low ?? [], (_, k) => `PC ${k + 1}`) },
    };
  };

  const source = document.getElementById("live-data");
  const canUnpack = "DecompressionStream" in window;
  return {
    ready: source && canUnpack ? unpacked(source.textContent) : Promise.resolve(null),
    contributions,
    measured,
  };
})();
