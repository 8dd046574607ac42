// Loading this page again, or coming back to it, leads to the queue: the press that made it is not sent again.
history.replaceState(null, "", document.querySelector("[data-then]").dataset.then);
