"use strict";
/* The chosen image: marked among the others, and reached with j and k. The choice is the address, and
   stays when the address leads elsewhere on the page. The next image is shown the same way as this
   one, by unit or by direction. */
(() => {
  const choices = [...document.querySelectorAll(".choices a")];
  const hero = document.querySelector(".hero");
  if (!hero) return;
  const shown = () => hero.querySelector(".pictured.chosen") ?? hero.querySelector(".pictured.opening");
  const imageOf = (anchor) => anchor.replace(/^#/, "").replace(/-otherwise$/, "");
  const current = () => choices.find((a) => imageOf(a.getAttribute("href")) === imageOf(shown().id));
  const mark = (hash) => {
    const chosen = document.getElementById(hash.slice(1));
    if (chosen?.classList.contains("pictured")) {
      shown().classList.remove("chosen");
      chosen.classList.add("chosen");
      hero.classList.add("with-choice");
    }
    const way = shown().id.endsWith("-otherwise") ? "-otherwise" : "";
    for (const a of choices) {
      a.removeAttribute("aria-current");
      a.setAttribute("href", "#" + imageOf(a.getAttribute("href")) + way);
    }
    current()?.setAttribute("aria-current", "true");
  };
  places.follow(mark);
  mark(location.hash);
  document.addEventListener("keydown", (event) => {
    const step = { j: 1, k: -1 }[event.key];
    const typing = event.target.closest("input, select, textarea, dialog");
    if (!step || !choices.length || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = choices.indexOf(current()) + step;
    choices[(place + choices.length) % choices.length].click();
  });
})();
