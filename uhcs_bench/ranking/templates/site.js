
// Numbers to sort by follow the convention that is shown.
const conventions = document.querySelectorAll("[name=convention]");

function followConvention() {
  const shown = Array.from(conventions).find((input) => input.checked);
  if (!shown) {
    return;
  }
  for (const cell of document.querySelectorAll("td[data-paper]")) {
    cell.dataset.value = cell.dataset[shown.value];
  }
  for (const table of document.querySelectorAll("table.board")) {
    const header = table.querySelector("[aria-sort]");
    if (header) {
      // sortBy turns the direction around.
      const wanted = header.getAttribute("aria-sort");
      header.setAttribute("aria-sort", wanted === "ascending" ? "descending" : "ascending");
      sortBy(table, header, header.cellIndex);
    }
  }
}

conventions.forEach((input) => input.addEventListener("change", followConvention));
followConvention(); // a browser may restore the choice of an earlier visit

const filters = document.querySelectorAll("select[data-filter]");

function filter() {
  for (const group of document.querySelectorAll("section.board-group")) {
    group.hidden = Array.from(filters).some((select) => {
      const ofGroup = group.dataset[select.dataset.filter].split(" ");
      return select.value !== "" && !ofGroup.includes(select.value);
    });
  }
}

filters.forEach((select) => select.addEventListener("change", filter));
filter();

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.activeElement.classList.contains("peek")) {
    document.activeElement.blur();
  }
});
