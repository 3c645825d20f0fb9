"use strict";
/* The chosen image: marked among the others, and reached with j and k. The choice is the address. */
(() => {
  const choices = [...document.querySelectorAll(".choices a")];
  if (!choices.length) return;
  const opening = "#" + document.querySelector(".pictured.opening").id;
  const current = () => choices.find((a) => a.hash === location.hash.replace(/-otherwise$/, "")) ?? choices.find((a) => a.hash === opening);
  const mark = () => {
    for (const a of choices) a.removeAttribute("aria-current");
    current().setAttribute("aria-current", "true");
  };
  window.addEventListener("hashchange", mark);
  mark();
  document.addEventListener("keydown", (event) => {
    const step = { j: 1, k: -1 }[event.key];
    const typing = event.target.closest("input, select, textarea, dialog");
    if (!step || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = choices.indexOf(current()) + step;
    choices[(place + choices.length) % choices.length].click();
  });
})();
