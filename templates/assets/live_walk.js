"use strict";
/* The live walk: sliders move units of a real image's code, and the decoder answers in the page. */
(() => {
  const source = document.getElementById("live-data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const [channels, height, width] = data.shape;
  const size = height * width;
  const decode = live.decoder(data.steps, data.weights);
  const all = live.floats(data.codes);
  const codeSize = all.length / data.rows.length;
  const codes = data.rows.map((_, row) => all.slice(row * codeSize, (row + 1) * codeSize));
  const player = document.getElementById("live-template").content.cloneNode(true).firstElementChild;
  const find = (name) => player.querySelector(`[data-live="${name}"]`);
  const fields = ["state", "distance", "gap", "scale", "link", "row"];
  const [state, distance, gap, scale, link, choice] = fields.map(find);
  const pictures = ["image", "sum", "together", "difference"];
  const canvas = Object.fromEntries(pictures.map((name) => [name, find(name)]));
  const rowTemplate = document.getElementById("live-unit-template");

  const { number } = frames;
  const percent = (share) => `${number(100 * share)}\u202f%`;
  const shortened = (value) => Number(value.toPrecision(4));

  /* What is shown: a row, and the units that were moved with their values. */
  const position = { row: 0, moved: new Map() };
  const start = { image: null, own: [], changes: new Map() };

  const own = (unit) => {
    const code = codes[position.row];
    return unit.members.reduce((sum, place) => sum + code[place], 0) / unit.members.length;
  };
  const codeOf = (moved) => {
    const code = codes[position.row].slice();
    for (const [k, value] of moved) {
      for (const place of data.units[k].members) code[place] += value - start.own[k];
    }
    return code;
  };
  const minus = (a, b) => a.map((value, k) => value - b[k]);
  const norm = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

  /* g(z + δ e_k) − g(z), kept for as long as the unit stays where it is. */
  const changeOf = (k, value) => {
    const kept = start.changes.get(k);
    if (kept?.value === value) return kept.change;
    const change = minus(decode(codeOf([[k, value]])), start.image);
    start.changes.set(k, { value, change });
    return change;
  };

  const paint = (target, colour) => {
    const context = target.getContext("2d");
    const pixels = context.createImageData(width, height);
    for (let k = 0; k < size; k++) {
      pixels.data.set(colour(k), 4 * k);
      pixels.data[4 * k + 3] = 255;
    }
    context.putImageData(pixels, 0, 0);
  };
  const channel = (values, k, c) => values[k + (channels < 3 ? 0 : c * size)];
  const drawImage = (target, values) => {
    const [low, high] = frames.scales.range;
    const level = (k, c) =>
      Math.round(255 * Math.min(1, Math.max(0, (channel(values, k, c) - low) / (high - low))));
    paint(target, (k) => [level(k, 0), level(k, 1), level(k, 2)]);
  };
  const drawChange = (target, change, limit) => {
    const signed = (k, c) => (limit > 0 ? channel(change, k, c) / limit : 0);
    const grey = (value) => Math.round(128 + 127 * Math.min(1, Math.max(-1, value || 0)));
    const colour = (k) => [0, 1, 2].map((c) => grey(signed(k, c)));
    paint(target, (k) => (channels < 3 ? frames.diverging(signed(k, 0)) : colour(k)));
  };

  const squaredDistance = () => {
    const delta = data.units.map((_, k) => (position.moved.get(k) ?? start.own[k]) - start.own[k]);
    return delta.reduce((sum, d, j) => {
      const across = data.precision[j].reduce((total, value, k) => total + value * delta[k], 0);
      return sum + d * (2 * data.slopes[position.row][j] + across);
    }, data.distances[position.row]);
  };

  const compare = (image) => {
    const together = minus(image, start.image);
    const sum = new Float32Array(together.length);
    for (const [k, value] of position.moved) changeOf(k, value).forEach((change, p) => { sum[p] += change; });
    const difference = minus(together, sum);
    const larger = (largest, value) => Math.max(largest, Math.abs(value));
    const limit = [sum, together, difference].reduce((largest, values) => values.reduce(larger, largest), 0);
    drawChange(canvas.sum, sum, limit);
    drawChange(canvas.together, together, limit);
    drawChange(canvas.difference, difference, limit);
    const share = norm(difference) / norm(together);
    scale.textContent = limit > 0 ? `All three on the scale ±${number(limit)}` : "Nothing has changed yet";
    find("compare").classList.toggle("unchanged", !(limit > 0));
    if (position.moved.size < 2) return "Move two units or more: one alone is its own sum.";
    return Number.isFinite(share)
      ? `Gap ${percent(share)}: the size of the difference against that of the change together.`
      : "The image is the same wherever these units are.";
  };

  const fragment = () => {
    const moves = [...position.moved].map(([k, value]) => `&u${data.units[k].index}=${value}`);
    return `#walk=${position.row}${moves.join("")}`;
  };
  let waiting = 0;
  const announce = (text) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      state.textContent = text;
      link.href = fragment();
      /* Sandboxed pages may not touch their address. */
      if (!position.moved.size && !location.hash.startsWith("#walk=")) return;
      try { history.replaceState(null, "", fragment()); } catch { /* The link still has it. */ }
    }, 250);
  };

  const show = () => {
    const image = position.moved.size ? decode(codeOf(position.moved)) : start.image;
    drawImage(canvas.image, image);
    gap.textContent = compare(image);
    const far = squaredDistance();
    const off = far > data.largest_distance;
    distance.classList.toggle("off", off);
    const place = off ? "Off data, as about 1 in 100 real codes is." : "On data.";
    const usual = `real codes stay below ${number(data.largest_distance)} in 99 of 100 images`;
    distance.textContent = `${place} Squared distance ${number(far)}; ${usual}.`;
    const moves = [...position.moved].map(([k, value]) => `${data.units[k].name} at ${number(value)}`);
    const what = moves.length
      ? `Unit${moves.length > 1 ? "s" : ""} ${moves.join(", ")}; the others unchanged.`
      : "The reconstruction, nothing moved.";
    for (const [name, target] of Object.entries(canvas)) {
      const label = name === "image" ? what : `${target.dataset.name}: ${gap.textContent}`;
      target.setAttribute("aria-label", label);
    }
    const missed = moves.length > 1 ? ` ${gap.textContent.split(":")[0]}.` : "";
    announce(`${what}${off ? " Off data." : ""}${missed}`);
  };
  let drawn = 0;
  const ask = () => {
    cancelAnimationFrame(drawn);
    drawn = requestAnimationFrame(show);
  };

  const controls = data.units.map((unit, k) => {
    const row = rowTemplate.content.cloneNode(true).firstElementChild;
    const [slider, typed] = row.querySelectorAll("input");
    const [name, share] = row.querySelectorAll(".slider-name, .slider-share");
    const owns = data.rows.map((_, place) => { position.row = place; return own(unit); });
    const ends = [Math.min(...owns, unit.quantiles[0]), Math.max(...owns, unit.quantiles[4])];
    const margin = (ends[1] - ends[0]) / 4;
    const [low, high] = [ends[0] - margin, ends[1] + margin];
    const x = (value) => String((1000 * (value - low)) / (high - low));
    name.textContent = `unit ${unit.name}`;
    share.textContent = unit.share;
    slider.min = String(low);
    slider.max = String(high);
    slider.setAttribute("aria-label", `Unit ${unit.name}`);
    typed.setAttribute("aria-label", `Value of unit ${unit.name}`);
    row.querySelectorAll(".quantile").forEach((mark, place) => {
      for (const end of ["x1", "x2"]) mark.setAttribute(end, x(unit.quantiles[place]));
    });
    const meanMark = row.querySelector(".mean");
    meanMark.setAttribute("x1", x(unit.mean));
    meanMark.setAttribute("x2", x(unit.mean));
    const supported = row.querySelector(".supported");
    const refresh = () => {
      const value = position.moved.get(k) ?? start.own[k];
      const inside = value >= unit.low[position.row] - 1e-9 && value <= unit.high[position.row] + 1e-9;
      slider.value = String(value);
      const isTyped = document.activeElement === typed && Number(typed.value) === value;
      if (!isTyped) typed.value = String(shortened(value));
      const doubt = inside ? "" : ", outside the data-supported range";
      slider.setAttribute("aria-valuetext", `${number(value)}${doubt}`);
      row.classList.toggle("moved", position.moved.has(k));
      supported.setAttribute("x", x(unit.low[position.row]));
      const span = (1000 * (unit.high[position.row] - unit.low[position.row])) / (high - low);
      supported.setAttribute("width", String(span));
    };
    const move = (value) => {
      if (!Number.isFinite(value)) return;
      position.moved.set(k, shortened(value));
      refresh();
      ask();
    };
    slider.addEventListener("input", () => move(Number(slider.value)));
    typed.addEventListener("input", () => { if (typed.value !== "") move(Number(typed.value)); });
    typed.addEventListener("change", refresh);
    typed.addEventListener("keydown", (event) => {
      const steps = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
      if (!steps) return;
      event.preventDefault();
      move((position.moved.get(k) ?? start.own[k]) + (steps * (high - low)) / 100);
    });
    find("units").append(row);
    return refresh;
  });

  const restart = (row, moved = new Map()) => {
    position.row = row;
    position.moved = moved;
    start.own = data.units.map(own);
    start.image = decode(codes[row]);
    start.changes.clear();
    choice.value = String(row);
    for (const refresh of controls) refresh();
    ask();
  };
  const read = () => {
    if (!location.hash.startsWith("#walk=")) return false;
    const asked = new URLSearchParams(location.hash.slice(1));
    const row = Number(asked.get("walk"));
    if (!(row in codes)) return false;
    const moved = new Map();
    data.units.forEach((unit, k) => {
      const text = asked.get(`u${unit.index}`);
      if (text && Number.isFinite(Number(text))) moved.set(k, Number(text));
    });
    restart(row, moved);
    return true;
  };

  /* Whole factors, so that a pixel stays a square. */
  const fit = () => {
    const widest = canvas.image.parentElement.clientWidth;
    const third = find("compare").clientWidth / 3 - 12;
    for (const [name, target] of Object.entries(canvas)) {
      const room = name === "image" ? widest : Math.min(third, 168);
      const factor = Math.max(1, Math.floor(room / width));
      target.style.width = `${Math.min(width * factor, name === "image" ? widest : third)}px`;
    }
  };

  data.rows.forEach((name, row) => choice.add(new Option(name, String(row))));
  choice.addEventListener("change", () => restart(Number(choice.value)));
  /* Both as far from their own values as the data support. */
  const example = find("example");
  const pair = data.units.slice(0, 2);
  if (pair.length < 2) example.remove();
  example.textContent = `Try units ${pair.map((unit) => unit.name).join(" and ")}`;
  example.addEventListener("click", () => {
    const far = (unit, k) => {
      const [low, high] = [unit.low[position.row], unit.high[position.row]];
      return Math.abs(high - start.own[k]) > Math.abs(low - start.own[k]) ? high : low;
    };
    restart(position.row, new Map(pair.map((unit, k) => [k, shortened(far(unit, k))])));
  });
  find("reset").addEventListener("click", () => restart(position.row));
  for (const target of Object.values(canvas)) [target.width, target.height] = [width, height];
  document.getElementById("walk").append(player);
  window.addEventListener("resize", fit, { passive: true });
  window.addEventListener("hashchange", read);
  fit();
  if (read()) document.getElementById("walk").scrollIntoView(); else restart(0);
})();
