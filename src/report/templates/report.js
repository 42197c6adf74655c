(() => {
  "use strict";
  const filters = document.querySelector(".filters");
  if (filters) duels(filters);
  document.querySelectorAll("table.sortable").forEach(sortable);
  const search = document.querySelector(".search");
  if (search) hotkeys(search);

  function hotkeys(search) {
    const all = [...document.querySelectorAll(".hotkeys li")];
    const groups = [...document.querySelectorAll(".hotkeys h3")];
    const input = search.querySelector("input");
    const select = () => {
      const wanted = input.value.trim().toLowerCase();
      for (const miner of all) miner.hidden = !miner.id.toLowerCase().includes(wanted);
      for (const group of groups) group.hidden = ![...group.nextElementSibling.children].some((miner) => !miner.hidden);
      document.querySelector(".groups").hidden = wanted !== "";
      const shown = all.filter((miner) => !miner.hidden);
      search.querySelector("[role=status]").textContent = shown.length + " of " + all.length + " miners";
      return shown;
    };
    search.hidden = false;
    input.addEventListener("input", select);
    input.addEventListener("keydown", (event) => {
      const shown = event.key === "Enter" ? select() : [];
      const link = shown.length === 1 && shown[0].querySelector("a");
      if (link) link.click();
    });
    select();
  }

  function duels(filters) {
    const all = [...document.querySelectorAll(".duel")];
    const buttons = [...filters.querySelectorAll("button")];
    const shown = () => all.filter((duel) => !duel.hidden);
    const select = (kind) => {
      for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.kind === kind));
      for (const duel of all) duel.hidden = kind !== "" && !duel.dataset.kinds.split(" ").includes(kind);
      const count = shown().length;
      filters.querySelector(".shown").textContent = count + " of " + all.length + " duels";
      document.querySelector(".nothing").hidden = count > 0;
    };
    filters.hidden = false;
    filters.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) select(button.dataset.kind);
    });
    document.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      const list = shown();
      if (list.length === 0) return;
      const here = document.activeElement && document.activeElement.closest(".duel");
      const at = list.indexOf(here);
      const next = at < 0 ? nearest(list, step) : at + step;
      const duel = list[Math.max(0, Math.min(list.length - 1, next))];
      event.preventDefault();
      duel.focus({ preventScroll: true });
      duel.scrollIntoView({ block: "start" });
    });
    select("");
  }

  // Without a focused duel: the first one fully in view or, going back, the last one above it.
  function nearest(list, step) {
    const top = document.querySelector(".top").getBoundingClientRect().bottom;
    const below = list.findIndex((duel) => duel.getBoundingClientRect().top >= top - 1);
    if (step > 0) return below < 0 ? list.length - 1 : below;
    return (below < 0 ? list.length : below) - 1;
  }

  function sortable(table) {
    const body = table.tBodies[0];
    const original = [...body.rows];
    const value = (row, at) => {
      const text = row.cells[at].textContent.trim().replace(/\u202f/g, "").replace(/\u2212/g, "-");
      const number = parseFloat(text);
      return Number.isNaN(number) ? text : number;
    };
    const compare = (a, b) => {
      if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
      return typeof a === "number" ? b - a : a.localeCompare(b);
    };
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const sorted = head.getAttribute("aria-sort");
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        let rows = original;
        if (!sorted) {
          const by = (a, b) => compare(value(a, at), value(b, at));
          rows = [...original].sort(by);
          const number = rows.length > 0 && typeof value(rows[0], at) === "number";
          head.setAttribute("aria-sort", number ? "descending" : "ascending");
        }
        body.replaceChildren(...rows);
      });
    });
  }
})();
