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
  function only(id) {
    groups.forEach(function (group) {
      group.hidden = !!id && group.id !== id;
      if (group.hidden) [].forEach.call(group.querySelectorAll('input:checked'), function (i) { i.checked = false; });
    });
    tabs.forEach(function (tab) {
      if (tab.hash === '#' + (id || 'shelf')) tab.setAttribute('aria-current', 'true');
      else tab.removeAttribute('aria-current');
    });
  }
  function guess() {
    var digits = number.value.replace(/\D/g, '').replace(/^(00)?2330?/, '0').replace(/^(?=[25])/, '0');
    var found = digits.length > 2 && groups.filter(function (group) {
      return group.dataset.prefixes.split(' ').indexOf(digits.slice(0, 3)) >= 0;
    })[0];
    var says = found ? 'Looks like ' + found.dataset.name + '.' : '';
    if (says === hint.textContent) return;
    hint.textContent = says;
    only(found ? found.id : '');
  }
  if (number && hint) {
    tabs.forEach(function (tab) {
      tab.onclick = function (event) { event.preventDefault(); only(tab.hash === '#shelf' ? '' : tab.hash.slice(1)); };
    });
    number.addEventListener('input', guess);
    var chosen = groups.filter(function (group) { return group.querySelector('input:checked'); })[0];
    if (number.value) guess();
    if (chosen) only(chosen.id);
    var list = kept();
    if (list.length) {
      list.forEach(function (n) { again.append(button(n, function () { number.value = n; guess(); })); });
      again.append(button('Forget', function () { keep([]); again.hidden = true; number.focus(); }));
      again.hidden = false;
    }
  }

  /* The order page */
  var to = $('to'), copy = $('copy'), share = $('share'), news = $('news');
  if (to && to.dataset.keep) {
    var own = to.dataset.keep;
    keep([own].concat(kept().filter(function (n) { return n !== own; })).slice(0, 3));
  }
  if (copy && navigator.clipboard) {
    copy.hidden = false;
    copy.onclick = function () {
      navigator.clipboard.writeText(copy.dataset.code).then(function () { copy.textContent = 'Copied'; });
    };
  }
  if (share && navigator.share) {
    share.onclick = function (event) {
      event.preventDefault();
      navigator.share({ text: share.dataset.text, url: location.href }).catch(function () {});
    };
  }
  d.addEventListener('htmx:before:request', function (event) { if (d.hidden) event.preventDefault(); });
  d.addEventListener('htmx:after:swap', function () {
    var label = $('label');
    if (!label || !news || label.dataset.news === news.dataset.last) return;
    news.dataset.last = news.textContent = label.dataset.news;
    d.title = d.title.replace(/^[^·]*/, label.textContent.trim() + ' ');
  });
})(document);
