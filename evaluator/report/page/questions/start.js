// The questions of this page: reads the index, then wires the list, its filters, the search and the open question.

const $ = (name) => document.getElementById(`questions-${name}`);

async function start() {
  if (!$("index")) return;
  if (!canUnpack()) return broken("This browser is too old to unpack the questions in this file: any of 2023 or later can.");
  try {
    run(await unpack("index"));
  } catch (error) {
    broken(`The questions in this file cannot be read: ${error.message}`);
    throw error;
  }
}

function broken(message) {
  $("broken").textContent = message;
  $("broken").hidden = false;
}

function run(index) {
  const section = document.getElementById("questions");
  const sides = sidesOf(index);
  const other = sides.length > 1 ? (index.baseline ? 0 : 1) : index.baseline;
  const state = {
    a: index.baseline, b: other, flips: "all", outcome: "", of: "", category: "", benchmark: "", cut: false,
    sought: "", open: -1, repeat: 0, thinking: false,
  };
  let found = null;
  const find = searcher(index);
  const list = rowList(index, sides, state, $("list"), $("head"), (number) => go(number, false));
  const detail = detailView(index, sides, state, $("detail"), {
    close, compare, swap, place: list.place, count: list.count,
    step: (steps) => step(steps, true),
    repeat: (repeat) => { state.repeat = repeat; detail.draw(); },
  });
  $("body").hidden = false;
  $("filters").open = !matchMedia("(max-width: 40rem)").matches;
  fillControls();
  filter();

  function fillControls() {
    const options = (select, entries, value) => select.replaceChildren(...entries.map(([key, label]) =>
      element("option", { value: key, selected: String(key) === String(value) }, label)));
    options($("outcome"), [["", "any"], ...index.outcomes.map(([, word], i) => [i, word]).filter(([i]) => index.outcome.some((marks) => marks.includes(i)))], "");
    options($("of"), [["", "any variant"], ...sides.map((side, i) => [i, side.name])], "");
    options($("category"), [["", "all"], ...index.categories.map((name, i) => [i, name]).sort((x, y) => (x[1] < y[1] ? -1 : 1))], "");
    options($("benchmark"), [["", "all"], ...index.benchmarks.map(([, title], i) => [i, title])], "");
    $("benchmark-label").hidden = index.benchmarks.length < 2;
    $("self").hidden = !sides.some((side) => side.again);
    $("controls").classList.toggle("q-alone", sides.length < 2);
    $("signs").replaceChildren(...index.outcomes.flatMap(([outcome, word]) => [element("dt", { class: `q-${outcome}` }, SIGNS[outcome]), element("dd", {}, word)]));
    fillSides();
  }

  function fillSides() {
    for (const name of ["a", "b"]) {
      $(name).replaceChildren(...sides.map((side, i) => element("option", { value: i, selected: i === state[name] }, side.name)));
    }
    const labels = flipLabels(sides[state.a], sides[state.b]);
    const counts = countFlips(index, sides[state.a], sides[state.b]);
    $("flips").replaceChildren(...FLIPS.map((flips) =>
      element("option", { value: flips, selected: flips === state.flips }, `${labels[flips]} (${counts[flips].toLocaleString("en")})`)));
  }

  function filter() {
    const numbers = chosen(index, sides, state, found);
    list.show(numbers, state.open);
    const all = index.id.length.toLocaleString("en");
    $("count").textContent = numbers.length === index.id.length ? `${all} questions` : `${numbers.length.toLocaleString("en")} of ${all} questions`;
    $("list").classList.toggle("q-none", !numbers.length);
  }

  function compare(name, side) {
    state[name] = side;
    sidesChanged();
  }

  function swap() {
    [state.a, state.b] = [state.b, state.a];
    const other = { a: "b", b: "a" };
    state.flips = other[state.flips] || state.flips;
    sidesChanged();
  }

  function sidesChanged() {
    fillSides();
    filter();
    detail.draw();
  }

  // Opening and closing

  function linkTo(number) {
    return `#q=${encodeURIComponent(index.benchmarks[index.benchmark[number]][0])}/${encodeURIComponent(index.id[number]).replaceAll("%2F", "/")}`;
  }

  function linked() {
    const match = /^#q=([^/]*)\/(.*)$/.exec(location.hash);
    if (!match) return -1;
    try {
      const [benchmark, id] = [decodeURIComponent(match[1]), decodeURIComponent(match[2])];
      return index.id.findIndex((each, i) => each === id && index.benchmarks[index.benchmark[i]][0] === benchmark);
    } catch {
      return -1;
    }
  }

  function go(number, replace, focus = true) {
    if (number === undefined || number === state.open) return;
    const within = replace || state.open >= 0;
    if (within) history.replaceState(history.state, "", linkTo(number));
    else history.pushState({ fromList: true }, "", linkTo(number));
    follow(focus);
  }

  function step(steps, focus) {
    const next = list.neighbour(state.open, steps);
    if (next === undefined) return;
    list.select(next);
    go(next, true, focus);
  }

  function close() {
    if (history.state && history.state.fromList) return history.back();
    history.replaceState(null, "", `${location.pathname}${location.search}`);
    follow(true);
  }

  // Shows what the address names.
  function follow(focus) {
    const number = linked();
    const before = state.open;
    if (number === before) return;
    state.open = number;
    $("panes").classList.toggle("q-opened", number >= 0);
    section.classList.toggle("q-reading", number >= 0);
    if (number < 0) {
      detail.forget();
      list.select(before);
      if (focus) $("list").focus();
      return;
    }
    if (list.place(number) >= 0) list.select(number);
    list.draw();
    detail.open(number, focus);
  }

  window.addEventListener("popstate", () => follow(true));
  window.addEventListener("hashchange", () => follow(true));
  if (location.hash.startsWith("#q=")) {
    follow(true);
    if (state.open < 0) broken("The link names a question that is not in this run.");
  }

  // Filters

  for (const name of ["a", "b"]) $(name).addEventListener("change", (event) => compare(name, Number(event.target.value)));
  for (const name of ["flips", "outcome", "of", "category", "benchmark"]) {
    $(name).addEventListener("change", (event) => { state[name] = event.target.value; filter(); });
  }
  $("cut").addEventListener("change", (event) => { state.cut = event.target.checked; filter(); });
  $("swap").addEventListener("click", swap);
  $("self").addEventListener("click", () => {
    Object.assign(state, { a: index.baseline, b: sides.findIndex((side) => side.again), flips: "either" });
    sidesChanged();
  });
  $("controls").addEventListener("submit", (event) => event.preventDefault());
  $("controls").addEventListener("reset", () => {
    Object.assign(state, { flips: "all", outcome: "", of: "", category: "", benchmark: "", cut: false, sought: "" });
    found = null;
    find.stop();
    $("progress").textContent = "";
    setTimeout(sidesChanged);
  });

  let typing = 0;
  $("search").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => seek($("search").value), 200);
  });

  async function seek(words) {
    state.sought = words.trim().toLowerCase();
    if (!state.sought) {
      find.stop();
      found = null;
      $("progress").textContent = "";
      filter();
      detail.draw();
      return;
    }
    const result = await find.search(words, (share, part) => {
      found = part;
      $("progress").textContent = `searching, ${Math.round(100 * share)} %`;
      if (share < 1 && list.count() < 50) list.show(chosen(index, sides, state, found), state.open);
    });
    if (!result) return;
    found = result;
    $("list").dataset.sought = state.sought;
    $("progress").textContent = index.kept ? `Of thinking longer than ${index.kept.toLocaleString("en")} characters the middle is not in this file.` : "";
    filter();
    detail.draw();
  }

  // Keys

  const moves = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const where = document.activeElement;
    const inside = section.contains(where);
    if (where === $("search")) return searchKey(event);
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(where.tagName) || where.isContentEditable) return;
    if (!inside && !(where === document.body && (event.key === "/" || state.open >= 0))) return;
    if (pressed(event.key, where === $("list"))) event.preventDefault();
  });

  function searchKey(event) {
    if (event.key === "Enter" || event.key === "ArrowDown" || (event.key === "Escape" && !$("search").value)) {
      $("list").focus();
      event.preventDefault();
    }
  }

  function pressed(key, inList) {
    if (key === "/") return focusSearch();
    if (key === "Escape" && state.open >= 0) return close() || true;
    if (key === "x") return swap() || true;
    if (key === "t" && state.open >= 0) return toggleThinking();
    if (key === "a" || key === "b") return compare(key, (state[key] + 1) % sides.length) || true;
    if (inList) return listKey(key);
    if (state.open >= 0 && (key === "j" || key === "k")) return step(moves[key], true) || true;
    return false;
  }

  function focusSearch() {
    $("search").focus();
    $("search").select();
    return true;
  }

  function toggleThinking() {
    state.thinking = !state.thinking;
    detail.draw();
    return true;
  }

  function listKey(key) {
    const far = { PageDown: list.page(), PageUp: -list.page(), Home: -Infinity, End: Infinity };
    if (key in moves || key in far) {
      list.by(moves[key] || far[key]);
      if (state.open >= 0) go(list.get(), true, false);
      return true;
    }
    if (key === "Enter" || key === " ") return go(list.get(), state.open >= 0) || true;
    return false;
  }
}

start();
