/* Small comforts for store pages: the network guessed from the number, numbers kept on this device, copying,
   sharing, and news of an order read out. Every page works without this file. */
(function (d) {
  'use strict';
  var KEY = 'makola.numbers';
  function $(id) { return d.getElementById(id); }
  function kept() {
    try { return JSON.parse(localStorage.getItem(KEY)) || []; } catch (e) { return []; }
  }
  function keep(list) {
    try { localStorage.setItem(KEY, JSON.stringify(list)); } catch (e) { /* a private window keeps nothing */ }
  }
  function button(text, act) {
    var b = d.createElement('button');
    b.type = 'button'; b.textContent = text; b.onclick = act;
    return b;
  }

  /* The store page */
  var number = $('recipient'), hint = $('hint'), again = $('again');
  var groups = [].slice.call(d.querySelectorAll('[data-prefixes]'));
  var tabs = [].slice.call(d.querySelectorAll('.nets a'));
  function each(list, act) { [].forEach.call(list, act); }
  function checked(part) { return part.querySelector('input[name=bundle]:checked'); }
  function called(choice) {
    return groups.filter(function (group) { return group.contains(choice); })[0].dataset.name + ' ' +
      choice.parentNode.querySelector('b').textContent;
  }
  var seen = '', guessed = '';
  /* One network, or all. A bundle that was chosen stays chosen, and so its row stays in sight. */
  function only(id) {
    seen = id;
    groups.forEach(function (group) {
      var away = !!id && group.id !== id;
      group.hidden = away && !checked(group);
      each(group.querySelectorAll('li'), function (row) { row.hidden = away && !checked(row); });
    });
    tabs.forEach(function (tab) {
      if (tab.hash === '#' + (id || 'shelf')) tab.setAttribute('aria-current', 'true');
      else tab.removeAttribute('aria-current');
    });
  }
  function digitsOf(text) {
    return text.replace(/[\u0660-\u0669\u06f0-\u06f9\uff10-\uff19]/g, function (c) { return c.charCodeAt(0) & 15; })
      .replace(/\D/g, '').replace(/^(00)?2330?/, '0').replace(/^(?=[25])/, '0');
  }
  function guess() {
    var digits = digitsOf(number.value), choice = checked(d);
    var found = digits.length > 2 && groups.filter(function (group) {
      return group.dataset.prefixes.split(' ').indexOf(digits.slice(0, 3)) >= 0;
    })[0];
    var says = found ? hint.dataset.like.replace('{network}', found.dataset.name) : '';
    if (found && choice && !found.contains(choice)) says += ' ' + hint.dataset.stays.replace('{bundle}', called(choice));
    if (says !== hint.textContent) hint.textContent = says;
    if (guessed !== (found ? found.id : '')) only(guessed = found ? found.id : '');
  }
  if (number && hint) {
    tabs.forEach(function (tab) {
      tab.onclick = function (event) { event.preventDefault(); only(tab.hash === '#shelf' ? '' : tab.hash.slice(1)); };
    });
    number.addEventListener('input', guess);
    d.addEventListener('change', function (event) {
      if (event.target.name === 'bundle') { only(seen); guess(); }
    });
    var chosen = groups.filter(checked)[0];
    if (chosen) only(guessed = chosen.id);
    if (number.value) guess();
    window.addEventListener('pageshow', function () { if (number.value) guess(); }); /* Back brings back what was typed */
    var list = kept();
    if (list.length) {
      list.forEach(function (n) { again.appendChild(button(n, function () { number.value = n; guess(); })); });
      again.appendChild(button(again.dataset.forget, function () { keep([]); again.hidden = true; number.focus(); }));
      again.hidden = false;
    }
  }

  /* A shop, or a review, of which nothing can be ordered just now opens again by itself. */
  var shut = d.querySelector('[data-look]');
  function look() {
    if (d.hidden) setTimeout(look, 1000);
    else if (shut.dataset.at) location.replace(shut.dataset.at);
    else location.reload();
  }
  if (shut) setTimeout(look, shut.dataset.look * 1000);

  /* The order page */
  var to = $('to'), share = $('share'), news = $('news');
  if (to && to.dataset.keep) {
    var own = to.dataset.keep;
    keep([own].concat(kept().filter(function (n) { return n !== own; })).slice(0, 3));
  }
  function offerCopies() {
    each(d.querySelectorAll('[data-copy]'), function (copy) {
      copy.hidden = !navigator.clipboard;
      copy.onclick = function () {
        navigator.clipboard.writeText(copy.dataset.copy).then(function () {
          copy.textContent = copy.dataset.copied;
          copy.removeAttribute('aria-label');
        });
      };
    });
  }
  offerCopies();
  if (share && navigator.share) {
    share.onclick = function (event) {
      event.preventDefault();
      navigator.share({ text: share.dataset.text, url: location.href }).catch(function () {});
    };
  }
  /* Without a network the worker shows a page that says so. An hour may pass until it is asked
     for anew: it holds nothing that could be old. */
  if (news && navigator.serviceWorker) window.addEventListener('load', function () {
    navigator.serviceWorker.register(news.dataset.worker, { scope: '/', updateViaCache: 'all' }).catch(function () {});
  });
  /* The receipt */
  var print = $('print');
  if (print) { print.hidden = false; print.onclick = function () { window.print(); }; }
  /* htmx does not ask: an engine too old for it, or a file that was lost, never ends or breaks. The whole page is loaded
     again instead, but not while nobody looks, there is no network, or somebody is about to cancel. */
  var every = news && +news.dataset.reload, asked = Date.now();
  function late() {
    var status = $('order-status'), path = status && status.getAttribute('data-hx-get');
    if (!path) return;
    var runs = window.htmx && window.fetch, poll = +/\d+/.exec(status.getAttribute('data-hx-trigger'))[0];
    if (runs && d.hidden) asked = Date.now();
    var is_due = Date.now() - asked >= Math.max(every * 1000, runs ? 3 * poll : 0);
    if (is_due && !d.hidden && navigator.onLine !== false && !status.querySelector('details[open]'))
      location.replace(path.replace(/\/status.*/, ''));
    else setTimeout(late, 1000);
  }
  if (every) setTimeout(late, 1000);
  d.addEventListener('htmx-before-request', function (event) {
    asked = Date.now();
    if (d.hidden) event.preventDefault();
  });
  d.addEventListener('htmx-after-swap', function () {
    offerCopies();
    var label = $('label');
    if (!label || !news || label.dataset.news === news.dataset.last) return;
    news.dataset.last = news.textContent = label.dataset.news;
    d.title = d.title.replace(/^[^·]*/, label.textContent.trim() + ' ');
  });
})(document);
