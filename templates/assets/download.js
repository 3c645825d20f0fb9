"use strict";
/* results.json out of the page itself. */
(() => {
  const button = document.querySelector("[data-download]");
  const data = document.getElementById("results");
  if (!data) { button.remove(); return; }
  button.addEventListener("click", () => {
    const link = document.createElement("a");
    link.download = "results.json";
    link.href = URL.createObjectURL(new Blob([data.textContent], { type: "application/json" }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
})();
