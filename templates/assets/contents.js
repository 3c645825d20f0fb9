"use strict";
/* The contents list follows the reader; only regions that scroll take the keyboard's focus. */
(() => {
  const links = new Map([...document.querySelectorAll(".contents a")].map((a) => [a.hash.slice(1), a]));
  const sections = [...links.keys()].map((name) => document.getElementById(name)).filter(Boolean);
  let current = null;
  const follow = () => {
    const above = sections.filter(
      (s) => s.checkVisibility() && s.getBoundingClientRect().top < window.innerHeight * 0.35);
    const reached = above.pop() ?? sections[0];
    if (!reached || reached.id === current) return;
    links.get(current)?.removeAttribute("aria-current");
    links.get(reached.id)?.setAttribute("aria-current", "location");
    current = reached.id;
  };
  document.addEventListener("scroll", follow, { passive: true });
  follow();
  const contents = document.querySelector(".contents details");
  const narrow = window.matchMedia("(max-width: 60rem)");
  const fold = () => { contents.open = !narrow.matches; };
  narrow.addEventListener("change", fold);
  fold();

  const focusable = () => {
    for (const region of document.querySelectorAll(".scroll")) {
      const scrolls =
        region.scrollWidth > region.clientWidth + 1 || region.scrollHeight > region.clientHeight + 1;
      if (scrolls) region.tabIndex = 0; else region.removeAttribute("tabindex");
    }
  };
  focusable();
  window.addEventListener("resize", focusable, { passive: true });
  document.addEventListener("toggle", focusable, true);

  /* A section's own link is followed and kept. */
  for (const anchor of document.querySelectorAll(".anchor")) {
    anchor.addEventListener("click", async () => {
      try { await navigator.clipboard.writeText(anchor.href); } catch { return; }
      anchor.dataset.copied = "Link copied";
      frames.say("Link copied");
      setTimeout(() => { delete anchor.dataset.copied; }, 1500);
    });
  }

  const tools = document.querySelector(".tools");
  const toggle = document.querySelector("[data-theme-switch]");
  const order = ["system", "light", "dark"];
  const root = document.documentElement;
  const show = () => { toggle.textContent = `Theme: ${root.dataset.theme ?? "system"}`; };
  toggle.addEventListener("click", () => {
    const next = order[(order.indexOf(root.dataset.theme ?? "system") + 1) % order.length];
    if (next === "system") delete root.dataset.theme; else root.dataset.theme = next;
    try { localStorage.setItem("reportgen-theme", next); } catch { /* Not remembered, then. */ }
    show();
  });
  show();
  tools.hidden = false;
})();
