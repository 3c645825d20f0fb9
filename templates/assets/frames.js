"use strict";
/* What the scripts share: tiles of a strip, the colour scale, printed numbers, a spoken word. */
const frames = (() => {
  const scales = JSON.parse(document.getElementById("scales").textContent);

  /* As the report prints it: 1.49 × 10⁻⁸. */
  const powerOfTen = (value) => {
    const [digits, exponent] = value.toExponential(2).split("e");
    const raised = [...exponent.replace("+", "")].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("");
    return `${digits} × 10${raised}`;
  };

  const number = (value) => {
    if (!Number.isFinite(value)) return "undefined";
    const far = value !== 0 && (Math.abs(value) < 0.001 || Math.abs(value) >= 1e6);
    const text = far ? powerOfTen(value) : String(Number(value.toPrecision(3)));
    return text.replace("-", "−");
  };

  /* A share in percent, in two digits as under the report's own pictures. */
  const percent = (share, digits = 2) => {
    const value = Math.abs(100 * share);
    if (!Number.isFinite(value)) return "";
    const exact = value.toPrecision(digits);
    const text = value < 0.0005 ? "0"
      : value < 0.1 ? value.toFixed(3)
      : exact.includes("e") || value >= 1000 ? Number(exact).toLocaleString("en") : exact;
    return `${share < 0 && text !== "0" ? "−" : ""}${text}\u202f%`;
  };

  /* A value in [−1, 1] on the diverging map. */
  const diverging = (signed) => {
    const clipped = Math.min(1, Math.max(-1, signed || 0));
    const above = Math.max(1, scales.stops.findIndex(([anchor]) => anchor >= clipped));
    const [[left, from], [right, to]] = [scales.stops[above - 1], scales.stops[above]];
    return from.map((value, c) => Math.round(value + ((clipped - left) / (right - left)) * (to[c] - value)));
  };

  const draw = (canvas, image, place) => {
    const tile = Number(image.dataset.tile);
    const step = tile + Number(image.dataset.gap);
    const height = Number(image.getAttribute("height"));
    const paint = () => {
      canvas.width = tile;
      canvas.height = height;
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(image, place * step, 0, tile, height, 0, 0, tile, height);
    };
    /* A canvas is complete as it is. */
    if (image.complete ?? true) paint(); else image.addEventListener("load", paint, { once: true });
  };

  const spoken = document.createElement("p");
  spoken.className = "spoken";
  spoken.setAttribute("role", "status");
  document.querySelector("main").append(spoken);

  return {
    scales,
    number,
    percent,
    diverging,
    draw,
    say: (text) => { spoken.textContent = text; },
    /* The picture of a strip, and what it shows. */
    picture: (strip) => strip.querySelector(".pixels"),
    alt: (image) => image.alt ?? image.getAttribute("aria-label"),
    count: (image) => Number(image.dataset.tiles),
    captions: (strip) => {
      const spans = [...strip.querySelectorAll(".captions span")];
      return spans.map((span) => span.textContent.replace(/[\u00ad\u200b]/g, ""));
    },
    flags: (strip) =>
      [...strip.querySelectorAll(".marks span")].map((span) => span.classList.contains("flagged")),
  };
})();
