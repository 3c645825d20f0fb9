"use strict";
/* The live walk: sliders move units of the chosen image's code, and the decoder answers in the page. */
(async () => {
  if (!document.getElementById("live-template")) return;
  const loaded = await model.ready;
  if (!loaded) return;
  const { data, decode, gallery } = loaded;
  const { shape } = data;
  const [, height, width] = shape;
  const names = gallery ? gallery.names : data.rows;
  /* Images that can be started from without being chosen elsewhere. */
  const offered = names.slice(0, gallery ? gallery.pictured : names.length);
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
  const start = { code: loaded.code(0), image: null, own: [], low: [], high: [], changes: new Map() };

  const valueIn = (code, unit) =>
    unit.members.reduce((sum, place) => sum + code[place], 0) / unit.members.length;
  const codeOf = (moved) => {
    const code = start.code.slice();
    for (const [k, value] of moved) {
      for (const place of data.walked[k].members) code[place] += value - start.own[k];
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

  const drawImage = (target, values) => painting.image(target, shape, values);
  const drawChange = (target, values, limit) => painting.change(target, shape, values, limit);

  /* Of a code with too many live units for the whole cloud: of the walked units, from the walked images. */
  const squaredDistance = (code) => {
    if (!data.near) return loaded.distance(code);
    const { distances, slopes, precision } = data.near;
    if (!(position.row in distances)) return NaN;
    const delta = data.walked.map((_, k) => (position.moved.get(k) ?? start.own[k]) - start.own[k]);
    return delta.reduce((sum, d, j) => {
      const across = precision[j].reduce((total, value, k) => total + value * delta[k], 0);
      return sum + d * (2 * slopes[position.row][j] + across);
    }, distances[position.row]);
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
    const moves = [...position.moved].map(([k, value]) => `&u${data.walked[k].index}=${value}`);
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
    const code = codeOf(position.moved);
    const image = position.moved.size ? decode(code) : start.image;
    drawImage(canvas.image, image);
    gap.textContent = compare(image);
    const far = squaredDistance(code);
    const off = far > data.largest_distance;
    distance.classList.toggle("off", off);
    const place = off ? "Off data, as about 1 in 100 real codes is." : "On data.";
    const usual = `real codes stay below ${number(data.largest_distance)} in 99 of 100 images`;
    distance.hidden = !Number.isFinite(far);
    distance.textContent = `${place} Squared distance ${number(far)}; ${usual}.`;
    const moves = [...position.moved].map(([k, value]) => `${data.walked[k].name} at ${number(value)}`);
    const what = moves.length
      ? `Unit${moves.length > 1 ? "s" : ""} ${moves.join(", ")}; the others unchanged.`
      : "The reconstruction, nothing moved.";
    for (const [name, target] of Object.entries(canvas)) {
      const label = name === "image" ? what : `${target.dataset.name}: ${gap.textContent}`;
      target.setAttribute("aria-label", label);
    }
    const missed = moves.length > 1 ? ` ${gap.textContent.split(":")[0]}.` : "";
    announce(`${what}${off ? " Off data." : ""}${missed}`);
    make();
  };
  /* The position's own contributions, once the reader has asked for them and stopped moving. */
  const made = find("made");
  let making = 0;
  const make = async () => {
    const asked = ++making;
    const drawing = made.open ? await lab : null;
    if (!drawing) return;
    await new Promise((resume) => { setTimeout(resume, 200); });
    if (asked !== making) return;
    try {
      const isWanted = () => asked === making;
      const result = await loaded.explain(codeOf(position.moved), "unit", position.row, isWanted);
      if (asked === making) drawing.draw(made, `${names[position.row]}, moved`, result);
    } catch (error) { if (error.name !== "AbortError") throw error; }
  };
  if (gallery) made.addEventListener("toggle", make); else made.remove();

  let drawn = 0;
  const ask = () => {
    cancelAnimationFrame(drawn);
    drawn = requestAnimationFrame(show);
  };

  const controls = data.walked.map((unit, k) => {
    const row = rowTemplate.content.cloneNode(true).firstElementChild;
    const [slider, typed] = row.querySelectorAll("input");
    const [name, share] = row.querySelectorAll(".slider-name, .slider-share");
    const owns = offered.map((_, place) => valueIn(loaded.code(place), unit));
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
      const inside = value >= start.low[k] - 1e-9 && value <= start.high[k] + 1e-9;
      slider.value = String(value);
      const isTyped = document.activeElement === typed && Number(typed.value) === value;
      if (!isTyped) typed.value = String(shortened(value));
      const doubt = inside ? "" : ", outside the data-supported range";
      slider.setAttribute("aria-valuetext", `${number(value)}${doubt}`);
      row.classList.toggle("moved", position.moved.has(k));
      supported.setAttribute("x", x(start.low[k]));
      const span = (1000 * (start.high[k] - start.low[k])) / (high - low);
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

  /* Twice the sd that the other units leave it, to both sides, within what real codes have. */
  const supportedFrom = (own, { quantiles, deviation }) => [
    Math.min(Math.max(own - 2 * deviation, quantiles[0]), own),
    Math.max(Math.min(own + 2 * deviation, quantiles[4]), own),
  ];
  const restart = (row, moved = new Map()) => {
    position.row = row;
    position.moved = moved;
    start.code = loaded.code(row);
    start.own = data.walked.map((unit) => valueIn(start.code, unit));
    data.walked.forEach((unit, k) => { [start.low[k], start.high[k]] = supportedFrom(start.own[k], unit); });
    start.image = decode(start.code);
    start.changes.clear();
    if (!choice.querySelector(`option[value="${row}"]`)) choice.add(new Option(names[row], String(row)));
    choice.value = String(row);
    for (const refresh of controls) refresh();
    ask();
  };
  const read = () => {
    if (!location.hash.startsWith("#walk=")) return false;
    const asked = new URLSearchParams(location.hash.slice(1));
    const row = Number(asked.get("walk"));
    if (!(row in names)) return false;
    const moved = new Map();
    data.walked.forEach((unit, k) => {
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

  offered.forEach((name, row) => choice.add(new Option(name, String(row))));
  choice.addEventListener("change", () => {
    if (gallery) selection.choose(Number(choice.value), { stay: true }); else restart(Number(choice.value));
  });
  /* Both as far from their own values as the data support. */
  const example = find("example");
  const pair = data.walked.slice(0, 2);
  if (pair.length < 2) example.remove();
  example.textContent = `Try units ${pair.map((unit) => unit.name).join(" and ")}`;
  example.addEventListener("click", () => {
    const far = (unit, k) => {
      const [low, high] = [start.low[k], start.high[k]];
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
  if (read()) document.getElementById("walk").scrollIntoView();
  else restart(gallery ? selection.state.place : 0);
  let chosen = selection.state.place;
  selection.follow(({ place, unit }) => {
    if (gallery && place !== chosen) restart(place);
    chosen = place;
    const isWalked = data.walked.some(({ index }) => index === unit);
    [...find("units").children].forEach((row, k) => {
      row.hidden = isWalked && data.walked[k].index !== unit;
    });
  });
})();
