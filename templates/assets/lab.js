"use strict";
/* Any image that the page carries, explained on the spot: decoded along its own path, shown as a sum, kept
   below others. `lab` gives null where the page does not carry the decoder. */
const lab = (async () => {
  const template = document.getElementById("lab-template");
  const hero = document.querySelector(".hero");
  if (!template || !hero) return null;
  const loaded = await model.ready;
  if (!loaded?.gallery) return null;
  const { gallery, data } = loaded;
  const { shape } = data;
  const { number } = frames;
  const parts = document.importNode(template.content, true);
  const find = (name) => parts.querySelector(`[data-lab="${name}"]`);
  const controls = Object.fromEntries(
    ["open", "panel", "search", "sort", "found", "grid"].map((name) => [name, find(name)]));
  const fields = ["beside", "own", "own-says", "image", "pinned"];
  const [beside, own, ownSays, article, pinned] = fields.map(find);
  const pinTemplate = article.cloneNode(true);
  const sheet = parts.querySelector("img.sheet");
  if (sheet) await sheet.decode();
  (hero.querySelector(".choices") ?? hero.querySelector(".hero-says"))
    .after(parts.querySelector(".lab-tools"), controls.panel);
  hero.querySelector(".alone-bar").before(article, pinned);
  const grid = sheet ? galleryOf(loaded, sheet, controls) : null;
  if (!grid) { controls.open.remove(); controls.panel.remove(); }

  const { wayOf } = loaded;
  /* Results are kept for the images that were looked at last. */
  const KEPT = 12;
  const kept = new Map();
  const explained = (place, way) => {
    const key = `${place} ${way}`;
    if (!kept.has(key)) {
      const isWanted = () => selection.state.place === place;
      const result = loaded.explain(loaded.code(place), way, place, isWanted);
      kept.set(key, result);
      result.catch(() => kept.delete(key));
      if (kept.size > KEPT) kept.delete(kept.keys().next().value);
    }
    return kept.get(key);
  };

  const copyOf = (canvas) => {
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [canvas.width, canvas.height];
    copy.getContext("2d").drawImage(canvas, 0, 0);
    return copy;
  };
  const originalOf = (place) => {
    const mine = loaded.own.get(place);
    return mine ? copyOf(mine.canvas) : grid?.picture(place);
  };
  const fill = (target, { place, result, way, pca }, limit) => {
    const name = gallery.names[place];
    target.querySelector("[data-lab=name]").textContent = name;
    target.querySelector("[data-lab=class]").textContent = gallery.classes?.[place] ?? "";
    target.querySelector("[data-lab=limit]").textContent = `Scale ±${number(limit)}`;
    const { unit } = selection.state;
    const players = loaded.players(way);
    const original = originalOf(place);
    sums.fill(target.querySelector(".sum"), { name, result, players, unit, limit, shape, original });
    const pcaSum = target.querySelector("[data-lab=pca]");
    pcaSum.hidden = !pca;
    if (pca) {
      const pcaShape = data.picture_shape;
      sums.fillPca(pcaSum, { name, result: pca, players: loaded.components, limit, shape: pcaShape });
    }
    target.querySelector("[data-lab=state]").textContent = spell(result, pca, place);
    target.removeAttribute("aria-busy");
  };
  /* Completeness, and whether the code is like those of real images. */
  const spell = (result, pca, place) => {
    const says = [sums.completeness(result)];
    if (pca) says.push(`PCA's shares sum to ${sums.total(pca)}.`);
    const far = loaded.distance(loaded.code(place));
    if (Number.isFinite(far)) {
      const usual = `${number(data.largest_distance)} in 99 of 100 images`;
      const like = far > data.largest_distance ? "Off data: its code is unlike" : "Its code is like";
      says.push(`${like} real images' codes (squared distance ${number(far)}, theirs below ${usual}).`);
    }
    const mine = loaded.own.get(place);
    if (mine) says.push(ownImage.judged(mine.pixels, result.image));
    return says.join(" ");
  };

  const showWays = (way) => {
    const ways = article.querySelector(".ways");
    ways.hidden = !gallery.directions;
    ways.querySelector("span").textContent = way;
    const a = ways.querySelector("a");
    a.textContent = `by ${way === "unit" ? "direction" : "unit"}`;
    a.href = `#image-${selection.state.place}${selection.state.way ? "" : "-otherwise"}`;
  };
  /* The chosen image and those kept below it, on one scale. */
  const pins = [];
  let drawing = 0;
  const show = async () => {
    const asked = ++drawing;
    const { place, unit } = selection.state;
    const way = wayOf(selection.state);
    const isHere = article.classList.contains("chosen");
    if (!isHere && !pins.length) return;
    if (isHere) {
      showWays(way);
      article.querySelector("[data-lab=name]").textContent = gallery.names[place];
      article.querySelector("[data-lab=state]").textContent = "Decoding its path …";
      article.setAttribute("aria-busy", "true");
    }
    let result;
    try { result = await explained(place, way); } catch (error) {
      if (error.name === "AbortError") return;
      throw error;
    }
    if (asked !== drawing) return;
    const shown = [...(isHere ? [{ article, place, result, way, pca: loaded.byPca(place) }] : []), ...pins];
    const limit = sums.limitOf(shown.flatMap((one) => [
      ...sums.drawn(one.result, loaded.players(one.way), unit),
      ...(one.pca ? sums.drawn(one.pca, loaded.components, null) : []),
    ]));
    for (const one of shown) fill(one.article, one, limit);
    selection.single();
  };
  beside.addEventListener("click", async () => {
    const { place } = selection.state;
    const way = wayOf(selection.state);
    const result = await explained(place, way);
    const pin = { place, way, result, pca: loaded.byPca(place), article: pinTemplate.cloneNode(true) };
    pin.article.removeAttribute("id");
    pin.article.className = "pinned-image";
    pin.article.setAttribute("aria-label", `Kept: ${gallery.names[place]}`);
    const remove = sums.element("button", "quiet", "Remove");
    remove.type = "button";
    remove.addEventListener("click", () => {
      pin.article.remove();
      pins.splice(pins.indexOf(pin), 1);
      beside.focus({ preventScroll: true });
      show();
    });
    pin.article.querySelector("h3").append(remove);
    pins.push(pin);
    pinned.append(pin.article);
    show();
    frames.say(`${gallery.names[place]} stays below. Choose another image to see both.`);
  });
  ownImage.offer(own, hero, loaded, ({ place, says }) => {
    ownSays.textContent = says;
    if (place === undefined) return;
    selection.extend(place + 1);
    selection.choose(place, { stay: true });
  });

  selection.follow(show);
  selection.extend(grid ? gallery.names.length : gallery.pictured);
  return {
    explained,
    players: gallery.units,
    name: (place) => gallery.names[place],
    strip: (values, alt, limit) => painting.strip(shape, values, alt, limit),
    sortBy: grid?.sortBy,
    /* A sum of a code that is no image's. */
    draw: (target, name, result, way) => {
      const [players, { unit }] = [loaded.players(way), selection.state];
      const limit = sums.limitOf(sums.drawn(result, players, unit));
      sums.fill(target.querySelector(".sum"), { name, result, players, unit, limit, shape });
      target.querySelector(".fine").textContent = `On ±${number(limit)}. ${sums.completeness(result)}`;
    },
  };
})();
