"use strict";
/* Units whose name, state, sentence or numbers hold every word that is typed. */
(() => {
  const template = document.getElementById("filter-template");
  if (!template) return;
  const tools = template.content.cloneNode(true).firstElementChild;
  const [input, output] = [tools.querySelector("input"), tools.querySelector("output")];
  const units = [...document.querySelectorAll("table.units tbody tr")].map((row) => {
    const unit = document.getElementById(`unit-${row.dataset.unit}`);
    const part = unit?.closest(".unit-row") ?? unit;
    const described = [...(part?.querySelectorAll(".sentence, .words") ?? [])];
    const words = [`unit ${row.textContent}`, ...described.map((element) => element.textContent)];
    return { row, part, text: words.join(" ").toLowerCase().replace(/\s+/g, " ") };
  });
  const show = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, part, text } of units) {
      const hidden = !words.every((word) => text.includes(word));
      row.hidden = hidden;
      if (part) part.hidden = hidden;
      shown += !hidden;
    }
    output.textContent = words.length ? `${shown} of ${units.length} units` : "";
  };
  input.addEventListener("input", show);
  template.after(tools);
})();
