// Search over all text, a few questions at a time, so that the page stays at hand.

const PATIENCE = 12; // milliseconds of work before the browser may draw

function searcher(index) {
  let latest = 0;

  // Calls `onPart` with what is found so far; the promise is null where another search has begun meanwhile.
  async function search(words, onPart) {
    const mine = ++latest;
    const sought = words.trim().toLowerCase();
    if (!sought) return null;
    const found = new Uint8Array(index.id.length);
    let began = performance.now();
    for (let at = 0; at < index.starts.length; at++) {
      const [texts, thoughts] = await Promise.all([unpack(`texts-${at}`), unpack(`thoughts-${at}`)]);
      for (let place = 0; place < texts.length; place++) {
        if (mine !== latest) return null;
        const number = index.starts[at] + place;
        if (holds(index, number, texts[place], thoughts && thoughts[place], sought)) found[number] = 1;
        if (performance.now() - began > PATIENCE) {
          await breathe();
          began = performance.now();
        }
      }
      if (mine !== latest) return null;
      onPart((at + 1) / index.starts.length, found);
    }
    return found;
  }

  return { search, stop: () => latest++ };
}

function holds(index, number, fields, thoughts, sought) {
  const { prompt, right, replies } = readTexts(fields);
  const has = (text) => text.toLowerCase().includes(sought);
  if (has(`${index.benchmarks[index.benchmark[number]][0]}/${index.id[number]}`)) return true;
  if (has(prompt) || has(right)) return true;
  for (const { text, why, failure } of replies.values()) if (has(text) || has(why) || has(failure)) return true;
  return (thoughts || []).some(([, ...parts]) => parts.some((part) => typeof part === "string" && has(part)));
}
