/* The service worker of the portal. It shows notices and opens the page that they name; it keeps nothing and answers no
   request of a page. */
(function (worker) {
  'use strict';
  function told(event) {
    try { return event.data.json(); } catch (error) { return {}; }
  }
  worker.addEventListener('push', function (event) {
    var said = told(event);
    event.waitUntil(worker.registration.showNotification(String(said.title || 'Makola'), {
      body: String(said.body || ''),
      tag: String(said.tag || 'news'),
      renotify: true,
      data: { href: String(said.href || '/news') }
    }));
  });
  worker.addEventListener('notificationclick', function (event) {
    event.notification.close();
    // whatever it says, a page of this portal
    var page = new URL(event.notification.data.href, worker.location.origin);
    if (page.origin !== worker.location.origin) page = new URL('/news', worker.location.origin);
    event.waitUntil(worker.clients.matchAll({ type: 'window', includeUncontrolled: true }).then(function (open) {
      var same = open.filter(function (one) { return one.url === page.href; })[0];
      return same ? same.focus() : worker.clients.openWindow(page.href);
    }));
  });
})(self);
