"use strict";
/* A slider and a number for one axis of the live walk: the range that data support, the mean and quantiles
   on the track, and what a reader of screens is told. */
const sliders = (() => {
  const { number } = frames;
  /* Values as sliders and addresses have them. */
  const shortened = (value) => Number(value.toPrecision(4));

  const along = (template, axis, owns, { valueOf, rangeOf, isMoved, move }) => {
    const row = template.content.cloneNode(true).firstElementChild;
    const [slider, typed] = row.querySelectorAll("input");
    const [name, share] = row.querySelectorAll(".slider-name, .slider-share");
    const ends = [Math.min(...owns, axis.quantiles[0]), Math.max(...owns, axis.quantiles[4])];
    const margin = (ends[1] - ends[0]) / 4;
    const [low, high] = [ends[0] - margin, ends[1] + margin];
    const x = (value) => String((1000 * (value - low)) / (high - low));
    const title = axis.title[0].toUpperCase() + axis.title.slice(1);
    name.textContent = axis.title;
    share.textContent = axis.share;
    slider.min = String(low);
    slider.max = String(high);
    slider.setAttribute("aria-label", title);
    typed.setAttribute("aria-label", `Value of ${axis.title}`);
    row.querySelectorAll(".quantile").forEach((mark, place) => {
      for (const end of ["x1", "x2"]) mark.setAttribute(end, x(axis.quantiles[place]));
    });
    const meanMark = row.querySelector(".mean");
    meanMark.setAttribute("x1", x(axis.mean));
    meanMark.setAttribute("x2", x(axis.mean));
    const supported = row.querySelector(".supported");

    const refresh = () => {
      const value = valueOf();
      const [from, to] = rangeOf();
      const inside = value >= from - 1e-9 && value <= to + 1e-9;
      slider.value = String(value);
      const isTyped = document.activeElement === typed && Number(typed.value) === value;
      if (!isTyped) typed.value = String(shortened(value));
      const doubt = inside ? "" : ", outside the data-supported range";
      slider.setAttribute("aria-valuetext", `${number(value)}${doubt}`);
      row.classList.toggle("moved", isMoved());
      supported.setAttribute("x", x(from));
      supported.setAttribute("width", String((1000 * (to - from)) / (high - low)));
    };
    const take = (value) => {
      if (!Number.isFinite(value)) return;
      move(shortened(value));
      refresh();
    };
    slider.addEventListener("input", () => take(Number(slider.value)));
    typed.addEventListener("input", () => { if (typed.value !== "") take(Number(typed.value)); });
    typed.addEventListener("change", refresh);
    typed.addEventListener("keydown", (event) => {
      const steps = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
      if (!steps) return;
      event.preventDefault();
      take(valueOf() + (steps * (high - low)) / 100);
    });
    return { row, refresh };
  };
  return { along, shortened };
})();
