// The portal's own touches: the sum of a selection, and seconds that run down. Every page works without it.
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

  document.addEventListener("change", (event) => {
    const box = event.target;
    if (box.matches("[data-select-page]")) all("input[name=order]").forEach((each) => { each.checked = box.checked; });
    if (box.matches("[data-select-page], input[name=order]")) count();
  });
  document.addEventListener("htmx-after-swap", (event) => {
    count();
    if (event.target.matches?.("[data-row]") && document.activeElement === document.body) event.target.focus();
  });

  // A pressed order: the seconds until it goes. What then stands there comes from the server.
  setInterval(() => all("[data-left]").forEach((place) => {
    const left = Math.max(0, Number(place.textContent) - 1);
    place.textContent = left;
  }), 1000);

  all("[data-script]").forEach((part) => { part.hidden = false; });
  count();
})();
