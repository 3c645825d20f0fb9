"use strict";
/* Before the first paint: the theme that was chosen here last, if storage is allowed. */
(() => {
  try {
    const chosen = localStorage.getItem("reportgen-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch { /* Storage is refused for some files; the system's theme stays. */ }
})();
