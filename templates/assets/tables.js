"use strict";
/* Tables of numbers: sort by a column, copy as tab-separated values. */
(() => {
  const value = (row, column) => {
    let place = 0;
    for (const cell of row.cells) {
      if (place === column) {
        const text = cell.dataset.value ?? cell.textContent.trim();
        const number = Number(text);
        return text !== "" && !Number.isNaN(number) ? number : text || null;
      }
      place += cell.colSpan;
    }
    return null;
  };
  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
  };
  for (const table of document.querySelectorAll("table.data")) {
    let column = 0;
    for (const head of table.tHead.rows[0].cells) {
      const last = column + head.colSpan - 1;
      column += head.colSpan;
      if (!head.textContent.trim()) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "↕";
      button.setAttribute("aria-label", `Sort by ${head.textContent.trim()}`);
      head.append(" ", button);
      button.addEventListener("click", () => {
        const falling = head.ariaSort !== "descending";
        for (const other of table.tHead.rows[0].cells) {
          other.removeAttribute("aria-sort");
          const arrow = other.querySelector("button");
          if (arrow) arrow.textContent = "↕";
        }
        head.ariaSort = falling ? "descending" : "ascending";
        button.textContent = falling ? "↓" : "↑";
        const body = table.tBodies[0];
        const rows = [...body.rows];
        rows.sort((a, b) => compare(value(a, last), value(b, last), falling ? -1 : 1));
        body.append(...rows);
      });
    }
    const copy = document.createElement("button");
    copy.type = "button";
    copy.className = "quiet";
    copy.textContent = "Copy as TSV";
    copy.addEventListener("click", async () => {
      const lines = [...table.rows].map((row) =>
        [...row.cells].map((cell) => {
          const own = [...cell.childNodes].filter((node) => node.nodeName !== "BUTTON");
          return own.map((node) => node.textContent).join("").replace(/\s+/g, " ").trim();
        }).join("\t"));
      try {
        await navigator.clipboard.writeText(lines.join("\n"));
        copy.textContent = "Copied";
      } catch {
        copy.textContent = "The browser refused";
      }
      setTimeout(() => { copy.textContent = "Copy as TSV"; }, 2000);
    });
    const tools = document.createElement("p");
    tools.className = "table-tools";
    tools.append(copy);
    (table.closest(".scroll") ?? table).after(tools);
  }
})();
