"use strict";
/* A term's definition beside the word, where the browser can lay one over the page. */
(() => {
  const note = document.createElement("div");
  if (!note.showPopover) return;
  note.popover = "auto";
  note.className = "definition";
  note.setAttribute("role", "note");
  let openedAt = 0;
  document.body.append(note);
  const beside = (a) => {
    const word = a.getBoundingClientRect();
    const below = word.bottom + 6 + note.offsetHeight < window.innerHeight;
    note.style.left = `${Math.max(8, Math.min(word.left, window.innerWidth - note.offsetWidth - 8))}px`;
    note.style.top = `${below ? word.bottom + 6 : Math.max(8, word.top - 6 - note.offsetHeight)}px`;
  };
  for (const a of document.querySelectorAll("a.term")) {
    a.addEventListener("click", (event) => {
      const term = document.getElementById(a.hash.slice(1));
      if (!term || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const [name, said, all] = ["b", "p", "a"].map((tag) => document.createElement(tag));
      name.textContent = term.textContent;
      said.textContent = term.nextElementSibling.textContent.replace(/\s+/g, " ").trim();
      all.textContent = "All definitions";
      all.href = a.getAttribute("href");
      all.addEventListener("click", () => note.hidePopover());
      note.replaceChildren(name, said, all);
      note.showPopover();
      beside(a);
      openedAt = window.scrollY;
    });
  }
  // A scroll that ends under the click is not one away from the word.
  document.addEventListener("scroll", () => {
    const away = Math.abs(window.scrollY - openedAt) > 8;
    if (away && note.matches(":popover-open")) note.hidePopover();
  }, { passive: true });
})();
