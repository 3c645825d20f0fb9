"use strict";
/* The chosen image: marked among the others, and reached with j and k. The choice is the address. */
(() => {
  const choices = [...document.querySelectorAll(".choices a")];
  if (!choices.length) return;
  const opening = "#" + document.querySelector(".pictured.opening").id;
  const choice = (hash) => choices.find((a) => a.hash === hash);
  const current = () => choice(location.hash.replace(/-otherwise$/, "")) ?? choice(opening);
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
