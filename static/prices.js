// The price table: profits and margin follow the typed price, and below the floor says so before saving.
(() => {
  const ghs = (pesewas) =>
    (pesewas < 0 ? "−" : "") + (Math.abs(pesewas) / 100).toFixed(2).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  document.addEventListener("input", (event) => {
    const field = event.target;
    if (!field.matches("[data-floor]")) return;
    const typed = field.value.replace(/^\s*(ghs|gh₵|₵)?\s*/i, "").replace(/,/g, "").trim();
    const good = /^\d{1,9}(\.\d{1,2})?$/.test(typed);
    const price = good ? Math.round(Number(typed) * 100) : NaN;
    const left = price - Number(field.dataset.floor);
    const [profit, margin] = ["profit", "margin"].map((what) => document.getElementById(`${what}-${field.dataset.bundle}`));
    profit.textContent = good ? ghs(left) : "–";
    profit.classList.toggle("is-below", left < 0);
    const online = document.getElementById(`online-${field.dataset.bundle}`);
    if (online) {
      const kept = left - Math.ceil(price * field.form.dataset.fee / 10000);
      online.textContent = good ? ghs(kept) : "–";
      online.classList.toggle("is-below", kept < 0);
    }
    margin.textContent = price > 0 ? `${(left / price * 100).toFixed(1).replace("-", "−")} %` : "";
  });
})();
