// Replies to one question: a table of all of them, and two side by side.

function columnName(index, column) {
  const [variant, repeat, again] = index.columns[column];
  const many = index.columns.some(([other, , isAgain], i) => i !== column && other === variant && isAgain === again);
  return index.variants[variant] + (again ? ", asked again" : many ? `, answer ${repeat + 1}` : "");
}

function outcomeBadge(index, column, number) {
  const mark = index.outcome[column][number];
  const outcome = outcomeOf(index, mark);
  return element("span", { class: `q-badge q-${outcome || "none"}` }, `${SIGNS[outcome] || "·"} ${outcomeWord(index, mark)}`);
}

function replyTable(index, question, number) {
  const head = ["variant", "outcome", "read as", "why", "tokens", "time", "first token", "ended with"];
  const table = element("table", { class: "q-table" }, element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))));
  const body = element("tbody");
  for (const column of index.columns.keys()) {
    const reply = question.replies.get(column);
    if (!reply && index.columns[column][2]) continue;
    body.append(element("tr", {}, element("th", { scope: "row" }, columnName(index, column)),
      element("td", {}, outcomeBadge(index, column, number)), ...(reply ? replyCells(index, number, reply) : [element("td", { colspan: 6 })])));
  }
  table.append(body);
  return element("div", { class: "q-scroll", tabindex: "0", role: "group", "aria-label": "All replies" }, table);
}

function asksForCode(index, number) {
  return index.benchmarks[index.benchmark[number]][2] === "code";
}

function replyCells(index, number, reply) {
  const isCode = asksForCode(index, number);
  const read = element("td", { dir: "auto" });
  appendVisible(read, isCode ? (reply.read ? "a program" : "") : reply.read.length > 40 ? `${reply.read.slice(0, 40)}…` : reply.read);
  const why = element("td", { class: "q-why", dir: "auto" });
  appendVisible(why, reply.failure || reply.why);
  const end = element("td", { dir: "auto" });
  appendVisible(end, (reply.end || "\u2013") + (reply.attempts ? ` (after ${reply.attempts} failed ${reply.attempts === 1 ? "try" : "tries"})` : ""));
  const of = reply.limit ? `at most ${reply.limit.toLocaleString("en")}` : null;
  return [read, why, element("td", { class: "q-n", title: of }, figure(reply.tokens)), element("td", { class: "q-n" }, figure(reply.seconds, " s", 1)),
    element("td", { class: "q-n" }, figure(reply.first, " s", 2)), end];
}

function thinkingOf(parts, sought, open) {
  if (!parts) return null;
  const [first, left, last] = parts;
  const length = parts.reduce((sum, part) => sum + (typeof part === "string" ? part.length : part), 0);
  const folded = element("details", { class: "q-thinking" },
    element("summary", {}, `Thinking, ${length.toLocaleString("en")} characters${left ? ", its middle left out" : ""}`));
  const fill = () => {
    if (folded.childElementCount > 1) return;
    folded.append(textBlock([[first, false]], { sought, kind: "q-thought" }));
    if (!left) return;
    folded.append(element("p", { class: "q-left" }, `${left.toLocaleString("en")} characters are left out here, so that this file stays small; the run's folder has them.`));
    folded.append(textBlock([[last, false]], { sought, kind: "q-thought" }));
  };
  folded.addEventListener("toggle", fill);
  if (open) {
    folded.open = true;
    fill();
  }
  return folded;
}

// One reply as a column: who, how it was graded, thinking folded away, the answer with the difference marked.
function replyPane(index, question, number, column, { marked, sought, side, thinking }) {
  const reply = question.replies.get(column);
  const pane = element("section", { class: "q-pane", "aria-label": `${side ? `${side}: ` : ""}${columnName(index, column)}` },
    element("h4", {}, columnName(index, column), " ", outcomeBadge(index, column, number)));
  if (!reply) {
    pane.append(element("p", { class: "soft" }, "It was not asked this question."));
    return pane;
  }
  const why = element("p", { class: "q-why", dir: "auto" });
  appendVisible(why, reply.failure ? `No reply: ${reply.failure}` : reply.why);
  pane.append(why);
  const found = question.thoughts.get(column);
  const inside = sought && found && found.some((part) => typeof part === "string" && part.toLowerCase().includes(sought));
  const thought = thinkingOf(found, sought, thinking || inside);
  if (thought) pane.append(thought);
  if (reply.text) pane.append(textBlock(marked || [[reply.text, false]], { sought, kind: `q-answer${asksForCode(index, number) ? " q-code" : ""}`, label: ` of ${columnName(index, column)}` }));
  else pane.append(element("p", { class: "soft" }, "It wrote no answer."));
  pane.append(...readProgram(index, number, reply));
  return pane;
}

function readProgram(index, number, reply) {
  if (!asksForCode(index, number) || !reply.read) return [];
  const folded = element("details", {}, element("summary", {}, "The program that was run"));
  folded.addEventListener("toggle", () => folded.childElementCount > 1 || folded.append(textBlock([[reply.read, false]], { kind: "q-code" })));
  return [folded];
}
