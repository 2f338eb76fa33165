"use strict";
// Shows the newest page of a run. It takes the place of the one shown by itself only while nobody has done anything in
// that but scroll; else a button offers it, so that nothing that was opened is closed.
(() => {
  const EVERY_MS = 3000;
  const [frame, words, button] = ["page", "words", "show"].map((id) => document.getElementById(id));
  let shown = "", newest = "", ended = false, used = false, place = null;

  frame.addEventListener("load", () => {
    const inside = frame.contentWindow;
    used = false;
    for (const event of ["pointerdown", "keydown", "hashchange"]) {
      inside.addEventListener(event, () => { used = true; keepLink(); });
    }
    if (place) inside.scrollTo(...place);
    place = null;
  });
  button.addEventListener("click", show);
  if (location.hash) frame.src = `/report.html${location.hash}`;
  look();

  async function look() {
    try {
      const state = await (await fetch("/state", { cache: "no-store" })).json();
      words.textContent = state.words;
      newest = state.version;
      ended = state.phase === "ended";
      shown ||= newest;
    } catch {
      words.textContent = "whichquant serve-report has ended; the page stays as it is.";
    }
    if (newest !== shown) {
      if (used) button.hidden = false;
      else show();
    }
    if (!ended) setTimeout(look, EVERY_MS);
  }

  function show() {
    const inside = frame.contentWindow;
    place = [inside.scrollX, inside.scrollY];
    shown = newest;
    button.hidden = true;
    inside.location.reload();
  }

  function keepLink() {
    setTimeout(() => history.replaceState(null, "", `/${frame.contentWindow.location.hash}`));
  }
})();
