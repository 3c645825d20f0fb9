"use strict";
/* Units follow the choice: what each gives to the chosen image, as a number in its row and as pictures in
   its card. */
(async () => {
  const rows = [...document.querySelectorAll(".unit-row[data-unit]")];
  const stored = document.getElementById("own-shares");
  if (!rows.length || !stored) return;
  const own = JSON.parse(stored.textContent);
  const loaded = await lab;
  const { percent, number } = frames;

  const here = rows.map((row) => {
    const says = document.createElement("span");
    says.className = "index-here";
    row.querySelector(".index-unit").append(says);
    return says;
  });
  const numbersOf = async (place) => {
    if (place < own.shares.length) return { ...own, shares: own.shares[place], sizes: own.sizes[place] };
    const { shares, sizes } = await loaded.explained(place, "unit");
    return { units: loaded.players.units, shares, sizes };
  };

  const text = sums.element;
  const picture = (caption, strip) => {
    const figure = document.createElement("div");
    figure.append(strip, text("p", "label", caption));
    return figure;
  };
  const fill = async (row, place, unit, share, size) => {
    const card = row.querySelector(".unit");
    let block = card.querySelector(".unit-here");
    if (!block) {
      block = text("div", "unit-here", "");
      card.querySelector(".sentence").after(block);
    }
    const image = document.createElement("bdi");
    image.textContent = loaded?.name(place) ?? own.names[place];
    const title = text("h5", "", "In the chosen image, ");
    title.append(image);
    const isAlone = selection.state.unit === unit;
    const alone = text("button", "quiet", isAlone ? "Show all units" : "Show this unit alone");
    alone.type = "button";
    alone.addEventListener("click", () => selection.isolate(unit));
    const tools = text("p", "unit-tools", "");
    tools.append(alone);
    if (loaded?.sortBy) {
      const strong = text("button", "quiet", "Images where it is far from its mean");
      strong.type = "button";
      strong.addEventListener("click", () => loaded.sortBy(unit));
      tools.append(strong);
    }
    const says = text("p", "fine", share === undefined
      ? "This unit moves with the weakest, as the rest; its own contribution is not told apart."
      : `It carries ${percent(share)} of this image's change; its picture has ${percent(size)} of the `
        + "change's size.");
    if (!loaded || share === undefined) {
      block.replaceChildren(title, says, tools);
      return;
    }
    const result = await loaded.explained(place, "unit");
    if (selection.state.place !== place) return;
    const phi = result.phi[loaded.players.units.indexOf(unit)];
    const limit = sums.limitOf(result.phi);
    const without = result.image.map((value, k) => value - phi[k]);
    const pictures = text("div", "here-pictures", "");
    pictures.append(
      picture("reconstruction", loaded.strip(result.image, "The reconstruction of the chosen image.")),
      picture("contribution", loaded.strip(phi, `What the unit adds to it, on ±${number(limit)}.`, limit)),
      picture("without it", loaded.strip(without, "The reconstruction without this contribution.")),
    );
    says.textContent += ` All units of this image are on the scale ±${number(limit)}.`;
    block.replaceChildren(title, pictures, says, tools);
  };

  let current = null;
  const fillOpen = (row) => {
    if (!current || !row.open) return;
    const unit = Number(row.dataset.unit);
    const at = current.units.indexOf(unit);
    fill(row, current.place, unit, current.shares[at], current.sizes[at]).catch(ignoreStale);
  };
  const ignoreStale = (error) => { if (error.name !== "AbortError") throw error; };
  selection.follow(async ({ place }) => {
    try {
      const found = await numbersOf(place);
      if (selection.state.place !== place) return;
      current = { ...found, place };
    } catch (error) { ignoreStale(error); return; }
    rows.forEach((row, k) => {
      const share = current.shares[current.units.indexOf(Number(row.dataset.unit))];
      here[k].textContent = share === undefined ? "" : `this image ${percent(share) || "no share"}`;
      fillOpen(row);
    });
  });
  for (const row of rows) row.addEventListener("toggle", () => fillOpen(row));
})();
