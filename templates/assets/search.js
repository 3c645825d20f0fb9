"use strict";
/* Rows of the index that hold every word that is typed. */
(() => {
  const input = document.querySelector("[data-search]");
  const count = document.querySelector("[data-search-count]");
  const rows = [...document.querySelectorAll("table.data tbody tr")];
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  input.closest("[hidden]").hidden = false;
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      row.hidden = !words.every((word) => texts.get(row).includes(word));
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = words.length ? `${shown} of ${rows.length} reports` : "";
  });
})();
