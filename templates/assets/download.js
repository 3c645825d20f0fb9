"use strict";
/* results.json out of the page itself, where it is packed. */
(() => {
  const button = document.querySelector("[data-download]");
  const data = document.getElementById("results");
  if (!data || !("DecompressionStream" in window)) { button.remove(); return; }
  button.addEventListener("click", async () => {
    const packed = Uint8Array.from(atob(data.textContent), (letter) => letter.charCodeAt(0));
    const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const json = await new Response(unpacked).arrayBuffer();
    const link = document.createElement("a");
    link.download = button.dataset.download || "results.json";
    link.href = URL.createObjectURL(new Blob([json], { type: "application/json" }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
})();
