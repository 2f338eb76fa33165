// The list of questions: only the rows in sight exist.

const SIGNS = {
  correct: "✓", wrong: "✗", truncated: "…", empty: "∅", unparsed: "?", refused: "⊘", failed: "!", not_scored: "–",
};

function rowList(index, sides, state, list, head, onOpen) {
  const spacer = element("div", { class: "q-spacer", role: "presentation" });
  let numbers = [];
  let at = 0;
  list.append(spacer);

  const height = () => 3.25 * parseFloat(getComputedStyle(document.documentElement).fontSize);
  const shown = () => sides.filter((side, i) => !side.again || i === state.a || i === state.b);

  function draw() {
    const row = height();
    const first = Math.max(0, Math.floor(list.scrollTop / row) - 4);
    const last = Math.min(numbers.length, Math.ceil((list.scrollTop + list.clientHeight) / row) + 4);
    const places = [];
    for (let place = first; place < last; place++) places.push(place);
    if (numbers.length && (at < first || at >= last)) places.push(at);
    spacer.style.height = `${numbers.length * row}px`;
    spacer.replaceChildren(...places.map((place) => drawn(place, row)));
    if (numbers.length) list.setAttribute("aria-activedescendant", `questions-row-${numbers[at]}`);
    else list.removeAttribute("aria-activedescendant");
  }

  function drawn(place, row) {
    const number = numbers[place];
    const chosenNow = place === at;
    const option = element("div", {
      class: "q-row", role: "option", id: `questions-row-${number}`, "data-place": place,
      "aria-selected": String(chosenNow), "aria-setsize": numbers.length, "aria-posinset": place + 1,
      "aria-label": spoken(number),
    });
    option.classList.toggle("q-open", number === state.open);
    option.style.transform = `translateY(${place * row}px)`;
    const name = element("span", { class: "q-name" });
    appendVisible(name, index.id[number]);
    const category = element("span", { class: "q-category" });
    appendVisible(category, index.categories[index.category[number]]);
    const line = element("span", { class: "q-ask", dir: "auto" });
    appendVisible(line, index.line[number]);
    const marks = element("span", { class: "q-marks" }, ...shown().map((side) => markOf(index, side, number)));
    option.append(element("span", { class: "q-what" }, element("span", { class: "q-top" }, name, category), line), marks);
    return option;
  }

  function spoken(number) {
    const replies = shown().map((side) => `${side.name} ${wordOf(index, side, number)}`);
    return `${index.benchmarks[index.benchmark[number]][1]} ${index.id[number]}: ${replies.join(", ")}. ${index.line[number]}`;
  }

  function drawHead() {
    const names = shown().map((side) => {
      const i = sides.indexOf(side);
      return element("span", { class: i === state.a || i === state.b ? "q-compared" : "", title: side.name }, ...breakable(side.name));
    });
    head.replaceChildren(element("span", { class: "q-what" }, "question"), element("span", { class: "q-marks" }, ...names));
  }

  function show(chosenNumbers, keep) {
    numbers = chosenNumbers;
    at = Math.max(0, keep === undefined ? 0 : numbers.indexOf(keep));
    list.scrollTop = 0;
    drawHead();
    draw();
    if (at) move(at);
  }

  function move(place) {
    if (!numbers.length) return;
    at = Math.min(Math.max(place, 0), numbers.length - 1);
    const row = height();
    if (at * row < list.scrollTop) list.scrollTop = at * row;
    else if ((at + 1) * row > list.scrollTop + list.clientHeight) list.scrollTop = (at + 1) * row - list.clientHeight;
    draw();
  }

  let waiting = false;
  function later() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  }
  list.addEventListener("scroll", later, { passive: true });
  new ResizeObserver(later).observe(list);
  list.addEventListener("click", (event) => {
    const row = event.target.closest(".q-row");
    if (!row) return;
    move(Number(row.dataset.place));
    onOpen(numbers[at]);
  });

  return {
    draw, drawHead, show, move,
    by: (steps) => move(at + steps),
    page: () => Math.max(1, Math.floor(list.clientHeight / height()) - 1),
    get: () => numbers[at],
    place: (number) => numbers.indexOf(number),
    neighbour: (number, steps) => numbers[numbers.indexOf(number) + steps],
    select: (number) => move(numbers.indexOf(number)),
    count: () => numbers.length,
  };
}

// A name that may be broken behind its dashes and dots.
function breakable(name) {
  return name.split(/(?<=[-_., ])/).flatMap((part) => [part, element("wbr")]);
}

// How a side answered a question, as a sign with a colour, and in words.
function markOf(index, side, number) {
  const marks = side.columns.map((column) => index.outcome[column][number]);
  if (marks.length > 1) {
    const given = marks.filter((mark) => isGraded(index, mark));
    const right = given.filter((mark) => mark === RIGHT).length;
    const kind = !given.length ? "none" : right === given.length ? "correct" : right ? "some" : "wrong";
    return element("span", { class: `q-mark q-${kind}` }, given.length ? `${right}/${given.length}` : "·");
  }
  const outcome = outcomeOf(index, marks[0]);
  const read = side.columns.length ? index.read[side.columns[0]][number] : "";
  const mark = element("span", { class: `q-mark q-${outcome || "none"}` }, SIGNS[outcome] || "·");
  if (read) {
    mark.append(" ");
    appendVisible(mark, read.length > 3 ? `${read.slice(0, 2)}…` : read);
  }
  return mark;
}

function wordOf(index, side, number) {
  return side.columns.map((column) => {
    const read = index.read[column][number];
    return outcomeWord(index, index.outcome[column][number]) + (read ? ` ${read}` : "");
  }).join(" and ") || "not asked";
}

function outcomeOf(index, mark) {
  return mark in index.outcomes ? index.outcomes[mark][0] : "";
}

function outcomeWord(index, mark) {
  if (mark === "?") return "not graded yet";
  return mark in index.outcomes ? index.outcomes[mark][1] : "not asked";
}
