// Tables that can be ordered by a click on a column's name and narrowed by words. Without it they are plain tables.
for (const box of document.querySelectorAll(".table.long")) {
  const rows = [...box.querySelectorAll("tbody tr")];
  const body = box.querySelector("tbody");
  const heads = [...box.querySelectorAll("th")];
  const value = (row, i) => {
    const cell = row.cells[i];
    const text = cell.dataset.by ?? cell.textContent.trim().replaceAll(",", "").replace("\u2212", "-");
    return text === "" ? null : Number.isNaN(Number(text)) ? text.toLowerCase() : Number(text);
  };
  const compare = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1);
  heads.forEach((head, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const turn = head.ariaSort === "descending" ? 1 : -1;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.ariaSort = turn < 0 ? "descending" : "ascending";
      const known = rows.filter((row) => value(row, i) !== null);
      const empty = rows.filter((row) => value(row, i) === null);
      known.sort((a, b) => turn * compare(value(a, i), value(b, i)));
      body.append(...known, ...empty);
    });
  });
  const find = document.createElement("input");
  const told = document.createElement("span");
  find.type = "search";
  find.className = "find";
  find.placeholder = "Find in the table";
  find.setAttribute("aria-label", find.placeholder);
  told.setAttribute("role", "status");
  find.addEventListener("input", () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
      shown += row.hidden ? 0 : 1;
    }
    told.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
  });
  box.before(find, told);
}
