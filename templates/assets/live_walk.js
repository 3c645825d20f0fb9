"use strict";
/* The live walk: sliders move the chosen image's code along units or along directions, and the decoder
   answers in the page. */
(async () => {
  if (!document.getElementById("live-template")) return;
  const loaded = await model.ready;
  if (!loaded) return;
  const { data, decode, gallery, axes } = loaded;
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
  const { shortened } = sliders;
  const percent = (share) => `${number(100 * share)}\u202f%`;

  /* What is shown: a row, and what was moved with its values: units, or directions. */
  const position = { row: 0, way: "unit", moved: new Map() };
  const start = { code: loaded.code(0), image: null, own: [], low: [], high: [], changes: new Map() };
  const walked = () => axes[position.way];
  const canTurn = axes.direction.length > 0;
  const wayOf = (state) => (canTurn ? loaded.wayOf(state) : "unit");
  const titled = (count) => {
    const title = position.way === "unit" ? "Unit" : "Direction";
    return count === 1 ? title : `${title}s`;
  };

  const codeOf = (moved) => {
    const code = start.code.slice();
    for (const [k, value] of moved) walked()[k].add(code, value - start.own[k]);
    return code;
  };
  const minus = (a, b) => a.map((value, k) => value - b[k]);
  const norm = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

  /* g(z + δ e_k) − g(z), kept for as long as the slider stays where it is. */
  const changeOf = (k, value) => {
    const kept = start.changes.get(k);
    if (kept?.value === value) return kept.change;
    const change = minus(decode(codeOf([[k, value]])), start.image);
    start.changes.set(k, { value, change });
    return change;
  };

  const drawImage = (target, values) => painting.image(target, shape, values);
  const drawChange = (target, values, limit) => painting.change(target, shape, values, limit);

  /* Of a code with too many live units for the whole cloud: near the images that the page carries. */
  const squaredDistance = (code) => {
    const far = loaded.distance(code);
    if (Number.isFinite(far)) return far;
    const moves = walked().map((_, k) => (position.moved.get(k) ?? start.own[k]) - start.own[k]);
    return loaded.distanceNear(position.row, position.way, moves);
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
    const these = titled(2).toLowerCase();
    if (position.moved.size < 2) return `Move two ${these} or more: one alone is its own sum.`;
    return Number.isFinite(share)
      ? `Gap ${percent(share)}: the size of the difference against that of the change together.`
      : `The image is the same wherever these ${these} are.`;
  };

  const fragment = () => {
    const moves = [...position.moved].map(([k, value]) => `&${walked()[k].key}=${value}`);
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
    const inSd = position.way === "unit" ? "" : "\u202fsd";
    const moves = [...position.moved].map(([k, value]) => `${walked()[k].name} at ${number(value)}${inSd}`);
    const what = moves.length
      ? `${titled(moves.length)} ${moves.join(", ")}; the others unchanged.`
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
      const { way } = position;
      const result = await loaded.explain(codeOf(position.moved), way, position.row, isWanted);
      if (asked === making) drawing.draw(made, `${names[position.row]}, moved`, result, way);
    } catch (error) { if (error.name !== "AbortError") throw error; }
  };
  if (gallery) made.addEventListener("toggle", make); else made.remove();

  let drawn = 0;
  const ask = () => {
    cancelAnimationFrame(drawn);
    drawn = requestAnimationFrame(show);
  };

  let controls = [];
  const ways = find("ways");
  const example = find("example");
  /* A slider for each unit, or each direction. */
  const layOut = (way) => {
    position.way = way;
    controls = walked().map((axis, k) => sliders.along(
      rowTemplate, axis, offered.map((_, place) => axis.own(loaded.code(place))), {
        valueOf: () => position.moved.get(k) ?? start.own[k],
        rangeOf: () => [start.low[k], start.high[k]],
        isMoved: () => position.moved.has(k),
        move: (value) => { position.moved.set(k, value); ask(); },
      }));
    find("units").replaceChildren(...controls.map(({ row }) => row));
    find("units").setAttribute("aria-label", `A slider and a number for each ${titled(1).toLowerCase()}`);
    find("lengths").hidden = way === "unit";
    for (const button of ways.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.way === way));
    }
    const pair = walked().slice(0, 2).map(({ name }) => name);
    example.hidden = pair.length < 2;
    example.textContent = `Try ${titled(2).toLowerCase()} ${pair.join(" and ")}`;
  };
  ways.hidden = !canTurn;
  for (const button of ways.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      selection.turn(button.dataset.way === gallery.lead ? "" : "-otherwise");
      if (position.way !== button.dataset.way) restart(position.row, button.dataset.way);
    });
  }

  /* Twice the sd that the others leave it, to both sides, within what real codes have. */
  const supportedFrom = (own, { quantiles, deviation }) => [
    Math.min(Math.max(own - 2 * deviation, quantiles[0]), own),
    Math.max(Math.min(own + 2 * deviation, quantiles[4]), own),
  ];
  const restart = (row, way = position.way, moved = new Map()) => {
    if (way !== position.way || !controls.length) layOut(way);
    position.row = row;
    position.moved = moved;
    start.code = loaded.code(row);
    start.own = walked().map((axis) => axis.own(start.code));
    walked().forEach((axis, k) => { [start.low[k], start.high[k]] = supportedFrom(start.own[k], axis); });
    start.image = decode(start.code);
    start.changes.clear();
    if (!choice.querySelector(`option[value="${row}"]`)) choice.add(new Option(names[row], String(row)));
    choice.value = String(row);
    for (const { refresh } of controls) refresh();
    single(selection.state.unit);
    ask();
  };
  /* One unit alone leaves its own slider, if it has one. */
  const single = (unit) => {
    const isWalked = position.way === "unit" && walked().some(({ index }) => index === unit);
    controls.forEach(({ row }, k) => { row.hidden = isWalked && walked()[k].index !== unit; });
  };
  const read = () => {
    if (!location.hash.startsWith("#walk=")) return false;
    const asked = new URLSearchParams(location.hash.slice(1));
    const row = Number(asked.get("walk"));
    if (!(row in names)) return false;
    const movedAlong = (way) => {
      const given = axes[way].map(({ key }, k) => [k, asked.get(key)]);
      const numbers = given.filter(([, text]) => text && Number.isFinite(Number(text)));
      return new Map(numbers.map(([k, text]) => [k, Number(text)]));
    };
    const [lengths, values] = ["direction", "unit"].map(movedAlong);
    if (lengths.size) restart(row, "direction", lengths);
    else restart(row, values.size ? "unit" : position.way, values);
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
  example.addEventListener("click", () => {
    const far = (k) => {
      const [low, high] = [start.low[k], start.high[k]];
      return Math.abs(high - start.own[k]) > Math.abs(low - start.own[k]) ? high : low;
    };
    const pair = [0, 1].map((k) => [k, shortened(far(k))]);
    restart(position.row, position.way, new Map(pair));
  });
  find("reset").addEventListener("click", () => restart(position.row));
  for (const target of Object.values(canvas)) [target.width, target.height] = [width, height];
  document.getElementById("walk").append(player);
  window.addEventListener("resize", fit, { passive: true });
  window.addEventListener("hashchange", read);
  fit();
  let chosen = { place: selection.state.place, way: wayOf(selection.state) };
  position.way = chosen.way;
  if (read()) document.getElementById("walk").scrollIntoView();
  else restart(gallery ? chosen.place : 0);
  selection.follow((state) => {
    const now = { place: state.place, way: wayOf(state) };
    const isOther = now.place !== chosen.place;
    if (gallery && (isOther || now.way !== chosen.way)) {
      restart(isOther ? now.place : position.row, now.way);
    }
    chosen = now;
    single(state.unit);
  });
})();
