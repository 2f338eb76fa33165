// Which questions are shown. The index holds one character a question for each column of replies.

const RIGHT = "0"; // the first of the index's outcomes
const FLIPS = ["all", "a", "b", "either", "read", "text"];

// A variant, or the baseline as it was asked again: what can be put on the left or on the right.
function sidesOf(index) {
  const sides = index.variants.map((name) => ({ name, columns: [], again: false }));
  const again = { name: `${index.variants[index.baseline]}, asked again`, columns: [], again: true };
  index.columns.forEach(([variant, , isAgain], column) => (isAgain ? again : sides[variant]).columns.push(column));
  return again.columns.length ? [...sides, again] : sides;
}

// Columns of two sides that are compared with each other: repeat by repeat.
function pairsOf(a, b) {
  const length = Math.min(a.columns.length, b.columns.length);
  return a.columns.slice(0, length).map((column, i) => [column, b.columns[i]]);
}

// An outcome that says something about the model: neither without a reply, nor without a score.
function isGraded(index, mark) {
  return mark in index.outcomes && !["failed", "not_scored"].includes(index.outcomes[mark][0]);
}

function flipTest(index, flips, a, b) {
  const pairs = pairsOf(a, b);
  const graded = new Set([...index.outcomes.keys()].map(String).filter((mark) => isGraded(index, mark)));
  const letters = index.benchmarks.map(([, , kind]) => kind !== "code");
  const tests = {
    all: () => true,
    a: (i, x, y) => bothGraded(i, x, y) && index.outcome[x][i] === RIGHT && index.outcome[y][i] !== RIGHT,
    b: (i, x, y) => bothGraded(i, x, y) && index.outcome[x][i] !== RIGHT && index.outcome[y][i] === RIGHT,
    either: (i, x, y) => bothGraded(i, x, y) && (index.outcome[x][i] === RIGHT) !== (index.outcome[y][i] === RIGHT),
    read: (i, x, y) => bothGraded(i, x, y) && letters[index.benchmark[i]] && index.read[x][i] !== index.read[y][i],
    text: (i, x, y) => index.same[x][i] !== "." && index.same[y][i] !== "." && index.same[x][i] !== index.same[y][i],
  };
  function bothGraded(i, x, y) {
    return graded.has(index.outcome[x][i]) && graded.has(index.outcome[y][i]);
  }
  if (flips === "all") return tests.all;
  const test = tests[flips];
  return (i) => pairs.some(([x, y]) => test(i, x, y));
}

function flipLabels(a, b) {
  return {
    all: "all questions",
    a: `${a.name} right, ${b.name} not`,
    b: `${b.name} right, ${a.name} not`,
    either: "one of them right, the other not",
    read: "another letter or number read",
    text: "another text, right or wrong",
  };
}

// Numbers of the questions that pass all filters; `found` holds those that a search has found, null without a search.
function chosen(index, sides, state, found) {
  const flip = flipTest(index, state.flips, sides[state.a], sides[state.b]);
  const columns = state.of === "" ? index.columns.map((_, i) => i) : sides[state.of].columns;
  const outcome = state.outcome;
  const numbers = [];
  for (let i = 0; i < index.id.length; i++) {
    if (found && !found[i]) continue;
    if (state.category !== "" && index.category[i] !== Number(state.category)) continue;
    if (state.benchmark !== "" && index.benchmark[i] !== Number(state.benchmark)) continue;
    if (outcome !== "" && !columns.some((column) => index.outcome[column][i] === outcome)) continue;
    if (state.cut && !columns.some((column) => index.cut[column][i] === "1")) continue;
    if (flip(i)) numbers.push(i);
  }
  return numbers;
}

function countFlips(index, a, b) {
  const counts = {};
  for (const flips of FLIPS) {
    const test = flipTest(index, flips, a, b);
    counts[flips] = index.id.reduce((count, _, i) => count + (test(i) ? 1 : 0), 0);
  }
  return counts;
}
