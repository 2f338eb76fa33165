// Where two texts differ, word by word (Myers 1986), within a bounded time whatever the texts are.

const WORDS = /[\p{L}\p{N}_]+\s*|[^\p{L}\p{N}_\s]\s*|\s+/gu;
const MOST_STEPS = 3000000;
const MOST_EDITS = 1500;

// Two lists of pieces [text, differs]; null where the texts have too little in common to be marked in that time.
function difference(left, right) {
  if (left === right) return { left: [[left, false]], right: [[right, false]], same: true };
  const a = left.match(WORDS) || [];
  const b = right.match(WORDS) || [];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const middle = edits(a.slice(start, a.length - end), b.slice(start, b.length - end));
  const flags = (words, inside) => words.map((_, i) => i >= start && i < words.length - end && (!inside || inside[i - start]));
  const marked = middle ? smoothed(smoothed(smoothed(middle))) : { left: null, right: null };
  return { left: pieces(a, flags(a, marked.left)), right: pieces(b, flags(b, marked.right)), same: false, rough: !middle };
}

// For each word of either side whether it is only there; null if that takes too long.
function edits(a, b) {
  const size = Math.min(a.length + b.length, MOST_EDITS);
  const reach = new Int32Array(2 * size + 3);
  const middle = size + 1;
  const trace = [];
  let steps = 0;
  for (let d = 0; d <= size; d++) {
    trace.push(reach.slice(middle - d - 1, middle + d + 2));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && reach[middle + k - 1] < reach[middle + k + 1]);
      let x = down ? reach[middle + k + 1] : reach[middle + k - 1] + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) {
        x++;
        steps++;
      }
      reach[middle + k] = x;
      if (x >= a.length && x - k >= b.length) return walkedBack(a, b, trace);
    }
    steps += 2 * d + 1;
    if (steps > MOST_STEPS) return null;
  }
  return null;
}

function walkedBack(a, b, trace) {
  const left = new Array(a.length).fill(false);
  const right = new Array(b.length).fill(false);
  let [x, y] = [a.length, b.length];
  for (let d = trace.length - 1; d > 0; d--) {
    const reach = trace[d]; // as it was before step d, from -d-1 on
    const k = x - y;
    const down = k === -d || (k !== d && reach[k - 1 + d + 1] < reach[k + 1 + d + 1]);
    const before = down ? k + 1 : k - 1;
    const from = reach[before + d + 1];
    if (down) right[from - before] = true;
    else left[from] = true;
    [x, y] = [from, from - before];
  }
  return { left, right, a, b };
}

// A few words in common between two long differences are more noise than sense: they are marked, too.
function smoothed({ left, right, a, b }) {
  const runs = []; // in turn what differs and what is common: words of each side, characters
  let [x, y] = [0, 0];
  while (x < a.length || y < b.length) {
    const [fromX, fromY] = [x, y];
    while (x < a.length && left[x]) x++;
    while (y < b.length && right[y]) y++;
    const changed = length(a, fromX, x) + length(b, fromY, y);
    const [common, commonY] = [x, y];
    while (x < a.length && y < b.length && !left[x] && !right[y]) [x, y] = [x + 1, y + 1];
    runs.push({ changed, common, commonY, end: x, endY: y, size: length(a, common, x) });
  }
  runs.forEach((run, i) => {
    const after = runs[i + 1] ? runs[i + 1].changed : 0;
    if (!after || !isNoise(run.size, run.changed, after)) return;
    left.fill(true, run.common, run.end);
    right.fill(true, run.commonY, run.endY);
  });
  return { left, right, a, b };
}

function isNoise(size, before, after) {
  return (size <= 30 && 2 * size <= Math.min(before, after)) || (size <= 8 && 8 * size <= Math.max(before, after));
}

function length(words, from, end) {
  let sum = 0;
  for (let i = from; i < end; i++) sum += words[i].length;
  return sum;
}

function pieces(words, flags) {
  const made = [];
  for (let i = 0; i < words.length; i++) {
    const last = made[made.length - 1];
    if (last && last[1] === flags[i]) last[0].push(words[i]);
    else made.push([[words[i]], flags[i]]);
  }
  return made.map(([parts, differs]) => [parts.join(""), differs]);
}
