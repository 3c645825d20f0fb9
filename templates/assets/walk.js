"use strict";
/* Sliders over frames that are already on the page: units one at a time, and the first k units or
   directions. */
(() => {
  const template = document.getElementById("walk-template");
  if (template) {
    const strips = [...document.querySelectorAll("[data-walk-row]")];
    const player = template.content.cloneNode(true).firstElementChild;
    const canvas = player.querySelector("canvas");
    const state = player.querySelector(".player-state");
    const rows = player.querySelector("select");
    const units = player.querySelector(".player-units");
    const sliderTemplate = document.getElementById("walk-slider-template");
    document.querySelectorAll(".walk-row > summary bdi").forEach((name, place) => {
      rows.add(new Option(name.textContent, String(place)));
    });
    const of = (row) => strips.filter((strip) => strip.dataset.walkRow === row);
    const show = (strip, place) => {
      const caption = frames.captions(strip)[place];
      const flagged = frames.flags(strip)[place];
      frames.draw(canvas, strip.querySelector("img"), place);
      const what = place === 0
        ? "The reconstruction, nothing moved."
        : `Unit ${strip.dataset.walkUnit} at ${caption}, the others unchanged.`;
      state.textContent = what + (flagged ? " Off data, as few real codes are." : "");
      canvas.setAttribute("aria-label", state.textContent);
    };
    const start = () => {
      units.replaceChildren();
      for (const strip of of(rows.value)) {
        const slider = sliderTemplate.content.cloneNode(true).firstElementChild;
        const input = slider.querySelector("input");
        const output = slider.querySelector("output");
        const captions = frames.captions(strip);
        const ownText = captions[0].replace(/^x̂ /, "");
        const own = Number(ownText.replace("−", "-"));
        const values = captions.slice(1).map((text) => Number(text.replace("−", "-")));
        const distance = (place) => Math.abs(values[place] - own);
        const nearer = (best, _, place) => (distance(place) < distance(best) ? place : best);
        const nearest = values.reduce(nearer, 0);
        slider.querySelector(".slider-name").textContent = `unit ${strip.dataset.walkUnit}`;
        input.max = String(values.length - 1);
        input.value = input.dataset.own = String(nearest);
        const rest = () => {
          input.value = input.dataset.own;
          output.textContent = ownText;
          slider.classList.remove("moved");
        };
        slider.rest = rest;
        rest();
        input.addEventListener("input", () => {
          for (const other of units.children) if (other !== slider) other.rest();
          slider.classList.add("moved");
          output.textContent = captions[Number(input.value) + 1];
          input.setAttribute("aria-valuetext", output.textContent);
          show(strip, Number(input.value) + 1);
        });
        units.append(slider);
      }
      const first = of(rows.value)[0];
      if (first) show(first, 0);
    };
    rows.addEventListener("change", start);
    player.querySelector("[data-reset]").addEventListener("click", start);
    document.getElementById("walk").append(player);
    start();
  }

  for (const partial of document.querySelectorAll("[data-partial-player]")) {
    const kind = partial.dataset.partialPlayer;
    const player = partial.content.cloneNode(true).firstElementChild;
    const input = player.querySelector("input");
    const output = player.querySelector("output");
    const place = player.querySelector(".player-frames");
    const strips = [...document.querySelectorAll(`[data-partial="${kind}"]`)];
    if (!strips.length) continue;
    const rows = strips.map((row) => {
      const [original, model, pca] = row.querySelectorAll(".strip");
      const figure = document.createElement("figure");
      const caption = document.createElement("figcaption");
      const name = row.closest(".picture-row").querySelector("h4").textContent.trim();
      caption.textContent = `${name}: original, model, PCA`;
      const canvases = [original, model, pca].map((strip) => {
        const canvas = document.createElement("canvas");
        canvas.setAttribute("role", "img");
        figure.append(canvas);
        return [canvas, strip.querySelector("img")];
      });
      figure.append(caption);
      place.append(figure);
      return canvases;
    });
    const steps = frames.captions(strips[0].querySelectorAll(".strip")[1]);
    input.max = String(steps.length - 1);
    input.value = input.max;
    const show = () => {
      const at = Number(input.value);
      output.textContent = steps[at];
      input.setAttribute("aria-valuetext", steps[at]);
      for (const row of rows) {
        row.forEach(([canvas, image], which) => {
          const frame = which === 0 ? 0 : Math.min(at, frames.count(image) - 1);
          frames.draw(canvas, image, frame);
          const shown = ["Original", "Model", "PCA"][which];
          canvas.setAttribute("aria-label", `${shown}${which ? `, ${steps[at]}` : ""}`);
        });
      }
    };
    input.addEventListener("input", show);
    document.getElementById(`partial-${kind}`).append(player);
    show();
  }
})();
