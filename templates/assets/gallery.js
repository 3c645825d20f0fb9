"use strict";
/* Small pictures of all images, out of one sheet: found by name or class, sorted by a unit's value. */
const galleryOf = (loaded, sheet, { open, panel, search, sort, found, grid }) => {
  const { gallery } = loaded;
  const [width, height] = gallery.tile;
  const count = gallery.names.length;
  const every = Array.from({ length: count }, (_, place) => place);
  const classOf = (place) => gallery.classes?.[place];
  const titles = every.map((place) => [gallery.names[place], classOf(place)].filter(Boolean).join(", "));
  const spot = (place) => [place % gallery.columns, Math.floor(place / gallery.columns)];

  const options = every.map((place) => {
    const option = sums.element("div", "gallery-tile");
    option.id = `gallery-${place}`;
    option.setAttribute("role", "option");
    option.setAttribute("aria-label", titles[place]);
    option.title = titles[place];
    option.dataset.place = String(place);
    return option;
  });
  const layOut = () => {
    const factor = Math.max(1, Math.floor(56 / width));
    grid.style.setProperty("--side", `${width * factor + 4}px`);
    const rows = Math.ceil(count / gallery.columns);
    options.forEach((option, place) => {
      const [across, down] = spot(place);
      option.style.width = `${width * factor}px`;
      option.style.height = `${height * factor}px`;
      option.style.backgroundImage = `url("${sheet.src}")`;
      option.style.backgroundSize = `${gallery.columns * width * factor}px ${rows * height * factor}px`;
      option.style.backgroundPosition = `${-across * width * factor}px ${-down * height * factor}px`;
    });
  };

  /* By a unit's value or a direction's length, from either end or by how far it is from its mean. */
  const sorts = new Map([["file", (places) => places]]);
  const KEYS = [["far", "far from its mean", 0], ["high", "high first", 1], ["low", "low first", -1]];
  const byValue = (axis, sign) => (places) => {
    const key = new Map(places.map((place) => {
      const value = axis.own(loaded.code(place));
      return [place, sign ? sign * value : Math.abs(value - axis.mean)];
    }));
    return places.sort((a, b) => key.get(b) - key.get(a));
  };
  for (const axis of [gallery.lead, loaded.other].flatMap((way) => loaded.axes[way])) {
    for (const [key, title, sign] of KEYS) {
      sorts.set(`${key} ${axis.key}`, byValue(axis, sign));
      sort.add(new Option(`${axis.title}, ${title}`, `${key} ${axis.key}`));
    }
  }

  let visible = every;
  const pictured = every.slice(0, gallery.pictured);
  const arrange = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const matches = (place) => words.every((word) => titles[place].toLowerCase().includes(word));
    visible = sorts.get(sort.value)(every.filter(matches));
    grid.replaceChildren(...visible.map((place) => options[place]));
    grid.scrollTop = 0;
    found.textContent = words.length ? `${visible.length} of ${count}` : "";
    if (!panel.hidden) selection.among(visible);
  };
  const toggle = (isOpen) => {
    panel.hidden = !isOpen;
    open.setAttribute("aria-expanded", String(isOpen));
    if (isOpen && !grid.children.length) { layOut(); arrange(); }
    selection.among(isOpen ? visible : pictured);
    if (isOpen) options[selection.state.place]?.scrollIntoView({ block: "nearest" });
  };
  open.addEventListener("click", () => toggle(panel.hidden));
  search.addEventListener("input", arrange);
  sort.addEventListener("change", arrange);
  grid.addEventListener("click", (event) => {
    const option = event.target.closest("[data-place]");
    if (option) selection.choose(Number(option.dataset.place), { stay: true });
  });
  grid.addEventListener("keydown", (event) => {
    const across = Math.max(1, getComputedStyle(grid).gridTemplateColumns.split(" ").length);
    const step = {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across, Home: -Infinity, End: Infinity,
    }[event.key];
    if (step === undefined || !visible.length) return;
    event.preventDefault();
    const at = visible.indexOf(selection.state.place) + step;
    const to = visible[Math.min(visible.length - 1, Math.max(0, at))];
    selection.choose(to, { stay: true });
    options[to].scrollIntoView({ block: "nearest" });
  });
  selection.follow(({ place }) => {
    options.forEach((option, at) => option.setAttribute("aria-selected", String(at === place)));
    if (options[place]) grid.setAttribute("aria-activedescendant", options[place].id);
    else grid.removeAttribute("aria-activedescendant");
  });

  return {
    /* The small picture of one image. */
    picture: (place) => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [width, height];
      const [across, down] = spot(place);
      const from = [across * width, down * height, width, height];
      canvas.getContext("2d").drawImage(sheet, ...from, 0, 0, width, height);
      return canvas;
    },
    sortBy: (unit) => {
      sort.value = `far u${unit}`;
      toggle(true);
      arrange();
      panel.scrollIntoView({ block: "center" });
      grid.focus({ preventScroll: true });
    },
  };
};
