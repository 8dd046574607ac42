// The queue's own: keys and their list, what is new in the title and on the icon, a sound. The page works without it.
(() => {
  const one = (what, root = document) => root.querySelector(what);
  const on = (name, act) => document.addEventListener(name, act);
  const is = (name) => localStorage.getItem(name) !== "off";

  // Keys. Never inside a field; one press turns them off for good.
  const row = () => document.activeElement?.closest("[data-row]");
  function move(step) {
    const rows = [...document.querySelectorAll("[data-row]")];
    const next = rows[Math.min(Math.max(rows.indexOf(row()) + step, 0), rows.length - 1)];
    if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
  }
  const keys = {
    j: ["next order", () => move(1)],
    k: ["order before", () => move(-1)],
    x: ["select it", () => one("input[name=order]", row())?.click()],
    a: ["select all on this page", () => one("[data-select-page]")?.click()],
    p: ["go to Process selected", () => one("[data-selection]:not([hidden]) [data-process]")?.focus()],
    n: ["show new orders", () => one("[data-news]")?.click()],
    "/": ["search", () => one("input[type=search]")?.focus()],
    "?": ["this list", () => help.showModal()],
  };
  const make = (name, text) => {
    const made = document.createElement(name);
    made.textContent = text;
    return made;
  };
  const help = make("dialog");
  const list = make("dl");
  const close = make("button", "Close");
  for (const key in keys) list.append(make("dt", key), make("dd", keys[key][0]));
  list.append(make("dt", "Enter"), make("dd", "open it"));
  help.className = "card";
  list.className = "facts";
  close.className = "btn";
  close.onclick = () => help.close();
  help.append(make("h2", "Keys"), list, close);
  document.body.append(help);
  on("keydown", (event) => {
    const at = event.target;
    if (!is("keys") || event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (at.matches("textarea, select, input:not([type=checkbox])")) return;
    if (event.key === "Enter" && row() === at) { event.preventDefault(); one("a", at)?.click(); }
    else if (event.key === "x" && !row()) return;
    else if (keys[event.key]) { event.preventDefault(); keys[event.key][1](); }
  });

  // Two switches, kept in this browser.
  const wordings = { keys: ["Keys are off", "Keys are on, ? lists them"], sound: ["Sound is off", "Sound is on"] };
  Object.entries(wordings).forEach(([name, words]) => {
    const button = one(`[data-${name}]`);
    const word = () => {
      button.setAttribute("aria-pressed", is(name));
      button.textContent = words[+is(name)];
    };
    button.onclick = () => {
      localStorage.setItem(name, is(name) ? "off" : "on");
      word();
      if (is("sound") && name === "sound") ring();
    };
    button.hidden = false;
    word();
  });

  // New orders: in the title, on the tab's icon and the app's, and as a short tone.
  let heard;
  function ring() {
    heard ??= new AudioContext();
    const tone = heard.createOscillator();
    const loud = heard.createGain();
    const begin = heard.currentTime;
    tone.frequency.value = 880;
    loud.gain.setValueAtTime(.1, begin);
    loud.gain.linearRampToValueAtTime(0, begin + .4);
    tone.connect(loud).connect(heard.destination);
    tone.start();
    tone.stop(begin + .4);
  }
  const title = document.title;
  let known = 0;
  navigator.clearAppBadge?.();
  on("htmx-after-swap", () => {
    const news = one("[data-news]");
    const count = Number(news?.dataset.news ?? 0);
    if (count <= known) return;
    known = count;
    document.title = `(${count}) ${title}`;
    one("link[rel=icon]").href = news.dataset.icon;
    navigator.setAppBadge?.(count);
    if (is("sound")) ring();
  });
})();
