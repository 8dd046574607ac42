/* What somebody types on a page that keeps itself new: while they are at a field nothing moves, and what they left in one
   is there again after the page has changed around it. */
(() => {
  const live = () => document.getElementById('live');
  const fields = () => [...live().querySelectorAll('input:not([type=hidden]), select, textarea')];
  const name = (field) => `${field.form && field.form.getAttribute('action')} ${field.name} ${field.type === 'radio' ? field.value : ''}`;
  const isAtIt = () => fields().includes(document.activeElement);
  const on = (event, act) => document.addEventListener(event, (e) => {
    if (live() && e.target.id === 'live') act(e);
  });
  let kept = new Map();
  let open = [];

  on('htmx-before-request', (e) => { if (isAtIt()) e.preventDefault(); });
  on('htmx-before-swap', (e) => {
    // they began while the answer was under way: the next one brings the same
    if (isAtIt()) return e.preventDefault();
    kept = new Map(fields()
      .filter((field) => field.value !== field.defaultValue || field.checked !== field.defaultChecked)
      .map((field) => [name(field), field]));
    open = [...live().querySelectorAll('details[open] > summary')].map((one) => one.textContent);
  });
  document.addEventListener('htmx-after-swap', () => {
    if (!live()) return;
    fields().forEach((field) => {
      const old = kept.get(name(field));
      if (!old) return;
      field.value = old.value;
      if (field.type === 'checkbox' || field.type === 'radio') field.checked = old.checked;
    });
    live().querySelectorAll('details > summary').forEach((one) => {
      if (open.includes(one.textContent)) one.parentElement.open = true;
    });
    kept = new Map();
    open = [];
  });
})();
