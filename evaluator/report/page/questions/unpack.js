// The packed blocks of this page: the index is read at once, texts when they are looked at.

const KEPT_BLOCKS = 6;

function canUnpack() {
  return typeof DecompressionStream === "function";
}

// A block that is not there yet may still be on its way from the disk.
const wholePage = new Promise((resolve) => {
  if (document.readyState !== "loading") resolve();
  else document.addEventListener("DOMContentLoaded", resolve, { once: true });
});

async function unpack(name) {
  const id = `questions-${name}`;
  if (!document.getElementById(id)) await wholePage;
  const element = document.getElementById(id);
  if (!element) return null;
  const packed = atob(element.textContent);
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

// The blocks read last are kept, so that walking through a list unpacks each of them once.
const kept = new Map();

function block(name) {
  const found = kept.get(name) || unpack(name);
  kept.delete(name);
  kept.set(name, found);
  if (kept.size > 2 * KEPT_BLOCKS) kept.delete(kept.keys().next().value);
  return found;
}

function blockOf(index, number) {
  let low = 0;
  let high = index.starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (index.starts[middle] <= number) low = middle;
    else high = middle - 1;
  }
  return low;
}

// What is shown of a question: its texts, and its thinking by column.
async function textsOf(index, number) {
  const at = blockOf(index, number);
  const place = number - index.starts[at];
  const [texts, thoughts] = await Promise.all([block(`texts-${at}`), block(`thoughts-${at}`)]);
  const question = readTexts(texts[place]);
  question.thoughts = new Map();
  if (thoughts) for (const [column, ...parts] of thoughts[place]) question.thoughts.set(column, parts);
  if (question.examples >= 0) question.before = (await block("examples"))[question.examples];
  return question;
}

function readTexts([examples, prompt, right, tests, replies]) {
  return { examples, prompt, right, tests, before: "", replies: new Map(replies.map(readReply)) };
}

function readReply(fields) {
  const [column, text, why, read, promptTokens, tokens, seconds, first, end, failure, limit, attempts, parting] = fields;
  return [column, { text, why, read, promptTokens, tokens, seconds, first, end, failure, limit, attempts, parting }];
}

// Gives the browser time to draw and to listen.
function breathe() {
  return new Promise((resolve) => setTimeout(resolve));
}
