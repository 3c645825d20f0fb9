"use strict";
/* An image as the mean code and its largest parts, drawn as the report's own sums are. */
const sums = (() => {
  const { percent, number } = frames;
  const MOST_PARTS = 6;
  /* As in the report's own sums: parts of a small share that cannot be seen on their scale are among the
     others, and parts cancel from here on. */
  const FAINT = frames.scales.channels < 3 ? 0.1 : 0.2;
  const SMALL_SHARE = 0.05;
  const PARTS_CANCEL = 2;

  const element = (kind, name, text = "") => {
    const made = document.createElement(kind);
    if (name) made.className = name;
    made.textContent = text;
    return made;
  };
  /* A picture of a sum with its name, and its share and size; a part of a sum by unit is that `unit`'s,
     and `anchor` leads to what is known of it. */
  const tile = (sign, name, picture, { share = NaN, size = NaN, unit = null, anchor = "" } = {}) => {
    const part = element("div", "part");
    const title = element("p", "part-name");
    if (sign) title.append(element("span", "sign", sign), " ");
    const label = element("bdi", "", name);
    if (anchor) {
      const a = element("a", "");
      a.href = anchor;
      a.append(label);
      title.append(a);
    } else title.append(label);
    const says = element("p", "part-share");
    if (Number.isFinite(share)) says.append(element("b", "", percent(share)));
    if (Number.isFinite(size)) says.append(" ", element("span", "", `size ${percent(size)}`));
    part.append(title, says, picture);
    if (unit !== null) part.dataset.unit = String(unit);
    return part;
  };

  const added = (pictures) => pictures.reduce(
    (sum, picture) => sum.map((value, k) => value + picture[k]), new Float64Array(pictures[0].length));
  const limitOf = (pictures) => pictures.reduce(
    (most, picture) => picture.reduce((largest, value) => Math.max(largest, Math.abs(value)), most), 0);

  /* The largest parts of this image, the unit that is looked at among them, and the others as one, whose
     picture is null where nothing of it would be seen. */
  const partsOf = (result, players, unit) => {
    const every = players.names.map((_, k) => k);
    const single = every.filter((k) => players.names[k] !== "rest")
      .sort((a, b) => Math.abs(result.shares[b]) - Math.abs(result.shares[a]));
    const besides = (alone) => every.filter((k) => !alone.includes(k));
    const pictureOf = (places) => added(places.map((k) => result.phi[k]));
    const first = single.slice(0, MOST_PARTS);
    const left = besides(first);
    const scale = limitOf([...first.map((k) => result.phi[k]), ...(left.length ? [pictureOf(left)] : [])]);
    const isFaint = (picture, share) =>
      Math.abs(share) < SMALL_SHARE && limitOf([picture]) < FAINT * scale;
    const seen = single.filter((k) => !isFaint(result.phi[k], result.shares[k])).slice(0, MOST_PARTS);
    const alone = seen.length ? seen : single.slice(0, 1);
    const asked = unit === null ? -1 : (players.units ?? []).indexOf(unit);
    if (asked >= 0 && !alone.includes(asked)) alone.splice(MOST_PARTS - 1, 1, asked);
    const others = besides(alone);
    const pictures = alone.map((k) => result.phi[k]);
    const rest = others.length ? pictureOf(others) : null;
    const share = others.reduce((sum, k) => sum + result.shares[k], 0);
    return { alone, others, pictures, rest: rest && !isFaint(rest, share) ? rest : null };
  };

  const nameOf = (k, others, players) => {
    if (k !== undefined) return players.units ? `unit ${players.names[k]}` : players.names[k];
    if (others.some((other) => players.names[other] === "rest")) return "the rest";
    return others.length === 1 ? nameOf(others[0], [], players) : `${others.length} others`;
  };
  /* Fill a sum with pictures of this shape on ± limit; `original` is a canvas, or none, and `titles` are
     those of the whole and the start. */
  const fill = (target, {
    name, result, players, unit, limit, shape, original, titles = ["reconstruction", "mean code"],
  }) => {
    const { alone, others, pictures, rest } = partsOf(result, players, unit);
    const image = (values, what) => painting.strip(shape, values, `${name}: ${what}.`);
    const tiles = [
      tile("", titles[0], image(result.image, titles[0])),
      tile("=", titles[1], image(result.start, titles[1])),
    ];
    if (original) tiles.unshift(tile("", "original", painting.framed(original, `${name}: original.`)));
    const add = (picture, title, share, k) => {
      const alt = `${name}, part of ${title}: ${percent(share)} of this image's change.`;
      const shown = picture
        ? painting.strip(shape, picture, alt, limit)
        : element("p", "faint", "too faint to see");
      const size = k === undefined ? NaN : result.sizes[k];
      const own = players.units ? players.units[k] ?? -1 : null;
      const place = own === null ? `#direction-${k + 1}` : `#unit-${own}`;
      const anchor = k === undefined || (own !== null && own < 0) ? "" : place;
      tiles.push(tile("+", title, shown, { share, size, unit: own, anchor }));
    };
    alone.forEach((k, at) => add(pictures[at], nameOf(k, others, players), result.shares[k], k));
    if (others.length) {
      const share = others.reduce((sum, other) => sum + result.shares[other], 0);
      const only = others.length === 1 && players.names[others[0]] !== "rest" ? others[0] : undefined;
      add(rest, nameOf(undefined, others, players), share, only);
    }
    target.replaceChildren(...tiles);
  };

  const total = ({ shares }) => percent(shares.reduce((sum, share) => sum + share, 0), 4);
  const completeness = (result) => {
    const says = `Shares sum to ${total(result)}; all parts together miss the change by at most `
      + `${number(result.missed)} of the pixel range.`;
    const largest = result.sizes.reduce((most, size) => Math.max(most, size || 0), 0);
    if (!(largest > PARTS_CANCEL)) return says;
    return `${says} Parts undo each other here: the largest is ${number(largest)} times as large as the `
      + "change that all of them leave, so that no share says how much of the image a part made.";
  };
  /* The pictures of a sum that are drawn on its scale. */
  const drawn = (result, players, unit) => {
    const { pictures, rest } = partsOf(result, players, unit);
    return rest ? [...pictures, rest] : pictures;
  };
  /* PCA's sum, below the model's: a place is free where that has the original. */
  const fillPca = (target, given) => {
    fill(target, { ...given, unit: null, titles: ["PCA", "mean image"] });
    target.prepend(element("div", "part blank"));
  };
  return { element, limitOf, partsOf, drawn, fill, fillPca, total, completeness };
})();
