/* Small things beside htmx. Pages work without it. Event names carry "-" because of htmx's metaCharacter. */
(() => {
  const polls = () => document.querySelectorAll('[data-hx-trigger^="every"]');
  let asked = false;
  let heard = 0;
  const on = (name, act) => document.addEventListener(name, act);

  // A hidden tab asks for nothing but news of orders, once a minute; when it is looked at again, it asks at once.
  on('htmx-before-request', (e) => {
    asked = true;
    if (!document.hidden || (e.detail.ctx.sourceEvent || {}).type !== 'every') return;
    if (e.target.id !== 'news' || Date.now() - heard < 6e4) e.preventDefault();
    else heard = Date.now();
  });
  on('visibilitychange', () => {
    if (!document.hidden && window.htmx) polls().forEach((el) => htmx.trigger(el, 'every'));
  });

  // htmx does not ask (an old engine, a file that was lost or breaks): the page is loaded again, unless somebody is at it.
  setInterval(() => {
    const atIt = document.querySelector('[name=order]:checked, details[open], input:focus, textarea:focus, select:focus');
    if (!asked && !atIt && !document.hidden && polls()[0]) location.replace(location.pathname + location.search);
    asked = false;
  }, 30000);

  // Copy buttons: <button data-copy="text">. Shown only where copying can work.
  on('click', (e) => {
    const button = e.target.closest('[data-copy]');
    if (!button) {
      document.querySelectorAll('details.menu[open]').forEach((d) => d.contains(e.target) || (d.open = false));
      return;
    }
    navigator.clipboard.writeText(button.dataset.copy).then(() => {
      const old = button.innerHTML;
      button.textContent = 'Copied';
      setTimeout(() => { button.innerHTML = old; }, 2000);
    });
  });
  on('keydown', (e) => {
    if (e.key === 'Escape') document.querySelectorAll('details.menu[open]').forEach((d) => {
      d.open = false;
      d.querySelector('summary').focus();
    });
  });
  if (navigator.clipboard) document.querySelectorAll('[data-copy][hidden]').forEach((b) => { b.hidden = false; });
})();
