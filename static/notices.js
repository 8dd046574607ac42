/* The page of notices: asks the browser whether it can show them, and hands its address to the form. */
(function () {
  'use strict';
  var place = document.getElementById('this-device');
  var form = place.querySelector('form');
  function say(what) {
    place.querySelectorAll('[data-say]').forEach(function (one) { one.hidden = one.dataset.say !== what; });
  }
  function bytes(text) {
    var plain = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
    return Uint8Array.from(plain, function (sign) { return sign.charCodeAt(0); });
  }
  function same(one, other) {
    return !one || (one.byteLength === other.length
      && new Uint8Array(one).every(function (byte, at) { return byte === other[at]; }));
  }
  function mark(address) {
    return crypto.subtle.digest('SHA-256', new TextEncoder().encode(address)).then(function (hash) {
      return Array.from(new Uint8Array(hash).slice(0, 8), function (byte) {
        return byte.toString(16).padStart(2, '0');
      }).join('');
    });
  }
  var can = 'serviceWorker' in navigator && 'PushManager' in window && 'Notification' in window;
  if (!can) return say('none');
  var key = bytes(place.dataset.key);
  // of this page alone: each visit of a page that is a worker's asks for the worker anew
  function worker() { return navigator.serviceWorker.register('/notices.js', { scope: '/notices' }); }
  function show(found) {
    if (Notification.permission === 'denied') return say('denied');
    // one that was made under another key of ours is never told
    if (!found || !same(found.options.applicationServerKey, key)) return say('off');
    return mark(found.endpoint).then(function (own) {
      var mine = document.querySelector('[data-device="' + own + '"]');
      say(mine ? 'on' : 'off');
      if (mine) mine.querySelector('[data-mine]').hidden = false;
    });
  }
  worker().then(function (one) { return one.pushManager.getSubscription(); }).then(show)
    .catch(function () { say('none'); });
  form.querySelector('[data-switch-on]').addEventListener('click', function (event) {
    event.target.disabled = true;
    Promise.all([worker(), Notification.requestPermission()]).then(function (both) {
      if (both[1] !== 'granted') return say('denied');
      var manager = both[0].pushManager;
      return manager.getSubscription().then(function (old) {
        return old && !same(old.options.applicationServerKey, key) && old.unsubscribe();
      }).then(function () {
        return navigator.serviceWorker.ready;
      }).then(function () {
        return manager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
      }).then(function (made) {
        var told = made.toJSON();
        form.elements.endpoint.value = told.endpoint;
        form.elements.p256dh.value = told.keys.p256dh;
        form.elements.auth.value = told.keys.auth;
        form.submit();
      });
    }).catch(function () {
      event.target.disabled = false;
      say('off');
      place.querySelector('[data-say="failed"]').hidden = false;
    });
  });
})();
