/* The preview of an agent's shop follows what is typed. Without this script the button shows it. */
(function () {
  'use strict';
  var form = document.querySelector('form[data-preview]');
  var look = document.getElementById('look');
  if (!form || !look || !form.requestSubmit) return;
  var timer;
  function show() {
    var frame = document.querySelector('iframe[name=preview]');
    // a frame of its own each time, so that Back does not go through what was typed
    var next = frame.cloneNode();
    next.removeAttribute('src');
    next.removeAttribute('loading');
    frame.replaceWith(next);
    form.noValidate = true;
    form.requestSubmit(look);
    form.noValidate = false;
  }
  form.addEventListener('input', function () {
    clearTimeout(timer);
    timer = setTimeout(show, 600);
  });
})();
