"use strict";
/* The choice that holds for the whole page: one image and, if wanted, one unit alone. It is in the address,
   as far as the page may touch it, and stays when the address leads elsewhere on the page. Images that the
   page pictures are picked with no script; j and k go from one to the next, 1 to 9 take a unit. */
const selection = (() => {
  const hero = document.querySelector(".hero");
  const picks = [...document.querySelectorAll(".pick")];
  const labels = [...document.querySelectorAll(".choices label")];
  const rows = [...document.querySelectorAll(".unit-row[data-unit]")];
  const placeIn = (anchor) => Number(/image-(\d+)/.exec(anchor)[1]);
  const anchorOf = (pick) => pick.id.replace("pick", "#image");
  const opening = hero?.querySelector(".pictured.opening");
  const state = { place: opening ? placeIn(opening.id) : 0, way: "", unit: null };
  const listeners = [];
  /* Places that can be chosen, in the order in which j and k go through them. */
  let order = labels.map((label) => Number(label.dataset.place));
  const all = new Set([state.place, ...order]);

  const anchor = (place = state.place, way = state.way) => `#image-${place}${way}`;
  const address = () => anchor() + (state.unit === null ? "" : `&unit=${state.unit}`);
  const tell = () => { for (const listener of listeners) listener(state); };
  const take = (hash) => {
    const [, place, way, unit] = /^#image-(\d+)(-otherwise)?(?:&unit=(\d+))?$/.exec(hash) ?? [];
    if (place === undefined || !all.has(Number(place))) return;
    state.place = Number(place);
    state.way = way ?? "";
    if (unit !== undefined) state.unit = Number(unit);
    tell();
  };
  /* Sandboxed pages may not touch their address, and the choice holds all the same. */
  const note = (how) => { try { history[how](null, "", address()); } catch { /* As said. */ } };
  const takeAndNote = (hash) => {
    take(hash);
    note("pushState");
  };
  /* By the address, which leads to the image and takes the keyboard from where it is; or where the reader is
     to `stay` where they are. */
  const choose = (place, { stay = false } = {}) => {
    if (place === state.place) return;
    if (!stay) { places.go(anchor(place)); return; }
    takeAndNote(anchor(place));
  };
  /* By units or by directions; the reader stays where they are. */
  const turn = (way) => {
    if (way === state.way) return;
    state.way = way;
    tell();
    note("replaceState");
  };
  const isolate = (unit) => {
    state.unit = unit === state.unit ? null : unit;
    tell();
    note("replaceState");
  };

  /* The image's own article, or the one in which others are explained. */
  const shownFor = ({ place, way }) =>
    document.getElementById(`image-${place}${way}`) ?? document.getElementById(`image-${place}`)
    ?? document.getElementById("image-live");
  const show = () => {
    const shown = shownFor(state);
    if (!shown) return;
    for (const article of hero.querySelectorAll(".pictured")) {
      article.classList.toggle("chosen", article === shown);
    }
    hero.classList.add("with-choice");
    for (const pick of picks) pick.checked = anchorOf(pick) === `#${shown.id}`;
    for (const label of labels) {
      const pick = `pick-${label.dataset.place}`;
      label.htmlFor = document.getElementById(pick + state.way) ? pick + state.way : pick;
    }
  };
  for (const pick of picks) pick.addEventListener("change", () => takeAndNote(anchorOf(pick)));

  /* One unit alone: the others, and pairs without it, step back in the pictures and in the index. */
  const bar = document.querySelector(".alone-bar");
  const nameOf = (unit) =>
    rows.find((row) => Number(row.dataset.unit) === unit)?.querySelector("h4").textContent ?? `Unit ${unit}`;
  const single = () => {
    const alone = state.unit !== null;
    document.documentElement.classList.toggle("one-unit", alone);
    for (const marked of document.querySelectorAll("[data-unit]:not(tr)")) {
      marked.classList.toggle("alone", alone && Number(marked.dataset.unit) === state.unit);
    }
    for (const pair of document.querySelectorAll("[data-units]")) {
      pair.classList.toggle("alone", alone && pair.dataset.units.split(" ").includes(String(state.unit)));
    }
    if (!bar) return;
    bar.hidden = !alone;
    bar.querySelector("span").textContent = alone ? `${nameOf(state.unit)} alone` : "";
  };
  bar?.querySelector("button").addEventListener("click", () => isolate(state.unit));

  const follow = (listener) => {
    listeners.push(listener);
    listener(state);
  };
  if (hero) {
    follow(show);
    follow(single);
    places.follow(take);
    take(location.hash);
  }

  const keys = document.querySelector("dialog.keyboard");
  keys?.addEventListener("click", (event) => {
    if (event.target === keys || event.target.hasAttribute("data-close")) keys.close();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest(
      "input:not(.pick), select, textarea, dialog, [role=listbox]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { j: 1, k: -1 }[event.key];
    if (step && order.length) {
      const from = order.indexOf(state.place);
      choose(order[(Math.max(from, step < 0 ? 0 : -1) + step + order.length) % order.length]);
    }
    const row = /^[1-9]$/.test(event.key) ? rows[Number(event.key) - 1] : null;
    if (row) isolate(Number(row.dataset.unit));
    if (event.key === "Escape" && state.unit !== null) isolate(state.unit);
    if (event.key === "?") keys?.showModal();
  });

  return {
    state,
    choose,
    turn,
    isolate,
    follow,
    /* More images than the page pictures can be chosen, once they are unpacked. */
    extend: (count) => {
      for (let place = 0; place < count; place++) all.add(place);
      take(location.hash);
    },
    among: (places) => { order = places; },
    single,
  };
})();
