"use strict";
/* Links within the page: they open what is folded around their target, and they scroll and focus by
   themselves where the address does not take them, as in frames of notebooks and trackers. */
const places = (() => {
  const named = (hash) => {
    try { return document.getElementById(decodeURIComponent(hash.slice(1))); } catch { return null; }
  };
  const holder = (element) => element?.closest("details");
  const openAround = (target) => {
    for (let inside = holder(target); inside; inside = holder(inside.parentElement)) inside.open = true;
  };

  /* Others are told of a place that the address does not name. */
  const listeners = [];
  const arrive = (hash) => {
    const target = named(hash);
    openAround(target);
    for (const listener of listeners) listener(hash);
    return target;
  };
  window.addEventListener("hashchange", () => arrive(location.hash));

  /* A sandboxed blob may not change its address, and the console says so to whoever tries. */
  const isFixed = location.protocol === "blob:" && window.origin === "null";
  const go = (hash) => {
    if (!isFixed) location.hash = hash;
    if (location.hash === hash) return;
    const target = arrive(hash);
    if (!target) return;
    target.scrollIntoView();
    if (!target.matches("a, button, input, select, summary, [tabindex]")) target.tabIndex = -1;
    target.focus({ preventScroll: true });
  };
  const isOwn = (a) => a.href.split("#")[0] === location.href.split("#")[0];
  document.addEventListener("click", (event) => {
    const a = event.target.closest?.('a[href^="#"]');
    const elsewhere = event.button || event.ctrlKey || event.metaKey || event.shiftKey;
    if (!a || event.defaultPrevented || elsewhere) return;
    const hash = a.getAttribute("href");
    if (location.hash === hash) openAround(named(hash));
    /* In a frame a link may lead to the page around it, or nowhere. */
    if (isOwn(a) && window === window.top) return;
    event.preventDefault();
    if (location.hash === hash) named(hash)?.scrollIntoView(); else go(hash);
  });

  /* Printed from the browser, the page is as it stands; as "everything", all of it is open. */
  const root = document.documentElement;
  const openAll = () => {
    for (const fold of document.querySelectorAll("main details:not([open])")) {
      fold.dataset.printed = "";
      fold.open = true;
    }
  };
  if (location.hash === "#print-all") {
    root.dataset.print = "all";
    openAll();
  }
  window.addEventListener("beforeprint", () => { if (root.dataset.print === "all") openAll(); });
  window.addEventListener("afterprint", () => {
    for (const fold of document.querySelectorAll("details[data-printed]")) {
      fold.open = false;
      delete fold.dataset.printed;
    }
    if (location.hash !== "#print-all") delete root.dataset.print;
  });
  const tools = document.querySelector("[data-print-tools]");
  if (tools) tools.hidden = false;
  tools?.querySelector("button").addEventListener("click", () => {
    root.dataset.print = "all";
    window.print();
  });
  openAround(named(location.hash));
  return {
    follow: (listener) => { listeners.push(listener); },
    go,
  };
})();
