/* The service worker of a store. It keeps our static files, whose names stand for one content, and the page that says
   that there is no network: never another page, a price or an order. Before it stands what `storefront.offline` says:
   KEPT, the name of this version's cache, and FIRST, what it needs. */
(function (worker) {
  'use strict';
  function own(request, path) { return request.url.indexOf(worker.location.origin + path) === 0; }
  worker.addEventListener('install', function (event) {
    event.waitUntil(caches.open(KEPT).then(function (cache) {
      return cache.addAll(FIRST);
    }).then(function () { return worker.skipWaiting(); }));
  });
  worker.addEventListener('activate', function (event) {
    event.waitUntil(caches.keys().then(function (names) {
      return Promise.all(names.map(function (name) { return name === KEPT || caches.delete(name); }));
    }));
  });
  function page(request) {
    return fetch(request).catch(function (error) {
      return caches.match(FIRST[0]).then(function (kept) { if (kept) return kept; throw error; });
    });
  }
  function file(request) {
    return caches.open(KEPT).then(function (cache) {
      return cache.match(request).then(function (kept) {
        return kept || fetch(request).then(function (found) {
          if (found.ok) cache.put(request, found.clone());
          return found;
        });
      });
    });
  }
  worker.addEventListener('fetch', function (event) {
    var request = event.request;
    if (request.method !== 'GET') return;
    if (request.mode === 'navigate') event.respondWith(page(request));
    else if (own(request, '/static/')) event.respondWith(file(request));
  });
})(self);
