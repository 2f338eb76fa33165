// Puts text into the page: always as text, in a direction of its own, with what cannot be seen made visible.

const FIRST = 20000; // characters that are shown at once; the rest comes when it is asked for
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;
const NAMES = {
  "\u0000": "null", "\u0007": "bell", "\u0008": "backspace", "\u000d": "carriage return", "\u001b": "escape",
  "\u007f": "delete", "\u200b": "zero-width space", "\u200e": "left-to-right mark", "\u200f": "right-to-left mark",
  "\u202a": "left-to-right embedding", "\u202b": "right-to-left embedding", "\u202c": "end of direction",
  "\u202d": "left-to-right override", "\u202e": "right-to-left override", "\ufeff": "byte order mark",
};

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") made.toggleAttribute(name, value);
    else if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// What cannot be seen, as a sign: control pictures, else its number.
function signOf(character) {
  const code = character.codePointAt(0);
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

function appendVisible(parent, text) {
  let from = 0;
  for (const match of text.matchAll(UNSEEN)) {
    if (match.index > from) parent.append(text.slice(from, match.index));
    const title = NAMES[match[0]] || `character U+${match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    parent.append(element("span", { class: "q-unseen", title }, signOf(match[0])));
    from = match.index + match[0].length;
  }
  if (from < text.length) parent.append(text.slice(from));
}

// Text with what was searched for marked.
function appendMarked(parent, text, sought) {
  const low = sought ? text.toLowerCase() : "";
  let from = 0;
  // In a few scripts small letters are of another length; then places would not fit.
  if (sought && low.length === text.length) {
    for (let at = low.indexOf(sought); at >= 0; at = low.indexOf(sought, from)) {
      appendVisible(parent, text.slice(from, at));
      const mark = element("mark", { class: "q-found" });
      appendVisible(mark, text.slice(at, at + sought.length));
      parent.append(mark);
      from = at + sought.length;
    }
  }
  appendVisible(parent, from ? text.slice(from) : text);
}

// Marks what differs, but not the space around it and at the ends of lines, unless space is all that differs.
function appendDiffering(parent, text, sought) {
  for (const part of text.trim() ? text.split(/(^\s+|\s*\n\s*|\s+$)/) : [text]) {
    if (!part) continue;
    const mark = part.trim() || part === text ? element("mark", { class: "q-differs" }) : parent;
    appendMarked(mark, part, sought);
    if (mark !== parent) parent.append(mark);
  }
}

// A block of text out of pieces [text, differs]; what is far down is shown when it is asked for.
function textBlock(pieces, { sought = "", kind = "", label = "" } = {}) {
  const block = element("div", { class: `q-text ${kind}`, dir: "auto" });
  let [at, offset] = [0, 0];
  function more(most) {
    while (at < pieces.length && most > 0) {
      const [text, differs] = pieces[at];
      const end = Math.min(text.length, offset + most);
      const part = text.slice(offset, end).replaceAll("\r\n", "\n");
      if (differs) appendDiffering(block, part, sought);
      else appendMarked(block, part, sought);
      most -= end - offset;
      offset = end;
      if (offset === text.length) [at, offset] = [at + 1, 0];
    }
  }
  more(FIRST);
  const left = pieces.slice(at).reduce((sum, [text]) => sum + text.length, -offset);
  if (left <= 0) return block;
  const button = element("button", { type: "button", class: "q-more" }, `Show the other ${left.toLocaleString("en")} characters${label}`);
  button.addEventListener("click", () => {
    more(Infinity);
    button.remove();
  });
  return element("div", {}, block, button);
}

function figure(value, unit = "", digits = 0) {
  if (value === null || value === undefined) return "\u2013";
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }) + unit;
}
