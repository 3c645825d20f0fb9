"use strict";
/* The chosen image: marked among the others, and reached with j and k. The choice is the address.
   The next image is shown the same way as this one, by unit or by direction. */
(() => {
  const choices = [...document.querySelectorAll(".choices a")];
  if (!choices.length) return;
  const opening = "#" + document.querySelector(".pictured.opening").id;
  const imageOf = (hash) => hash.replace(/-otherwise$/, "");
  const current = () => choices.find((a) => imageOf(a.hash) === imageOf(location.hash)) ?? choices.find((a) => imageOf(a.hash) === opening);
  const mark = () => {
    const otherwise = /^#image-\d+-otherwise$/.test(location.hash) ? "-otherwise" : "";
    for (const a of choices) {
      a.removeAttribute("aria-current");
      a.hash = imageOf(a.hash) + otherwise;
    }
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
