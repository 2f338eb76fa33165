// One question, opened: its prompt, all replies in a table, two of them side by side.

function detailView(index, sides, state, root, actions) {
  let question = null;
  const isCode = (number) => asksForCode(index, number);

  async function open(number, focus) {
    const texts = await textsOf(index, number);
    if (state.open !== number) return;
    question = texts;
    root.hidden = false;
    draw();
    if (!focus) return;
    root.querySelector(".q-heading").focus({ preventScroll: true });
    const { top } = root.getBoundingClientRect();
    if (top < 0 || top > innerHeight / 4) root.scrollIntoView();
  }

  function draw() {
    if (!question) return;
    const number = state.open;
    const focused = root.contains(document.activeElement) ? document.activeElement.classList[0] : "";
    root.replaceChildren(header(number), promptOf(), right(number), replyTable(index, question, number), comparison(number), others(number));
    if (focused) (root.querySelector(`.${focused}:enabled`) || root.querySelector(".q-heading")).focus({ preventScroll: true });
  }

  function header(number) {
    const [, title] = index.benchmarks[index.benchmark[number]];
    const heading = element("h3", { class: "q-heading", tabindex: "-1", dir: "auto" });
    appendVisible(heading, index.id[number].startsWith(title) ? index.id[number] : `${title} ${index.id[number]}`);
    const category = element("span", { class: "soft" });
    appendVisible(category, index.categories[index.category[number]]);
    const place = actions.place(number);
    const button = (name, label, title, disabled, onclick) => element("button", { type: "button", class: name, title, disabled, onclick }, label);
    const copied = element("span", { class: "q-copied", role: "status" });
    return element("header", { class: "q-title" },
      button("q-back", "← Back to the list", "Back to the list (Esc)", false, actions.close),
      element("div", {}, heading, category),
      element("span", { class: "q-buttons" },
        element("span", { class: "soft" }, place < 0 ? "" : `${(place + 1).toLocaleString("en")} of ${actions.count().toLocaleString("en")}`),
        button("q-previous", "Previous", "Previous question (k)", place <= 0, () => actions.step(-1)),
        button("q-next", "Next", "Next question (j)", place < 0 || place >= actions.count() - 1, () => actions.step(1)),
        button("q-copy", "Copy link", "Copy a link to this question", false, () => copyLink(copied)), copied));
  }

  function promptOf() {
    const box = element("div", { class: "q-prompt" });
    if (question.before) {
      const folded = element("details", {}, element("summary", {}, `Instruction and worked examples before it, ${question.before.length.toLocaleString("en")} characters`));
      folded.addEventListener("toggle", () => folded.childElementCount > 1 || folded.append(textBlock([[question.before, false]])));
      box.append(folded);
    }
    box.append(textBlock([[question.prompt.trimEnd(), false]], { sought: state.sought, label: " of the prompt", kind: isCode(state.open) ? "q-code" : "" }));
    return box;
  }

  function right(number) {
    const answer = element("span", { class: "q-rightanswer", dir: "auto" });
    appendVisible(answer, isCode(number) ? `${question.right}, which must pass its tests` : question.right);
    const box = element("div", { class: "q-right" }, element("b", {}, isCode(number) ? "The function asked for: " : "The right answer: "), answer);
    if (question.tests) {
      const folded = element("details", {}, element("summary", {}, "Its tests"));
      folded.addEventListener("toggle", () => folded.childElementCount > 1 || folded.append(textBlock([[question.tests, false]], { kind: "q-code" })));
      box.append(folded);
    }
    return box;
  }

  // Columns of the two sides that are shown: of several answers the one that is chosen.
  function compared() {
    const pick = (side) => side.columns[Math.min(state.repeat, side.columns.length - 1)];
    return [pick(sides[state.a]), pick(sides[state.b])];
  }

  function comparison(number) {
    const [x, y] = compared();
    const options = { sought: state.sought, thinking: state.thinking };
    if (x === y) return element("div", { class: "q-two q-one" }, replyPane(index, question, number, x, options));
    const [left, right] = [question.replies.get(x), question.replies.get(y)];
    const both = left && right && left.text && right.text;
    const marks = both ? difference(left.text, right.text) : null;
    const panes = [replyPane(index, question, number, x, { ...options, marked: marks && marks.left, side: "left" }),
      replyPane(index, question, number, y, { ...options, marked: marks && marks.right, side: "right" })];
    return element("div", {}, picker(marks), ...parting(x, y), element("div", { class: "q-two" }, ...panes));
  }

  // Where an answer that flips leaves the baseline's, when these two are shown.
  function parting(x, y) {
    const isBaseline = (column) => index.columns[column][0] === index.baseline && !index.columns[column][2];
    const other = isBaseline(x) ? y : isBaseline(y) ? x : -1;
    const reply = question.replies.get(other);
    if (!reply || !reply.parting) return [];
    const said = element("p", { class: "q-parting", dir: "auto" });
    appendVisible(said, reply.parting);
    return [said];
  }

  function picker(marks) {
    const select = (name, label) => element("label", {}, element("span", { class: "q-hidden" }, label),
      element("select", { class: `q-pick-${name}`, onchange: (event) => actions.compare(name, Number(event.target.value)) },
        ...sides.map((side, i) => element("option", { value: i, selected: i === state[name] }, side.name))));
    const most = Math.max(...sides.map((side) => side.columns.length));
    const repeats = most < 2 ? [] : [element("label", {}, "Answer ", element("select", { class: "q-pick-repeat", onchange: (event) => actions.repeat(Number(event.target.value)) },
      ...Array.from({ length: most }, (_, i) => element("option", { value: i, selected: i === state.repeat }, `${i + 1} of ${most}`))))];
    const said = !marks ? "" : marks.same ? "The two answers are the same, word for word." : marks.rough ? "The two answers have too little in common to mark single words." : "What only one of them says is marked.";
    return element("div", { class: "q-picker" }, select("a", "On the left"),
      element("button", { type: "button", class: "q-swap", title: "Swap the two (x)", onclick: actions.swap }, element("span", { "aria-hidden": "true" }, "⇄"), element("span", { class: "q-hidden" }, "Swap the two variants")),
      select("b", "On the right"), ...repeats, element("span", { class: "soft" }, said));
  }

  function others(number) {
    const shown = compared();
    const rest = [...question.replies.keys()].filter((column) => !shown.includes(column)).sort((x, y) => x - y);
    return element("div", { class: "q-others" }, ...rest.map((column) => {
      const summary = element("summary", {}, columnName(index, column), " ", outcomeBadge(index, column, number));
      const folded = element("details", {}, summary);
      folded.addEventListener("toggle", () => folded.childElementCount > 1 || folded.append(replyPane(index, question, number, column, { sought: state.sought })));
      return folded;
    }));
  }

  return { open, draw, forget: () => { question = null; root.replaceChildren(); root.hidden = true; } };
}

async function copyLink(said) {
  const link = location.href;
  try {
    await navigator.clipboard.writeText(link);
    said.textContent = "Copied";
  } catch {
    said.textContent = "Copy it from the address bar";
  }
  setTimeout(() => { said.textContent = ""; }, 4000);
}
