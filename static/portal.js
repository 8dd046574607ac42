// The portal's own touches: the sum of a selection, profit while typing, and keys. Every page works without it.
(() => {
  const all = (what, root = document) => [...root.querySelectorAll(what)];
  const one = (what, root = document) => root.querySelector(what);
  const ghs = (pesewas) =>
    (pesewas < 0 ? "−" : "") + (Math.abs(pesewas) / 100).toFixed(2).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  const say = (what, words) => { const place = one(what); if (place) place.textContent = words; };

  // Selection: what is ticked, what it costs, what there is.
  function count() {
    const bar = one("[data-selection]");
    if (!bar) return;
    const ticked = all("input[name=order]:checked");
    const cost = ticked.reduce((sum, box) => sum + Number(box.dataset.cost), 0);
    const there = Number(one("[data-available]").dataset.available);
    bar.hidden = ticked.length === 0;
    all("button", bar).forEach((button) => { button.disabled = ticked.length === 0; });
    one("[data-cancel]", bar).textContent = `Cancel ${ticked.length} …`;
    one("[data-process]", bar).textContent = `Process ${ticked.length} · GH₵ ${ghs(cost)}`;
    const has = cost > there ? ", wallet has" : " of";
    say("[data-selection] [data-words]", `${ticked.length} selected · costs GH₵ ${ghs(cost)}${has} ${ghs(there)}`);
    bar.classList.toggle("is-short", cost > there);
    const page = one("[data-select-page]");
    if (page) {
      const boxes = all("input[name=order]");
      page.checked = boxes.length > 0 && ticked.length === boxes.length;
      page.indeterminate = ticked.length > 0 && !page.checked;
    }
  }

  // Prices: profit follows the typed price; below the floor says so before saving.
  function profit(field) {
    const place = one(`#profit-${field.dataset.bundle}`);
    if (!place) return;
    const typed = field.value.replace(/^\s*(ghs|gh₵|₵)?\s*/i, "").replace(/,/g, "").trim();
    const good = /^\d{1,9}(\.\d{1,2})?$/.test(typed);
    const left = good ? Math.round(Number(typed) * 100) - Number(field.dataset.floor) : NaN;
    place.textContent = good ? ghs(left) : "–";
    place.classList.toggle("is-below", good && left < 0);
  }

  document.addEventListener("change", (event) => {
    const box = event.target;
    if (box.matches("[data-select-page]")) all("input[name=order]").forEach((each) => { each.checked = box.checked; });
    if (box.matches("[data-select-page], input[name=order]")) count();
  });
  document.addEventListener("input", (event) => { if (event.target.matches("[data-floor]")) profit(event.target); });
  document.addEventListener("htmx-after-swap", (event) => {
    count();
    if (event.target.matches?.("[data-row]") && document.activeElement === document.body) event.target.focus();
  });

  // Keys: j k move, x selects, p goes to Process selected, Enter opens, / searches. Never inside a field;
  // one press turns them off for good.
  const off = () => localStorage.getItem("keys") === "off";
  function move(step) {
    const rows = all("[data-row]");
    const here = rows.indexOf(document.activeElement?.closest("[data-row]"));
    const next = rows[Math.min(Math.max(here + step, 0), rows.length - 1)];
    if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
  }
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    x: () => one("input[name=order]", document.activeElement.closest("[data-row]") ?? undefined)?.click(),
    p: () => one("[data-selection]:not([hidden]) [data-process]")?.focus(),
    "/": () => one("input[type=search]")?.focus(),
  };
  document.addEventListener("keydown", (event) => {
    if (off() || event.ctrlKey || event.metaKey || event.altKey || !one("[data-rows]")) return;
    const at = event.target;
    if (at.matches("textarea, select, input:not([type=checkbox])")) return;
    if (event.key === "Enter" && at.matches("[data-row]")) { event.preventDefault(); one("a", at)?.click(); }
    else if (event.key === "x" && !at.closest("[data-row]")) return;
    else if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
  function wording() {
    const button = one("[data-keys]");
    if (!button) return;
    button.hidden = false;
    button.setAttribute("aria-pressed", String(!off()));
    button.textContent = off() ? "Keys are off" : "Keys: j k move, x select, p process selected, Enter open, / search";
  }
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-keys]")) return;
    localStorage.setItem("keys", off() ? "on" : "off");
    wording();
  });

  // A pressed order: the seconds until it goes. What then stands there comes from the server.
  setInterval(() => all("[data-left]").forEach((place) => {
    const left = Math.max(0, Number(place.textContent) - 1);
    place.textContent = left;
  }), 1000);

  all("[data-script]").forEach((part) => { part.hidden = false; });
  wording();
  count();
})();
